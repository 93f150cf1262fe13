"""Counting a batch while it is read; refused and flagged rows themselves go to the database at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from core.database import Connection
from exchange.accounting.digest import RowsDigest, sum_hashes
from exchange.publish import store_quarantine
from exchange.publish.model import Reason, Reject, Ticket
from exchange.publish.store_quarantine import FLAGS, REJECTS

MAX_SAMPLED: Final = 1000
MAX_PENDING_ROWS: Final = 2_000_000


class DigestSum:
    """Adds the hashes of accepted rows in a thread of its own, beside the database's work."""

    def __init__(self) -> None:
        self._waiting: list[NDArray[np.uint8]] = []
        self._pending_rows = 0
        self._total = RowsDigest.empty()
        self._task: asyncio.Task[None] | None = None

    async def add(self, hashes: NDArray[np.uint8]) -> None:
        """Take hashes of rows; waits where too many have not been added yet."""
        self._waiting.append(hashes)
        self._pending_rows += len(hashes)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        if self._pending_rows > MAX_PENDING_ROWS:
            await self._task

    def subtract(self, digest: RowsDigest) -> None:
        """Take rows out again that were refused after all."""
        self._total -= digest

    async def finish(self) -> RowsDigest:
        """Wait for all hashes and return their digest."""
        if self._task is not None:
            await self._task
        return self._total

    async def _run(self) -> None:
        while self._waiting:
            hashes = self._waiting.pop(0)
            self._total += await asyncio.to_thread(sum_hashes, hashes)
            self._pending_rows -= len(hashes)
        self._task = None


@dataclass(slots=True)
class Tally:
    """What has been counted of a batch so far. A dry run keeps a sample of its rejects and stores none."""

    batch_id: UUID
    resource_code: str
    is_dry: bool = False
    received: int = 0
    rejected: int = 0
    flagged: int = 0
    by_reason: Counter[str] = field(default_factory=Counter)
    by_flag: Counter[str] = field(default_factory=Counter)
    tickets: list[Ticket] = field(default_factory=list)
    sample: list[Reject] = field(default_factory=list)
    digests: DigestSum = field(default_factory=DigestSum)

    async def refuse(self, connection: Connection, rejects: Sequence[Reject]) -> None:
        """Put rows into quarantine and count them."""
        self.rejected += len(rejects)
        self.by_reason.update(reason.code for reject in rejects for reason in reject.reasons)
        self.sample += rejects[: MAX_SAMPLED - len(self.sample)] if self.is_dry else ()
        await self._save(connection, REJECTS, rejects)

    async def flag(self, connection: Connection, flags: Sequence[Reject]) -> None:
        """Keep rows that were taken with a mark, and count them."""
        self.flagged += len(flags)
        self.by_flag.update(reason.code for row in flags for reason in row.reasons)
        await self._save(connection, FLAGS, flags)

    async def unflag(self, connection: Connection, rows: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        """Take the marks of rows back, which are judged anew: row number → reasons."""
        if self.is_dry:
            return {}
        taken = await store_quarantine.take_flags(connection, batch_id=self.batch_id, rows=rows)
        self.flagged -= len(taken)
        self.by_flag.subtract(reason.code for reasons in taken.values() for reason in reasons)
        self.by_flag = +self.by_flag
        return taken

    async def _save(self, connection: Connection, table: str, rows: Sequence[Reject]) -> None:
        if rows and not self.is_dry:
            await store_quarantine.save_rows(
                connection, table=table, batch_id=self.batch_id, resource_code=self.resource_code, rows=rows
            )
