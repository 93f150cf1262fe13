"""The lease of a table: one hub process at a time, renewed while it works, over by itself where it dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

from core.database import Database
from core.errors import ShuzhengError
from subscriptions.lake import store


class Lease:
    """The lease of one resource's table for one process."""

    def __init__(self, *, database: Database, code: str, holder: UUID, now: Callable[[], datetime]) -> None:
        self._database = database
        self._code = code
        self._holder = holder
        self._now = now

    @asynccontextmanager
    async def held(self) -> AsyncIterator[bool]:
        """Hold the lease until the block ends; False where another process holds it."""
        if not await self._take():
            yield False
            return
        renewing = asyncio.create_task(self._renew())
        try:
            yield True
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError, ShuzhengError):
                await renewing
            with suppress(ShuzhengError, OSError):
                async with self._database.transaction() as connection:
                    await store.release_lease(connection, code=self._code, holder=self._holder)

    async def _take(self) -> bool:
        async with self._database.transaction() as connection:
            return await store.take_lease(connection, code=self._code, holder=self._holder, at=self._now())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(store.LEASE / timedelta(seconds=3))
            with suppress(ShuzhengError, OSError):
                await self._take()
