"""The rules of targets: set one up, give it another secret, let it go on, send parked changes again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import FieldError, GrantMissing, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access.refusal import RefusalLog
from exchange.access.store import load_grant
from subscriptions.feed.page import MAX_ROWS, Form
from subscriptions.ground import load_own
from subscriptions.model import Start
from subscriptions.push import store
from subscriptions.push.check import check_address
from subscriptions.push.model import DeadLetter, Target, TargetKind, TargetState
from subscriptions.push.secret_box import SecretBox
from subscriptions.service import MAX_REASON_CHARACTERS, SubscriptionService

DEFAULT_BATCH_ROWS: Final = 1000
MAX_BATCH_ROWS: Final = 100_000


class TargetService:
    """Keeps the targets of subscriptions."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        subscriptions: SubscriptionService,
        secrets: SecretBox,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._subscriptions = subscriptions
        self._secrets = secrets
        self._now = now

    async def add(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        subscription_id: UUID,
        name: str,
        start: Start | int,
        kind: TargetKind,
        address: Mapping[str, object],
        secret: str | None,
        batch_rows: int,
    ) -> Target:
        """Set a target up, with a consumer of its own of the same name.

        What is brought to it is brought on behalf of the calling system, under the purpose of this call.
        Raises SchemaViolation, GrantMissing, NotFound, Conflict.
        """
        checked = check_address(kind, address, secret=secret)
        if kind is TargetKind.WEBHOOK and batch_rows > MAX_ROWS[Form.NDJSON]:
            msg = f"a webhook gets at most {MAX_ROWS[Form.NDJSON]} rows at once"
            error = FieldError(pointer="/batch_rows", code="TOO-MANY", detail=msg)
            raise SchemaViolation(msg, errors=(error,))
        watch = self._refusals.watch(caller=caller, purpose=purpose, resource_code=None, action="push")
        async with watch, self._database.transaction() as connection:
            standing = await self._subscriptions.begin_consumer(
                connection, caller=caller, subscription_id=subscription_id, name=name, start=start
            )
            grant = await load_grant(connection, grant_id=standing.subscription.grant_id)
            if grant is None or not grant.serves(purpose.service_item):
                msg = "the grant does not allow following changes for this service item"
                raise GrantMissing(msg)
            target_id = uuid4()
            target = Target(
                id=target_id,
                consumer_id=standing.consumer.id,
                subscription_id=subscription_id,
                consumer=name,
                kind=kind,
                address=checked,
                secret=self._secrets.seal(secret, target_id=target_id),
                system_id=caller.system_id,
                purpose=purpose,
                batch_rows=batch_rows,
                state=TargetState.ACTIVE,
                created_at=self._now(),
                next_attempt_at=self._now(),
            )
            await store.save_target(connection, target=target)
            await self._record(connection, caller, target, act="added", purpose=purpose)
        return target

    async def list_targets(self, *, caller: Caller, subscription_id: UUID) -> list[Target]:
        """List the targets of a subscription."""
        async with self._database.acquire() as connection:
            await load_own(connection, caller=caller, subscription_id=subscription_id)
            return await store.load_targets(connection, subscription_id=subscription_id)

    async def resume(self, *, caller: Caller, subscription_id: UUID, name: str, reason: str) -> Target:
        """Let a stopped target go on, or one that waits after failures try at once."""
        errors = check_text("/reason", reason, max_characters=MAX_REASON_CHARACTERS)
        if errors:
            msg = "say why"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            target = await self._load(connection, caller, subscription_id, name)
            await store.save_state(connection, target_id=target.id, state=TargetState.ACTIVE, reason=None)
            await self._record(connection, caller, target, act="resumed", reason=reason)
        return replace(target, state=TargetState.ACTIVE, state_reason=None, failures=0)

    async def replace_secret(self, *, caller: Caller, subscription_id: UUID, name: str, secret: str) -> None:
        """Give a target another secret; the former one is forgotten."""
        async with self._database.transaction() as connection:
            target = await self._load(connection, caller, subscription_id, name)
            check_address(target.kind, target.address, secret=secret)
            sealed = self._secrets.seal(secret, target_id=target.id)
            await store.save_secret(connection, target_id=target.id, secret=sealed)
            await self._record(connection, caller, target, act="given another secret")

    async def list_dead_letters(
        self, *, caller: Caller, subscription_id: UUID, name: str
    ) -> list[DeadLetter]:
        """List what a target refused and nobody has sent again yet."""
        async with self._database.acquire() as connection:
            target = await self._load(connection, caller, subscription_id, name)
            return await store.load_dead_letters(connection, target_id=target.id)

    async def redrive(
        self, *, caller: Caller, subscription_id: UUID, name: str, letters: list[UUID] | None
    ) -> int:
        """Have parked changes sent again, some or all, under their own keys; return how many letters."""
        async with self._database.transaction() as connection:
            target = await self._load(connection, caller, subscription_id, name)
            if letters is None:
                found = await store.load_dead_letters(connection, target_id=target.id)
                letters = [letter.id for letter in found]
            count = await store.want_redrive(
                connection, target_id=target.id, letter_ids=letters, at=self._now()
            )
            await self._record(connection, caller, target, act=f"asked to send {count} letters again")
        return count

    async def _load(self, connection: Connection, caller: Caller, subscription_id: UUID, name: str) -> Target:
        await load_own(connection, caller=caller, subscription_id=subscription_id)
        target = await store.load_target(connection, subscription_id=subscription_id, consumer=name)
        if target is None:
            msg = "the subscription has no target of that name"
            raise NotFound(msg)
        return target

    async def _record(
        self,
        connection: Connection,
        caller: Caller,
        target: Target,
        *,
        act: str,
        reason: str | None = None,
        purpose: Purpose | None = None,
    ) -> None:
        details = {
            "subscription": str(target.subscription_id),
            "consumer": target.consumer,
            "act": act,
            "kind": str(target.kind),
        }
        await self._log.append(
            connection,
            event=Event.TARGET_CHANGED,
            caller=caller,
            purpose=purpose,
            details=details if reason is None else details | {"reason": reason},
        )
