"""Reading a page of the feed: the grant is looked at, the page is made, a leaf and a manifest are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.log.chain import name_mass_reading
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf
from exchange.access.masks import Masker, choose_masks
from exchange.access.refusal import RefusalLog
from subscriptions.cursor import CursorSeal
from subscriptions.delivery.manifest import ManifestMaker, describe
from subscriptions.delivery.model import Delivery, Proof
from subscriptions.delivery.store import save_delivery
from subscriptions.errors import ConsumerPaused
from subscriptions.feed.columns import Masks, apply_masks
from subscriptions.feed.disputes import find_disputed
from subscriptions.feed.load import PageLoader
from subscriptions.feed.page import MAX_ROWS, Form, Page, write_page
from subscriptions.feed.wake import Waker
from subscriptions.ground import Ground, Grounds, check_position
from subscriptions.model import DEFAULT_CONSUMER
from subscriptions.store import BEGIN_READING
from subscriptions.threads import run_sized

MAX_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of the feed. `after` None: what follows the consumer's last acknowledgement.

    Without `announces` changes are read on from `after` though the grant's filter has changed since. With
    `as_now` their rows come as they are now, each once.
    `proof` None: the rows' digest for NDJSON, the body's for the columnar forms.
    """

    subscription_id: UUID
    consumer: str = DEFAULT_CONSUMER
    after: str | None = None
    limit_rows: int = 1000
    form: Form = Form.NDJSON
    proof: Proof | None = None
    announces: bool = True
    as_now: bool = False

    @property
    def chosen_proof(self) -> Proof:
        """What the manifest's digest is made of."""
        return self.proof or (Proof.ROWS if self.form is Form.NDJSON else Proof.BODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """Who reads what, and on which ground."""

    caller: Caller
    purpose: Purpose
    wanted: Wanted
    ground: Ground


class FeedReader:
    """Reads the feed under grants of mode subscribe."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        seal: CursorSeal,
        masker: Masker,
        manifests: ManifestMaker,
        loader: PageLoader,
        grounds: Grounds,
        waker: Waker,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._seal = seal
        self._masker = masker
        self._manifests = manifests
        self._loader = loader
        self._grounds = grounds
        self._waker = waker
        self._now = now

    async def read(self, *, caller: Caller, purpose: Purpose, wanted: Wanted, wait_s: float = 0.0) -> Page:
        """Read the changes after a cursor; where there is none, wait up to `wait_s` for some.

        The grant is looked at on every look into the database, so that its end ends a waiting call too.
        Raises NotFound, GrantMissing, BadInput, Conflict for a consumer that is paused, VersionsPruned.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=None, action="changes.read"
        )
        deadline = time.monotonic() + min(wait_s, MAX_WAIT_S)
        async with watch:
            while True:
                page = await self._read_once(caller=caller, purpose=purpose, wanted=wanted)
                left_s = deadline - time.monotonic()
                if page.table.num_rows or left_s <= 0:
                    return page
                await self._waker.wait(
                    page.resource_code, beyond_version=page.current_version, timeout_s=left_s
                )

    async def _read_once(self, *, caller: Caller, purpose: Purpose, wanted: Wanted) -> Page:
        async with self._database.begun_transaction(BEGIN_READING) as connection:
            ground = await self._grounds.load(
                connection, caller=caller, subscription_id=wanted.subscription_id, consumer=wanted.consumer
            )
            if ground.consumer.paused_at is not None:
                msg = f"this consumer is paused ({ground.consumer.pause_reason}); resume it first"
                raise ConsumerPaused(msg)
            ground.verify(purpose=purpose, at=self._now())
            call = _Call(caller=caller, purpose=purpose, wanted=wanted, ground=ground)
            return await self._read_page(connection, call)

    async def _read_page(self, connection: Connection, call: _Call) -> Page:
        wanted, ground = call.wanted, call.ground
        consumer, resource, subscription = ground.consumer, ground.resource, ground.subscription
        from_cursor = consumer.acknowledged_cursor if wanted.after is None else wanted.after
        cursor = self._seal.parse(from_cursor, subscription_id=subscription.id, resource=resource)
        await check_position(connection, ground=ground, cursor=cursor)
        masks = choose_masks(ground.grant.terms, ground.mask_rules, service_item=call.purpose.service_item)
        loaded = await self._loader.load(
            connection,
            ground=ground,
            cursor=cursor,
            limit_rows=min(wanted.limit_rows, MAX_ROWS[wanted.form]),
            masks=masks,
            announces=wanted.announces,
        )
        if wanted.as_now:
            loaded = await self._loader.load_current(connection, ground=ground, loaded=loaded, masks=masks)
        table, reached = loaded.table, loaded.reached
        next_cursor = self._seal.write(reached, subscription_id=subscription.id)
        key_names = tuple(item.name for item in resource.key_items)
        body, delivery = b"", None
        granted = ground.grant.open_items(resource)
        disputed = await find_disputed(connection, resource=resource, items=granted, table=table)
        if table.num_rows or wanted.form is not Form.NDJSON:
            table = apply_masks(table, self._choose_masks(call, but=loaded.masked))
            body = await run_sized(
                table.num_rows, write_page, table, wanted.form, key_names=key_names, disputed=disputed
            )
        if table.num_rows:
            delivery = await self._manifests.make(
                subscription=subscription,
                consumer=consumer,
                grant=ground.grant,
                table=table,
                body=body,
                form=wanted.form,
                proof=wanted.chosen_proof,
                from_cursor=from_cursor,
                to_cursor=next_cursor,
                disputed=disputed,
            )
            in_snapshot = cursor.position.version == consumer.snapshot_version
            held = consumer.snapshot_version if in_snapshot and not loaded.is_announcement else None
            await self._record(connection, call, delivery, snapshot=held)
        return Page(
            table=table,
            key_names=key_names,
            from_cursor=from_cursor,
            next_cursor=next_cursor,
            reached=reached.position,
            current_version=resource.current_version,
            resource_code=resource.code,
            form=wanted.form,
            body=body,
            epoch=reached.epoch,
            is_announcement=loaded.is_announcement,
            delivery_id=None if delivery is None else delivery.id,
            manifest=b"" if delivery is None else delivery.manifest,
            receipt=b"" if delivery is None else delivery.receipt,
            disputed=disputed,
        )

    def _choose_masks(self, call: _Call, *, but: Collection[str]) -> Masks:
        """Choose the masks that are left for the hub to apply."""
        masks = self._masker.choose(
            call.ground.grant.terms,
            call.ground.mask_rules,
            service_item=call.purpose.service_item,
            organisation_code=call.caller.organisation_code,
        )
        return {name: mask for name, mask in masks.items() if name not in but}

    async def _record(
        self, connection: Connection, call: _Call, delivery: Delivery, *, snapshot: int | None
    ) -> None:
        ground, resource = call.ground, call.ground.resource
        await save_delivery(connection, delivery=delivery)
        leaf = NewLeaf(
            event=Event.CHANGES_READ,
            caller=call.caller,
            purpose=call.purpose,
            resource_code=resource.code,
            grant_id=ground.grant.id,
            subject=name_mass_reading(resource.code),
            details={
                **describe(delivery, ground.subscription.id),
                "items": list(ground.grant.open_items(resource)),
                "snapshot": snapshot,
            },
        )
        await self._log.append_all(connection, [leaf], owners={resource.code: resource.provider_code})
