"""Digesting the accepted rows of a batch beside the database's work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from core.threads import make_in_thread
from exchange.accounting.digest import RowsDigest, digest_table
from exchange.publish.spill import Spill

MAX_WAITING_BYTES: Final = 32 * 1024 * 1024


class DigestQueue:
    """Adds up the digest of tables, in threads.

    Tables wait until `start`, because until then the hub is busier than the database, and afterwards the
    other way round. What would not fit into memory waits in a file of `folder`; without a folder, or where
    its disk is full, it is digested at once.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._spill: Spill | None = None
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._total = RowsDigest.empty()
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    async def add(self, table: pa.Table) -> None:
        """Take rows, all columns of which count; waits where too many wait already."""
        if table.num_rows == 0:
            return
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        while self._waiting_bytes > MAX_WAITING_BYTES:
            waiting = self._take()
            if self._folder is None or self._task is not None or not await self._put_off(waiting):
                await self._digest(waiting)

    def start(self) -> None:
        """Begin with the tables that wait; it is called once."""
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
        self._is_stopped = True
        self._waiting.clear()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self._spill is not None:
            self._spill.close()

    async def _put_off(self, table: pa.Table) -> bool:
        """Let a table wait in the file; False where the disk refuses, which is then not asked again."""

        def write(folder: Path) -> None:
            self._spill = self._spill or Spill(folder)
            self._spill.add(table)

        assert self._folder is not None
        try:
            await asyncio.to_thread(write, self._folder)
        except OSError:
            self._folder = None
            return False
        return True

    async def _digest_all(self) -> None:
        while self._waiting:
            await self._digest(self._take())
        if self._spill is not None:
            spilled, self._spill = self._spill, None
            try:
                await self._digest_spilled(spilled.read())
            finally:
                spilled.close()

    async def _digest_spilled(self, tables: Iterator[pa.Table]) -> None:
        while not self._is_stopped and (table := await make_in_thread(next, tables, None)) is not None:
            await self._digest(table)

    def _take(self) -> pa.Table:
        table = self._waiting.pop(0)
        self._waiting_bytes -= table.nbytes
        return table

    async def _digest(self, table: pa.Table) -> None:
        digest = await asyncio.to_thread(digest_table, table, table.column_names)
        self._total += digest  # read after the wait: another digest may have come in between
