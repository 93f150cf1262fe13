"""Removing shared files that nobody has asked for in a long time; they are made again when somebody does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from core.database import Database
from core.errors import ShuzhengError
from core.objects import ObjectStore
from subscriptions.sharing import store

INTERVAL_S: Final = 3600.0
BATCH: Final = 500
LEAST_KEPT: Final = timedelta(days=2)
logger = logging.getLogger(__name__)


class ShareKeeper:
    """Removes files that were not part of any answer for `keep`, which is longer than any address is good."""

    def __init__(
        self, *, database: Database, objects: ObjectStore, keep: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._objects = objects
        self._keep = max(keep, LEAST_KEPT)
        self._now = now

    async def run(self) -> None:
        """Remove until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.sweep()
            except (ShuzhengError, OSError) as trouble:
                logger.warning("shared files are not removed: %s", type(trouble).__name__)

    async def sweep(self) -> int:
        """Remove once; return how many files went."""
        gone = 0
        while True:
            async with self._database.transaction() as connection:
                keys = await store.take_unused_files(connection, before=self._now() - self._keep, limit=BATCH)
                for key in keys:
                    await asyncio.to_thread(self._objects.delete, key)
            gone += len(keys)
            if len(keys) < BATCH:
                return gone
