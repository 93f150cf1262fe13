"""What the exchange does by itself: escalate what is overdue, forget what no rule needs any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from core.china_time import china_day
from core.database import Database
from core.errors import Unavailable
from core.log.writer import LogWriter
from exchange.access.escalation import escalate_overdue
from exchange.guard.store import delete_volumes
from exchange.objections.service import ObjectionService
from exchange.verify.store import delete_mismatches

logger = logging.getLogger("shuzheng.exchange")

INTERVAL_S: Final = 60.0
KEPT_DAYS: Final = 30


class Housekeeper:
    """Runs every minute in every process; each round's work is taken by one of them."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        objections: ObjectionService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._objections = objections
        self._now = now

    async def run(self) -> None:
        """Work until cancelled. A database that is down is waited for."""
        while True:
            try:
                await self.work_once()
            except Unavailable:
                logger.warning("the database does not answer; housekeeping waits")
            except Exception as error:
                logger.error("a round of housekeeping failed: %s", type(error).__name__)
            await asyncio.sleep(INTERVAL_S)

    async def work_once(self) -> int:
        """Do one round; return how many requests and objections were escalated."""
        escalated = await escalate_overdue(database=self._database, log=self._log, now=self._now)
        escalated += await self._objections.escalate_overdue()
        before = self._now() - timedelta(days=KEPT_DAYS)
        async with self._database.transaction() as connection:
            await delete_mismatches(connection, before=china_day(before))
            await delete_volumes(connection, before=before)
        return escalated
