"""Reading a page of the feed: the grant is looked at, the page is made, a leaf and a manifest are written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.log.chain import name_mass_reading
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.masks import Masker
from exchange.access.model import Grant
from exchange.access.refusal import RefusalLog
from exchange.access.store import load_mask_rules
from exchange.catalogue.model import Resource
from subscriptions import store
from subscriptions.cursor import CursorSeal
from subscriptions.delivery.manifest import ManifestMaker, describe
from subscriptions.delivery.model import Delivery, Proof
from subscriptions.delivery.store import save_delivery
from subscriptions.errors import ConsumerPaused
from subscriptions.feed.columns import Masks, apply_masks
from subscriptions.feed.load import PageLoader
from subscriptions.feed.page import MAX_ROWS, Form, Page, write_page
from subscriptions.feed.wake import Waker
from subscriptions.ground import check_position, load_own, load_own_consumer, verify_subscription
from subscriptions.model import DEFAULT_CONSUMER, Consumer, Subscription
from subscriptions.threads import run_sized

MAX_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of the feed. `after` None: what follows the consumer's last acknowledgement.

    `proof` None: the rows' digest for NDJSON, the body's for the columnar forms.
    """

    subscription_id: UUID
    consumer: str = DEFAULT_CONSUMER
    after: str | None = None
    limit_rows: int = 1000
    form: Form = Form.NDJSON
    proof: Proof | None = None

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
    subscription: Subscription
    consumer: Consumer
    grant: Grant
    resource: Resource


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
        async with self._database.transaction() as connection:
            await store.begin_snapshot(connection)
            subscription = await load_own(connection, caller=caller, subscription_id=wanted.subscription_id)
            consumer = await load_own_consumer(connection, subscription=subscription, name=wanted.consumer)
            if consumer.paused_at is not None:
                msg = f"this consumer is paused ({consumer.pause_reason}); resume it first"
                raise ConsumerPaused(msg)
            grant, resource = await verify_subscription(
                connection, subscription=subscription, purpose=purpose, now=self._now
            )
            call = _Call(
                caller=caller,
                purpose=purpose,
                wanted=wanted,
                subscription=subscription,
                consumer=consumer,
                grant=grant,
                resource=resource,
            )
            return await self._read_page(connection, call)

    async def _read_page(self, connection: Connection, call: _Call) -> Page:
        wanted, consumer, resource = call.wanted, call.consumer, call.resource
        from_cursor = consumer.acknowledged_cursor if wanted.after is None else wanted.after
        cursor = self._seal.parse(from_cursor, subscription_id=call.subscription.id, resource=resource)
        await check_position(connection, consumer=consumer, cursor=cursor, resource=resource)
        table, reached = await self._loader.load(
            connection,
            consumer=consumer,
            grant=call.grant,
            resource=resource,
            cursor=cursor,
            limit_rows=min(wanted.limit_rows, MAX_ROWS[wanted.form]),
        )
        next_cursor = self._seal.write(reached, subscription_id=call.subscription.id)
        key_names = tuple(item.name for item in resource.key_items)
        body, delivery = b"", None
        if table.num_rows or wanted.form is not Form.NDJSON:
            table = apply_masks(table, await self._choose_masks(connection, call))
            body = await run_sized(table.num_rows, write_page, table, wanted.form, key_names=key_names)
        if table.num_rows:
            delivery = await self._manifests.make(
                subscription=call.subscription,
                consumer=consumer,
                grant=call.grant,
                table=table,
                body=body,
                form=wanted.form,
                proof=wanted.chosen_proof,
                from_cursor=from_cursor,
                to_cursor=next_cursor,
            )
            await self._record(connection, call, delivery)
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
            delivery_id=None if delivery is None else delivery.id,
            receipt=b"" if delivery is None else delivery.receipt,
        )

    async def _choose_masks(self, connection: Connection, call: _Call) -> Masks:
        return self._masker.choose(
            call.grant.terms,
            await load_mask_rules(connection, resource_code=call.resource.code),
            service_item=call.purpose.service_item,
            organisation_code=call.caller.organisation_code,
        )

    async def _record(self, connection: Connection, call: _Call, delivery: Delivery) -> None:
        await save_delivery(connection, delivery=delivery)
        items = list(call.grant.open_items(call.resource))
        await self._log.append(
            connection,
            event=Event.CHANGES_READ,
            caller=call.caller,
            purpose=call.purpose,
            resource_code=call.resource.code,
            grant_id=call.grant.id,
            subject=name_mass_reading(call.resource.code),
            details={**describe(delivery, call.subscription.id), "items": items},
        )
