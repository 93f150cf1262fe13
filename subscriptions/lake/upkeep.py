"""Tending tables: joining small files, checkpoints, and removing what no kept version needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from core.database import Database
from core.errors import ShuzhengError
from core.log.model import Event
from core.log.writer import LogWriter
from subscriptions.lake import store
from subscriptions.lake.lease import Lease
from subscriptions.lake.place import LakePlace
from subscriptions.lake.table import LakeTable
from subscriptions.lake.writer import LakeWriter

INTERVAL_S: Final = 900.0
TENDED_EVERY: Final = timedelta(hours=6)
FEWEST_FILES: Final = 16
logger = logging.getLogger(__name__)


class LakeKeeper:
    """Tends tables, each under the lease that its writer takes too. Any number of hubs may run one."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        place: LakePlace,
        writer: LakeWriter,
        keep: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._place = place
        self._holder = writer.holder
        self._busy = writer.busy
        self._keep = keep
        self._now = now

    async def run(self) -> None:
        """Tend until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.tend_all()
            except (ShuzhengError, OSError) as trouble:
                logger.warning("the lake is not tended: %s", type(trouble).__name__)

    async def tend_all(self) -> int:
        """Tend the tables whose turn it is; return how many were."""
        now = self._now()
        async with self._database.acquire() as connection:
            codes = await store.load_untended(connection, before=now - TENDED_EVERY, at=now)
        tended = 0
        for code in codes:
            try:
                tended += await self.tend(code)
            except ShuzhengError as trouble:
                logger.warning("the table of %s is not tended: %s", code, trouble.code)
        return tended

    async def tend(self, code: str) -> bool:
        """Tend one table; False where another process holds it."""
        lease = Lease(database=self._database, code=code, holder=self._holder, busy=self._busy, now=self._now)
        async with lease.held() as is_held:
            table = await asyncio.to_thread(LakeTable.open, self._place, code) if is_held else None
            if table is None:
                return False
            kept_from = self._now() - self._keep
            joined = await asyncio.to_thread(lambda: table.compact(fewest_files=FEWEST_FILES))
            await asyncio.to_thread(table.checkpoint)
            # First the promise is taken back, then the files go: no reader is told of a version half gone.
            async with self._database.transaction() as connection:
                await store.save_tended(
                    connection, code=code, holder=self._holder, at=self._now(), vacuumed_until=kept_from
                )
            removed = await asyncio.to_thread(table.vacuum, self._keep)
            async with self._database.transaction() as connection:
                await self._log.append(
                    connection,
                    event=Event.LAKE_TENDED,
                    caller=None,
                    resource_code=code,
                    details={"joined": joined, "removed": removed, "kept_from": kept_from.isoformat()},
                )
            return True
