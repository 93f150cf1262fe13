"""The rules of subscriptions: begin one, give it more consumers, pause, rewind and skip."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import BadInput, Conflict, FieldError, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access.model import Grant, Mode
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource, verify_grant
from exchange.access.store import load_grant
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from subscriptions import store
from subscriptions.cursor import CursorSeal
from subscriptions.feed.store import load_oldest_kept
from subscriptions.ground import (
    Grounds,
    check_kept,
    check_position,
    load_own,
    load_own_consumer,
    verify_holder,
    verify_keys,
    verify_subscribable,
    verify_subscription,
)
from subscriptions.model import (
    DEFAULT_CONSUMER,
    Consumer,
    Cursor,
    Kind,
    Position,
    Standing,
    Start,
    Subscription,
    rank,
)

MAX_CONSUMERS: Final = 50
MAX_REASON_CHARACTERS: Final = 500
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)


class SubscriptionService:
    """Begins subscriptions under grants of mode subscribe, and moves their consumers."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        seal: CursorSeal,
        grounds: Grounds,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._seal = seal
        self._grounds = grounds
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
        """Begin a subscription under a grant, named or found by its resource, with one consumer.

        `start` NOW gives the changes after the present version; START first all rows of the present
        version, then the changes after it; a number the changes after that version. Raises GrantMissing,
        NotFound, BadInput or VersionsPruned.
        """
        async with self.creating(caller, purpose, resource_code) as connection:
            return await self.create_on(
                connection,
                caller=caller,
                purpose=purpose,
                grant_id=grant_id,
                resource_code=resource_code,
                start=start,
                kind=Kind.CHANGES,
            )

    @asynccontextmanager
    async def creating(
        self, caller: Caller, purpose: Purpose, resource_code: str | None
    ) -> AsyncIterator[Connection]:
        """Open the transaction in which a subscription begins; a refusal is put on record."""
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="subscribe"
        )
        async with watch, self._database.transaction() as connection:
            yield connection

    async def create_on(
        self,
        connection: Connection,
        *,
        caller: Caller,
        purpose: Purpose,
        grant_id: UUID | None,
        resource_code: str | None,
        start: Start | int,
        kind: Kind,
    ) -> Standing:
        """Do what `create` does in a transaction of the caller's."""
        grant, resource = await self._find_grant(
            connection, caller=caller, purpose=purpose, grant_id=grant_id, resource_code=resource_code
        )
        subscription = Subscription(
            id=uuid4(),
            grant_id=grant.id,
            resource_code=resource.code,
            organisation_code=caller.organisation_code,
            kind=kind,
            created_at=self._now(),
        )
        consumer = await self._place(connection, subscription, DEFAULT_CONSUMER, resource, start)
        await store.save_subscription(connection, subscription=subscription)
        await store.save_consumer(connection, consumer=consumer)
        await self._log.append(
            connection,
            event=Event.SUBSCRIPTION_CREATED,
            caller=caller,
            purpose=purpose,
            resource_code=resource.code,
            grant_id=grant.id,
            details={
                "subscription": str(subscription.id),
                "start": str(start),
                "version": resource.current_version,
                "kind": str(kind),
            },
        )
        return await self._standing(connection, subscription, consumer.name)

    async def list_own(self, *, caller: Caller) -> list[Standing]:
        """List the consumers of the subscriptions of the caller's organisation with their lag."""
        async with self._database.acquire() as connection:
            return await store.load_standings(
                connection, organisation_code=caller.organisation_code, at=self._now()
            )

    async def list_consumers(self, *, caller: Caller, subscription_id: UUID) -> list[Standing]:
        """List the consumers of one subscription with their lag."""
        async with self._database.acquire() as connection:
            subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
            return await store.load_standings(
                connection,
                organisation_code=caller.organisation_code,
                subscription_id=subscription.id,
                at=self._now(),
            )

    async def find(self, *, caller: Caller, subscription_id: UUID, consumer: str) -> Standing:
        """Return one consumer with its lag. Raises NotFound."""
        async with self._database.acquire() as connection:
            subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
            await load_own_consumer(connection, subscription=subscription, name=consumer)
            return await self._standing(connection, subscription, consumer)

    async def add_consumer(
        self, *, caller: Caller, subscription_id: UUID, name: str, start: Start | int
    ) -> Standing:
        """Give a subscription another consumer, with a cursor of its own.

        Raises SchemaViolation for a name that will not do, Conflict for one that is taken.
        """
        async with self._database.transaction() as connection:
            return await self.begin_consumer(
                connection, caller=caller, subscription_id=subscription_id, name=name, start=start
            )

    async def begin_consumer(
        self,
        connection: Connection,
        *,
        caller: Caller,
        subscription_id: UUID,
        name: str,
        start: Start | int,
    ) -> Standing:
        """Do what `add_consumer` does in a transaction of the caller's."""
        if not _NAME.fullmatch(name):
            msg = "a consumer's name has 1 to 40 small letters, digits, _ and -, beginning with a letter"
            raise SchemaViolation(msg, errors=(FieldError(pointer="/name", code="NAME", detail=msg),))
        subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
        _, resource = await verify_subscription(
            connection, subscription=subscription, purpose=None, now=self._now
        )
        if await store.count_consumers(connection, subscription_id=subscription.id) >= MAX_CONSUMERS:
            msg = f"a subscription has at most {MAX_CONSUMERS} consumers"
            raise Conflict(msg)
        consumer = await self._place(connection, subscription, name, resource, start)
        if not await store.save_consumer(connection, consumer=consumer):
            msg = "the subscription has a consumer of that name already"
            raise Conflict(msg)
        await self._record(connection, caller, subscription, name, act="added", reason=f"from {start}")
        return await self._standing(connection, subscription, name)

    async def remove_consumer(self, *, caller: Caller, subscription_id: UUID, name: str, reason: str) -> None:
        """Remove a consumer with its history; what it has not read is not kept for it any more."""
        async with self._database.transaction() as connection:
            subscription, consumer = await self._take(connection, caller, subscription_id, name, reason)
            if name == DEFAULT_CONSUMER:
                msg = "the consumer `default` stays as long as the subscription does"
                raise Conflict(msg)
            await store.delete_consumer(connection, consumer_id=consumer.id)
            await self._record(connection, caller, subscription, name, act="removed", reason=reason)

    async def pause(self, *, caller: Caller, subscription_id: UUID, name: str, reason: str) -> Standing:
        """Hand nothing to a consumer until it is resumed."""
        async with self._database.transaction() as connection:
            subscription, consumer = await self._take(connection, caller, subscription_id, name, reason)
            await store.save_pause(connection, consumer_id=consumer.id, paused_at=self._now(), reason=reason)
            await self._record(connection, caller, subscription, name, act="paused", reason=reason)
            return await self._standing(connection, subscription, name)

    async def resume(self, *, caller: Caller, subscription_id: UUID, name: str, reason: str) -> Standing:
        """Let a paused consumer go on from where it was."""
        async with self._database.transaction() as connection:
            subscription, consumer = await self._take(connection, caller, subscription_id, name, reason)
            await store.save_pause(connection, consumer_id=consumer.id, paused_at=None, reason=None)
            await self._record(connection, caller, subscription, name, act="resumed", reason=reason)
            return await self._standing(connection, subscription, name)

    async def rewind(
        self, *, caller: Caller, subscription_id: UUID, name: str, start: Start | int, reason: str
    ) -> Standing:
        """Let a consumer begin anew, with all rows (START) or after a version that is still kept (replay)."""
        async with self._database.transaction() as connection:
            subscription, consumer = await self._take(connection, caller, subscription_id, name, reason)
            _, resource = await verify_subscription(
                connection, subscription=subscription, purpose=None, now=self._now
            )
            placed = await self._place(connection, subscription, name, resource, start)
            if isinstance(start, int) and consumer.acknowledged_epoch < placed.acknowledged_epoch:
                msg = "the grant's row filter changed: first acknowledge what left it, or rewind to `start`"
                raise Conflict(msg)
            await store.move_consumer(
                connection,
                consumer_id=consumer.id,
                position=placed.acknowledged,
                epoch=placed.acknowledged_epoch,
                cursor=placed.acknowledged_cursor,
                snapshot_version=placed.snapshot_version,
            )
            await self._record(
                connection, caller, subscription, name, act="rewound", reason=reason, to=placed.acknowledged
            )
            return await self._standing(connection, subscription, name)

    async def skip(
        self, *, caller: Caller, subscription_id: UUID, name: str, cursor: str, reason: str
    ) -> Standing:
        """Go past changes that a consumer cannot take, up to a cursor; the log keeps who, what and why."""
        async with self._database.transaction() as connection:
            subscription, consumer = await self._take(connection, caller, subscription_id, name, reason)
            ground = await self._grounds.load(
                connection, caller=caller, subscription_id=subscription_id, consumer=name
            )
            ground.verify(purpose=None, at=self._now())
            read = self._seal.parse(cursor, subscription_id=subscription_id, resource=ground.resource)
            await check_position(connection, ground=ground, cursor=read)
            held = rank(consumer.acknowledged, consumer.acknowledged_epoch)
            if rank(read.position, read.epoch) <= held:
                msg = "a skip goes forward; to read changes again, rewind"
                raise Conflict(msg)
            await store.save_place(
                connection,
                consumer_id=consumer.id,
                position=read.position,
                epoch=read.epoch,
                cursor=cursor,
                at=self._now(),
            )
            await self._record(
                connection, caller, subscription, name, act="skipped", reason=reason, to=read.position
            )
            return await self._standing(connection, subscription, name)

    async def _take(
        self, connection: Connection, caller: Caller, subscription_id: UUID, name: str, reason: str
    ) -> tuple[Subscription, Consumer]:
        errors = check_text("/reason", reason, max_characters=MAX_REASON_CHARACTERS)
        if errors:
            msg = "say why"
            raise SchemaViolation(msg, errors=tuple(errors))
        subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
        consumer = await load_own_consumer(connection, subscription=subscription, name=name, for_update=True)
        return subscription, consumer

    async def _place(
        self,
        connection: Connection,
        subscription: Subscription,
        name: str,
        resource: Resource,
        start: Start | int,
    ) -> Consumer:
        """Build a consumer at its start. Raises BadInput or VersionsPruned for a version that will not do."""
        current = resource.current_version
        if isinstance(start, int) and not 0 <= start <= current:
            msg = f"the resource has the versions 1 to {current}; begin after one of them, or after 0"
            raise BadInput(msg)
        if start is Start.START:
            position = Position(version=current, sequence=0)
        else:
            position = Position(version=(current if start is Start.NOW else int(start)) + 1, sequence=0)
            oldest = await load_oldest_kept(connection, resource_code=resource.code)
            await check_kept(connection, version=max(1, position.version), resource=resource, oldest=oldest)
        epoch = await store.load_epoch(connection, grant_id=subscription.grant_id)
        cursor = Cursor(position=position, epoch=epoch)
        return Consumer(
            id=uuid4(),
            subscription_id=subscription.id,
            name=name,
            snapshot_version=current if start is Start.START else None,
            acknowledged=position,
            acknowledged_epoch=epoch,
            acknowledged_cursor=self._seal.write(cursor, subscription_id=subscription.id),
            created_at=self._now(),
        )

    async def _record(
        self,
        connection: Connection,
        caller: Caller,
        subscription: Subscription,
        name: str,
        *,
        act: str,
        reason: str,
        to: Position | None = None,
    ) -> None:
        details = {"subscription": str(subscription.id), "consumer": name, "act": act, "reason": reason}
        await self._log.append(
            connection,
            event=Event.CONSUMER_CHANGED,
            caller=caller,
            resource_code=subscription.resource_code,
            grant_id=subscription.grant_id,
            details=details if to is None else details | {"to": str(to)},
        )

    async def _standing(self, connection: Connection, subscription: Subscription, name: str) -> Standing:
        standings = await store.load_standings(
            connection, organisation_code=None, subscription_id=subscription.id, at=self._now()
        )
        return next(standing for standing in standings if standing.consumer.name == name)

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
            grant = verify_holder(await load_grant(connection, grant_id=grant_id), caller.organisation_code)
            resource = await load_known_resource(connection, code=grant.resource_code)
            verify_subscribable(grant, purpose=purpose, at=self._now())
            verify_open(resource, at=self._now())
        verify_keys(grant, resource)
        return grant, resource
