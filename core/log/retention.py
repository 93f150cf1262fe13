"""Dropping the payloads of old leaves, while the tree stays provable.

A dropped leaf keeps its place, its hash and its numbers in chains; who it was about and what was done is
gone. The act is itself a leaf that names how many were dropped and the digest of which, so that a leaf that
somebody deletes cannot pass for one that retention dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from core.caller import Caller
from core.database import Database
from core.errors import PreconditionFailed, ShuzhengError
from core.log import store, store_retention
from core.log.check_rows import build_drop_digest
from core.log.model import Event
from core.log.writer import LogWriter

logger = logging.getLogger("shuzheng.log")

LOOK_EVERY_S: Final = 3600.0
MAX_LEAVES_PER_ACT: Final = 100_000
LEAST_DAYS: Final = 183  # 网络安全法第二十一条: network logs are kept for six months at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What one retention act dropped; `leaf_id` is None where there was nothing to drop."""

    leaves: int
    leaf_id: UUID | None


class RetentionService:
    """Drops payloads by age."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def run_daily(self, *, keep_days: int) -> None:
        """Drop each day, until cancelled, what is older than `keep_days` days."""
        while True:
            try:
                await self.drop_expired(keep_days=keep_days)
            except ShuzhengError as trouble:
                logger.warning("the log's retention waits: %s", trouble.detail)
            except Exception as error:
                logger.error("the log's retention failed: %s", type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)

    async def drop_expired(self, *, keep_days: int) -> int:
        """Drop what is older than `keep_days` days at the day's beginning (UTC); return how many leaves.

        Several processes, or several calls on one day, drop once. Raises PreconditionFailed below 183 days.
        """
        today = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        return await self.drop_before(today - timedelta(days=keep_days))

    async def drop_before(self, before: datetime) -> int:
        """Drop all payloads recorded before a moment, in as many acts as it takes; return how many leaves."""
        dropped = 0
        while (act := await self.drop(before=before, caller=None)).leaves:
            dropped += act.leaves
        return dropped

    async def drop(self, *, before: datetime, caller: Caller | None) -> Dropped:
        """Drop the payloads of leaves in the tree recorded before a moment, up to 100,000 in one act.

        Leaves that other tables of the log are checked against stay. Raises PreconditionFailed for a moment
        that is not at least 183 days past.
        """
        latest = self._now() - timedelta(days=LEAST_DAYS)
        if before > latest:
            msg = f"leaves are kept for {LEAST_DAYS} days at least; name a day before {latest.date()}"
            raise PreconditionFailed(msg)
        async with self._database.transaction() as connection:
            await store.lock_sequencer(connection)
            indexes = await store_retention.load_droppable(
                connection, before=before, limit=MAX_LEAVES_PER_ACT
            )
            if not indexes:
                return Dropped(leaves=0, leaf_id=None)
            digest = build_drop_digest(await store_retention.load_places(connection, indexes=indexes))
            leaf_id = await self._log.append(
                connection,
                event=Event.PAYLOADS_DROPPED,
                caller=caller,
                details={
                    "before": before.isoformat(),
                    "leaves": len(indexes),
                    "first": indexes[0],
                    "last": indexes[-1],
                    "sm3": digest,
                },
            )
            await store_retention.drop_leaves(connection, indexes=indexes, dropped_with=leaf_id)
        return Dropped(leaves=len(indexes), leaf_id=leaf_id)
