"""The lease of a table: one hub process at a time, renewed while it works, over by itself where it dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

from core.database import Database
from core.duties import stop_duties
from core.errors import ShuzhengError
from subscriptions.lake import store


class Lease:
    """The lease of one resource's table for one process; `busy` names the tables that it is at already."""

    def __init__(
        self,
        *,
        database: Database,
        code: str,
        holder: UUID,
        busy: set[str],
        now: Callable[[], datetime],
    ) -> None:
        self._busy = busy
        self._database = database
        self._code = code
        self._holder = holder
        self._now = now

    @asynccontextmanager
    async def held(self) -> AsyncIterator[bool]:
        """Hold the lease until the block ends; False where another process, or this one, holds it."""
        if self._code in self._busy:
            yield False
            return
        self._busy.add(self._code)
        try:
            async with self._taken() as is_held:
                yield is_held
        finally:
            self._busy.discard(self._code)

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[bool]:
        if not await self._take():
            yield False
            return
        renewing = asyncio.create_task(self._renew())
        try:
            yield True
        finally:
            await stop_duties([renewing])
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
