"""The rules of subscriptions: begin, read, wait, acknowledge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import BadInput, Conflict, FieldError, GrantMissing, NotFound, SchemaViolation
from core.log.chain import name_mass_reading
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.masks import Masker
from exchange.access.model import Grant, Mode
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource, verify_grant
from exchange.access.row_filter import parse_row_filter
from exchange.access.store import load_grant, load_mask_rules
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from subscriptions import store
from subscriptions.cursor import CursorSeal
from subscriptions.model import Change, Cursor, Page, Position, Standing, Start, Subscription

POLL_S: Final = 0.2
MAX_WAIT_S: Final = 30.0


class SubscriptionService:
    """Serves the changes of resources under grants of mode subscribe."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        cursor_key: bytes,
        now: Callable[[], datetime],
        masker: Masker | None = None,
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._seal = CursorSeal(cursor_key)
        self._masker = masker or Masker(cursor_key)
        self._now = now

    async def create(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        grant_id: UUID | None,
        resource_code: str | None,
        start: Start | int,
    ) -> Standing:
        """Begin a subscription under a grant, named or found by its resource.

        `start` NOW gives the changes after the present version; START first all rows of the present
        version, then the changes after it; a number the changes after that version. Raises GrantMissing,
        NotFound or BadInput.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="subscribe"
        )
        async with watch, self._database.transaction() as connection:
            grant, resource = await self._find_grant(
                connection, caller=caller, purpose=purpose, grant_id=grant_id, resource_code=resource_code
            )
            current = resource.current_version
            if isinstance(start, int) and not 0 <= start <= current:
                msg = f"the resource has the versions 1 to {current}; begin after one of them, or after 0"
                raise BadInput(msg)
            snapshot_version = current if start is Start.START else None
            if start is Start.START:
                position = Position(version=current, sequence=0)
            else:
                position = Position(version=(current if start is Start.NOW else int(start)) + 1, sequence=0)
            subscription_id = uuid4()
            subscription = Subscription(
                id=subscription_id,
                grant_id=grant.id,
                resource_code=resource.code,
                organisation_code=caller.organisation_code,
                snapshot_version=snapshot_version,
                acknowledged=position,
                acknowledged_cursor=self._seal.write(
                    Cursor(position=position), subscription_id=subscription_id
                ),
                created_at=self._now(),
            )
            await store.save_subscription(connection, subscription=subscription)
            await self._log.append(
                connection,
                event=Event.SUBSCRIPTION_CREATED,
                caller=caller,
                purpose=purpose,
                resource_code=resource.code,
                grant_id=grant.id,
                details={"subscription": str(subscription_id), "start": str(start), "version": current},
            )
        return Standing(subscription=subscription, current_version=current, is_granted=True)

    async def list_own(self, *, caller: Caller) -> list[Standing]:
        """List the subscriptions of the caller's organisation with their lag."""
        async with self._database.acquire() as connection:
            return await store.load_standings(
                connection, organisation_code=caller.organisation_code, at=self._now()
            )

    async def read(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        subscription_id: UUID,
        after: str | None,
        limit_rows: int,
        wait_s: float,
    ) -> Page:
        """Read the changes after the cursor `after`, or after what was acknowledged.

        Where there is none, wait up to `wait_s` for some. The grant is looked at on every look into the
        database, so that its end ends a waiting call too. Raises NotFound, GrantMissing, BadInput.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=None, action="changes.read"
        )
        deadline = time.monotonic() + min(wait_s, MAX_WAIT_S)
        async with watch:
            while True:
                page = await self._read_once(
                    caller=caller,
                    purpose=purpose,
                    subscription_id=subscription_id,
                    after=after,
                    limit_rows=limit_rows,
                )
                left_s = deadline - time.monotonic()
                if page.changes or left_s <= 0:
                    return page
                await asyncio.sleep(min(POLL_S, left_s))

    async def acknowledge(self, *, caller: Caller, subscription_id: UUID, cursor: str) -> Standing:
        """Record that everything up to `cursor` has been taken over; acknowledging it again changes nothing.

        Raises Conflict for a cursor before the last one acknowledged or beyond what there is, BadInput for
        what is no cursor, GrantMissing where the grant has ended.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=None, resource_code=None, action="changes.acknowledge"
        )
        async with watch, self._database.transaction() as connection:
            subscription = await self._load_own(connection, caller, subscription_id, for_update=True)
            grant = await self._verify_grant_of(connection, subscription, purpose=None)
            resource = await load_known_resource(connection, code=subscription.resource_code)
            read = self._seal.parse(cursor, subscription_id=subscription_id, resource=resource)
            await self._check_position(
                connection, subscription, read, current_version=resource.current_version
            )
            if read.position < subscription.acknowledged:
                msg = "a later cursor was acknowledged before; acknowledgements only go forward"
                raise Conflict(msg)
            acknowledged_at = self._now()
            await store.save_acknowledgement(
                connection,
                subscription_id=subscription_id,
                position=read.position,
                cursor=cursor,
                acknowledged_at=acknowledged_at,
            )
            await self._log.append(
                connection,
                event=Event.CHANGES_ACKNOWLEDGED,
                caller=caller,
                resource_code=resource.code,
                grant_id=grant.id,
                details={
                    "subscription": str(subscription_id),
                    "version": read.position.version,
                    "sequence": read.position.sequence,
                },
            )
            found = await self._load_own(connection, caller, subscription_id)
        return Standing(subscription=found, current_version=resource.current_version, is_granted=True)

    async def _read_once(
        self, *, caller: Caller, purpose: Purpose, subscription_id: UUID, after: str | None, limit_rows: int
    ) -> Page:
        async with self._database.transaction() as connection:
            await store.begin_snapshot(connection)
            subscription = await self._load_own(connection, caller, subscription_id)
            grant = await self._verify_grant_of(connection, subscription, purpose=purpose)
            resource = await load_known_resource(connection, code=subscription.resource_code)
            cursor = self._seal.parse(
                subscription.acknowledged_cursor if after is None else after,
                subscription_id=subscription_id,
                resource=resource,
            )
            await self._check_position(
                connection, subscription, cursor, current_version=resource.current_version
            )
            changes, reached = await _load_page(
                connection, subscription, resource, grant, cursor, limit_rows=limit_rows
            )
            if changes:
                await self._log.append(
                    connection,
                    event=Event.CHANGES_READ,
                    caller=caller,
                    purpose=purpose,
                    resource_code=resource.code,
                    grant_id=grant.id,
                    subject=name_mass_reading(resource.code),
                    details={
                        "subscription": str(subscription_id),
                        "items": list(grant.open_items(resource)),
                        "rows": len(changes),
                        "from": _describe(changes[0].position),
                        "to": _describe(changes[-1].position),
                    },
                )
            masks = self._masker.choose(
                grant.terms,
                await load_mask_rules(connection, resource_code=resource.code),
                service_item=purpose.service_item,
                organisation_code=caller.organisation_code,
            )
        return Page(
            changes=tuple(_mask(change, masks) for change in changes),
            next_cursor=self._seal.write(reached, subscription_id=subscription_id),
            current_version=resource.current_version,
        )

    async def _find_grant(
        self,
        connection: Connection,
        *,
        caller: Caller,
        purpose: Purpose,
        grant_id: UUID | None,
        resource_code: str | None,
    ) -> tuple[Grant, Resource]:
        if (grant_id is None) == (resource_code is None):
            msg = "name grant_id or resource, one of the two"
            raise SchemaViolation(msg, errors=(FieldError(pointer="/grant_id", code="ONE-OF", detail=msg),))
        if resource_code is not None:
            resource = await load_known_resource(connection, code=resource_code)
            grant = await verify_grant(
                connection,
                resource=resource,
                caller=caller,
                purpose=purpose,
                mode=Mode.SUBSCRIBE,
                wanted=(),
                at=self._now(),
            )
        else:
            assert grant_id is not None
            named = await load_grant(connection, grant_id=grant_id)
            if named is None or named.organisation_code != caller.organisation_code:
                msg = "there is no grant of that id that this organisation holds"
                raise NotFound(msg)
            grant = named
            resource = await load_known_resource(connection, code=grant.resource_code)
            self._verify_subscribable(grant, purpose=purpose)
            verify_open(resource, at=self._now())
        _verify_keys(grant, resource)
        return grant, resource

    async def _load_own(
        self, connection: Connection, caller: Caller, subscription_id: UUID, *, for_update: bool = False
    ) -> Subscription:
        found = await store.load_subscription(
            connection, subscription_id=subscription_id, for_update=for_update
        )
        if found is None or found.organisation_code != caller.organisation_code:
            msg = "there is no subscription of that id that this organisation holds"
            raise NotFound(msg)
        return found

    async def _verify_grant_of(
        self, connection: Connection, subscription: Subscription, *, purpose: Purpose | None
    ) -> Grant:
        grant = await load_grant(connection, grant_id=subscription.grant_id)
        assert grant is not None
        self._verify_subscribable(grant, purpose=purpose)
        resource = await load_known_resource(connection, code=grant.resource_code)
        verify_open(resource, at=self._now())
        _verify_keys(grant, resource)
        return grant

    def _verify_subscribable(self, grant: Grant, *, purpose: Purpose | None) -> None:
        serves = purpose is None or grant.serves(purpose.service_item)
        if not grant.is_in_force(self._now()) or Mode.SUBSCRIBE not in grant.terms.modes or not serves:
            msg = "the grant has ended, or does not allow following changes for this service item"
            raise GrantMissing(msg)

    async def _check_position(
        self, connection: Connection, subscription: Subscription, cursor: Cursor, *, current_version: int
    ) -> None:
        """Raise Conflict for a position that the feed does not have."""
        position = cursor.position
        if cursor.snapshot_key is not None or position.sequence == 0:
            exists = position.version <= current_version + 1
        elif position.version == subscription.snapshot_version:
            msg = "inside the snapshot only whole cursors will do; hand back Shuzheng-Next-Cursor as it was"
            raise BadInput(msg)
        else:
            exists = await store.change_exists(
                connection, resource_code=subscription.resource_code, position=position
            )
        if not exists:
            msg = "the cursor lies beyond what there is"
            raise Conflict(msg)


