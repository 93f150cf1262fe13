"""Pruning: partitions of change logs whose time is over, expired uploads, old answers, files left behind.

A partition goes when all its versions are older than the retention, have been accounted for, and no
subscriber in force has still to read one of them.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from core.database import Connection, Database
from core.errors import ShuzhengError
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.publish import store_retention as store
from exchange.publish import store_rows
from exchange.publish.uploads import UploadService

ANSWERS_KEPT = timedelta(days=7)
LEFT_BEHIND_S = 24 * 3600
INTERVAL_S = 3600.0
Needed = Callable[[Connection, str], Awaitable[int | None]]
logger = logging.getLogger(__name__)


class Retention:
    """Prunes hourly. `needed_after` tells the version up to which all subscribers of a resource have read."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        uploads: UploadService,
        spool_dir: Path,
        keep_days: int,
        needed_after: Needed,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._uploads = uploads
        self._spool_dir = spool_dir
        self._keep_days = keep_days
        self._needed_after = needed_after
        self._now = now

    async def run(self) -> None:
        """Prune until cancelled."""
        while True:
            try:
                await self.prune()
            except (ShuzhengError, OSError, asyncpg.PostgresError) as trouble:
                logger.warning("pruning waits: %s", type(trouble).__name__)
            await asyncio.sleep(INTERVAL_S)

    async def prune(self) -> list[str]:
        """Prune everything once; return the partitions that went."""
        await self._uploads.delete_expired()
        async with self._database.transaction() as connection:
            await store_rows.delete_answers(connection, before=self._now() - ANSWERS_KEPT)
        await asyncio.to_thread(self._clear_spool)
        cutoff = self._now() - timedelta(days=self._keep_days)
        async with self._database.acquire() as connection:
            ripe = await store.load_ripe_partitions(connection, cutoff=cutoff)
        gone, waiting = [], set()
        for partition in ripe:
            # PostgreSQL detaches one partition of a table at a time.
            if partition.resource_code not in waiting and await self._drop(partition):
                gone.append(partition.name)
            else:
                waiting.add(partition.resource_code)
        return gone

    async def _drop(self, partition: store.Partition) -> bool:
        async with self._database.acquire() as connection:
            needed = await self._needed_after(connection, partition.resource_code)
            if needed is not None and needed < partition.last_version:
                return False
            if not await store.detach(connection, partition=partition):
                return False
        async with self._database.transaction() as connection:
            await store.drop(connection, partition=partition)
            await self._log.append(
                connection,
                event=Event.CHANGES_PRUNED,
                caller=None,
                resource_code=partition.resource_code,
                details={"from": partition.first_version, "to": partition.last_version},
            )
        return True

    def _clear_spool(self) -> None:
        """Remove what hubs that were killed left in the spool folder."""
        oldest = time.time() - LEFT_BEHIND_S
        for folder in self._spool_dir.iterdir():
            if folder.is_dir() and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
