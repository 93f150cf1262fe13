"""Counting a batch while it is read; refused and flagged rows themselves go to the database at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

from core.database import Connection
from exchange.publish import store_quarantine
from exchange.publish.digest_queue import DigestQueue
from exchange.publish.model import Reason, Reject, Ticket
from exchange.publish.store_quarantine import FLAGS, REJECTS

MAX_SAMPLED: Final = 1000


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
    digests: DigestQueue = field(default_factory=DigestQueue)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.digests.stop()

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