def _mask(change: Change, masks: Mapping[str, Callable[[object], str | None]]) -> Change:
    """Show a change as its grant and purpose have it masked, as any other answer."""
    if not masks:
        return change

    def show(values: Mapping[str, object]) -> dict[str, object]:
        return {name: masks[name](value) if name in masks else value for name, value in values.items()}

    return replace(change, key=show(change.key), row=None if change.row is None else show(change.row))


async def _load_page(
    connection: Connection,
    subscription: Subscription,
    resource: Resource,
    grant: Grant,
    cursor: Cursor,
    *,
    limit_rows: int,
) -> tuple[list[Change], Cursor]:
    """Load up to `limit_rows` changes after `cursor`, and the cursor after the last of them."""
    keys = [item.name for item in resource.key_items]
    items = grant.open_items(resource)
    row_filter = parse_row_filter(resource, grant.terms.row_filter)
    position = cursor.position
    changes: list[Change] = []
    if position.version == subscription.snapshot_version:
        changes = await store.load_snapshot(
            connection,
            resource_code=resource.code,
            version=position.version,
            key_items=keys,
            items=items,
            row_filter=row_filter,
            after_key=cursor.snapshot_key,
            first_sequence=position.sequence + 1,
            limit_rows=limit_rows,
        )
        if len(changes) == limit_rows:
            last = changes[-1]
            return changes, Cursor(position=last.position, snapshot_key=tuple(last.key.values()))
        position = Position(version=position.version + 1, sequence=0)
    changes += await store.load_changes(
        connection,
        resource_code=resource.code,
        after=position,
        to_version=resource.current_version,
        key_items=keys,
        items=items,
        row_filter=row_filter,
        limit_rows=limit_rows - len(changes),
    )
    if len(changes) == limit_rows:
        return changes, Cursor(position=changes[-1].position)
    end = Position(version=resource.current_version + 1, sequence=0)
    return changes, Cursor(position=max(position, end))


def _verify_keys(grant: Grant, resource: Resource) -> None:
    missing = {item.name for item in resource.key_items} - set(grant.open_items(resource))
    if missing:
        msg = f"changes are told by key, and the grant does not cover {', '.join(sorted(missing))}"
        raise GrantMissing(msg)


def _describe(position: Position) -> str:
    return f"{position.version}.{position.sequence}"
