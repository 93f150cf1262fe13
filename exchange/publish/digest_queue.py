"""Digesting the accepted rows of a batch beside the database's work."""

from __future__ import annotations

import asyncio
from typing import Final

import pyarrow as pa

from exchange.accounting.digest import RowsDigest, digest_table

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024


class DigestQueue:
    """Adds up the digest of tables, in threads.

    Tables wait until `start`, because until then the hub is busier than the database, and afterwards the
    other way round; what would not fit into memory is digested at once.
    """

    def __init__(self) -> None:
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._total = RowsDigest.empty()
        self._task: asyncio.Task[None] | None = None

    async def add(self, table: pa.Table) -> None:
        """Take rows, all columns of which count; waits where too many wait already."""
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        while self._waiting_bytes > MAX_WAITING_BYTES:
            await self._digest_next()

    def start(self) -> None:
        """Begin with the tables that wait."""
        self._task = asyncio.create_task(self._digest_all())

    def subtract(self, digest: RowsDigest) -> None:
        """Take rows out again that were refused after all."""
        self._total -= digest

    async def finish(self) -> RowsDigest:
        """Wait for all tables and return their digest."""
        if self._task is not None:
            await self._task
        await self._digest_all()
        return self._total

    async def stop(self) -> None:
        """Forget the tables that wait, and wait for the one at work."""
        self._waiting.clear()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _digest_all(self) -> None:
        while self._waiting:
            await self._digest_next()

    async def _digest_next(self) -> None:
        table = self._waiting.pop(0)
        digest = await asyncio.to_thread(digest_table, table, table.column_names)
        self._total += digest
        self._waiting_bytes -= table.nbytes
