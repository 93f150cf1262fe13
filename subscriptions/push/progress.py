"""What workers write down: leases, keys of messages under way, successes, failures, dead letters.

Each act begins by holding the lease in its transaction, so that a worker that has lost it changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from random import Random, SystemRandom
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller
from core.database import Connection, Database
from core.errors import ShuzhengError
from core.identity.acting import load_caller
from core.identity.model import CredentialId
from core.log.model import Event
from core.log.writer import LogWriter
from subscriptions.delivery.countersign import find_signer, load_keys
from subscriptions.delivery.manifest import place_at
from subscriptions.delivery.store import acknowledge_one, save_countersignature
from subscriptions.feed.page import Page
from subscriptions.push import store
from subscriptions.push.model import (
    NOT_COUNTERSIGNED,
    Brought,
    DeadLetter,
    DeliveryFailed,
    Target,
    TargetDown,
    TargetState,
)
from subscriptions.store import save_place

LEASE_S: Final = 20.0
BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 900.0
MAX_REFUSALS: Final = 5


class Progress:
    """The book that workers keep. `random` spreads the attempts (jitter)."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        now: Callable[[], datetime],
        lease_s: float = LEASE_S,
        backoff_s: float = BACKOFF_S,
        random: Random | None = None,
    ) -> None:
        self._database = database
        self._log = log
        self._now = now
        self._lease_s = lease_s
        self._backoff_s = backoff_s
        self._random = random or SystemRandom()

    async def claim(self, *, owner: UUID, limit: int) -> list[Target]:
        """Lease targets that something is due for."""
        async with self._database.transaction() as connection:
            return await store.claim_targets(connection, owner=owner, lease_s=self._lease_s, limit=limit)

    async def hold(self, target_id: UUID, owner: UUID) -> Target | None:
        """Renew a lease; None where it was lost, or the target was stopped or paused."""
        async with self._holding(target_id, owner) as (_, target):
            return target

    async def keep(self, target_id: UUID, owner: UUID) -> None:
        """Renew a lease until cancelled: it outlasts slow targets, and not the death of this process."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            with suppress(ShuzhengError):
                await self.hold(target_id, owner)

    async def release(self, target_id: UUID, owner: UUID) -> None:
        """Give a lease back; where that does not work it runs out by itself."""
        try:
            async with self._database.acquire() as connection:
                await store.release(connection, target_id=target_id, owner=owner)
        except ShuzhengError:
            return

    async def find_caller(self, target: Target) -> Caller | None:
        """Return for whom the target is served; None where that system or its organisation is suspended."""
        async with self._database.acquire() as connection:
            return await load_caller(connection, system_id=target.system_id)

    async def wanted_letters(self, target: Target) -> list[DeadLetter]:
        """List the dead letters that are to be sent again."""
        async with self._database.acquire() as connection:
            return await store.load_dead_letters(connection, target_id=target.id, only_wanted=True)

    async def remember(self, target: Target, owner: UUID, *, key: UUID, rows: int, sm3: str) -> bool:
        """Remember what is about to be sent; False where the lease was lost."""
        async with self._holding(target.id, owner) as (connection, held):
            if held is not None:
                await store.save_pending(connection, target_id=target.id, key=key, rows=rows, sm3=sm3)
            return held is not None

    async def advance(self, target: Target, owner: UUID, page: Page) -> None:
        """Move past versions that hold nothing for the consumer."""
        async with self._holding(target.id, owner) as (connection, held):
            if held is not None:
                await self._move(connection, target, page)

    async def find_signer(self, target: Target, page: Page, signature: bytes | None) -> CredentialId | None:
        """Find the key by which a target countersigned. Raises TargetDown where the signature is nobody's."""
        if signature is None:
            return None
        async with self._database.acquire() as connection:
            keys = await load_keys(connection, system_id=target.system_id, at=self._now())
        signer = find_signer(keys, signature=signature, manifest=page.manifest)
        if signer is None:
            raise TargetDown(NOT_COUNTERSIGNED)
        return signer

    async def succeed(self, target: Target, owner: UUID, page: Page, brought: Brought) -> bool:
        """Record that a page was taken; False where the lease was lost meanwhile, so that it comes again."""
        async with self._holding(target.id, owner) as (connection, held):
            if held is None or page.delivery_id is None:
                return False
            at = self._now()
            await self._move(connection, target, page)
            signed = await self._settle(connection, page, brought)
            await store.save_success(connection, target_id=target.id, at=at)
            details = {
                "version": page.reached.version,
                "sequence": page.reached.sequence,
                "deliveries": 1,
                "countersigned": signed,
            }
            await self._record(connection, Event.CHANGES_ACKNOWLEDGED, target, page.resource_code, details)
            return True

    async def fail(
        self,
        target: Target,
        owner: UUID,
        page: Page,
        key: UUID,
        failed: DeliveryFailed,
        *,
        is_refusal: bool,
    ) -> bool:
        """Let a target wait, or park what it refused once too often; tell whether to go on at once."""
        async with self._holding(target.id, owner) as (connection, held):
            if held is None:
                return False
            if is_refusal and held.failures + 1 >= MAX_REFUSALS:
                await self._park(connection, held, page, key, failed.reason)
                return True
            wait_s = self.backoff(held.failures, failed)
            await store.save_failure(
                connection, target_id=target.id, reason=failed.reason, wait_s=wait_s, at=self._now()
            )
            return False

    async def fail_quietly(self, target_id: UUID, owner: UUID) -> None:
        """Let a target wait after an error of our own."""
        async with self._holding(target_id, owner) as (connection, held):
            if held is not None:
                await store.save_failure(
                    connection,
                    target_id=target_id,
                    reason="the hub failed to bring the changes; see its log",
                    wait_s=self.backoff(held.failures, None),
                    at=self._now(),
                )

    async def stop(self, target: Target, owner: UUID, reason: str) -> None:
        """Stop a target until its owner lets it go on."""
        async with self._holding(target.id, owner) as (connection, held):
            if held is None:
                return
            await store.save_state(connection, target_id=target.id, state=TargetState.STOPPED, reason=reason)
            details = {"act": "stopped", "kind": str(target.kind), "reason": reason}
            await self._record(connection, Event.TARGET_CHANGED, target, None, details)

    async def settle_letter(
        self, target: Target, owner: UUID, letter: DeadLetter, page: Page | None, brought: Brought
    ) -> None:
        """Record how sending a dead letter again went; `page` is None where it could not be read."""
        failed = brought.failed
        async with self._holding(target.id, owner) as (connection, held):
            if held is None:
                return
            if failed is None:
                assert page is not None
                await self._settle(connection, page, brought)
                await store.save_redriven(
                    connection, letter_id=letter.id, redriven_at=self._now(), reason=None
                )
                await self._record(connection, Event.CHANGES_REDRIVEN, target, None, describe_letter(letter))
            elif isinstance(failed, TargetDown):
                wait_s = self.backoff(held.failures, failed)
                await store.save_failure(
                    connection, target_id=target.id, reason=failed.reason, wait_s=wait_s, at=self._now()
                )
            else:
                await store.save_redriven(
                    connection, letter_id=letter.id, redriven_at=None, reason=failed.reason
                )

    def backoff(self, failures: int, failed: DeliveryFailed | None) -> float:
        """Return how long to wait after `failures` failures before this one: exponential, with jitter."""
        exponential: float = self._backoff_s * 2.0 ** min(failures, 20)
        wait_s = min(MAX_BACKOFF_S, exponential) * self._random.uniform(0.5, 1.0)
        return max(wait_s, (failed.retry_after_s if failed is not None else None) or 0.0)

    @asynccontextmanager
    async def _holding(self, target_id: UUID, owner: UUID) -> AsyncIterator[tuple[Connection, Target | None]]:
        async with self._database.transaction() as connection:
            yield (
                connection,
                await store.renew_lease(connection, target_id=target_id, owner=owner, lease_s=self._lease_s),
            )

    async def _settle(self, connection: Connection, page: Page, brought: Brought) -> int:
        """Mark a delivery as taken, countersigned where it was; return how many signatures those are."""
        if page.delivery_id is None:
            return 0
        await acknowledge_one(connection, delivery_id=page.delivery_id, at=self._now())
        if brought.countersignature is None or brought.signer is None:
            return 0
        await save_countersignature(
            connection,
            delivery_id=page.delivery_id,
            signature=brought.countersignature,
            credential_id=brought.signer,
        )
        return 1

    async def _move(self, connection: Connection, target: Target, page: Page) -> None:
        await save_place(
            connection,
            consumer_id=target.consumer_id,
            position=page.reached,
            epoch=page.epoch,
            cursor=page.next_cursor,
            at=self._now(),
        )

    async def _park(self, connection: Connection, target: Target, page: Page, key: UUID, reason: str) -> None:
        letter = DeadLetter(
            id=uuid4(),
            target_id=target.id,
            message_key=key,
            from_cursor=page.from_cursor,
            first=place_at(page.table, 0),
            last=place_at(page.table, page.table.num_rows - 1),
            rows=page.table.num_rows,
            attempts=target.failures + 1,
            reason=reason,
            is_announcement=page.is_announcement,
            parked_at=self._now(),
        )
        await store.save_dead_letter(connection, letter=letter)
        await self._move(connection, target, page)
        await store.save_success(connection, target_id=target.id, at=None)
        details = describe_letter(letter) | {"reason": reason}
        await self._record(connection, Event.CHANGES_PARKED, target, page.resource_code, details)

    async def _record(
        self,
        connection: Connection,
        event: Event,
        target: Target,
        resource_code: str | None,
        details: Mapping[str, object],
    ) -> None:
        await self._log.append(
            connection,
            event=event,
            caller=None,
            purpose=target.purpose,
            resource_code=resource_code,
            details={
                "subscription": str(target.subscription_id),
                "consumer": target.consumer,
                **details,
            },
        )


def describe_letter(letter: DeadLetter) -> dict[str, object]:
    """Describe a dead letter for a log leaf."""
    return {
        "letter": str(letter.id),
        "from": str(letter.first),
        "to": str(letter.last),
        "rows": letter.rows,
    }
