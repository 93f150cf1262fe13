"""Where a reading of the log goes on, as a cursor."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors.cursors import FOREIGN_CURSOR
from connectors.errors import TerminalError
from connectors.model import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a moment's view of the database has seen (PostgreSQL 18 manual, 9.28.5, pg_snapshot)."""

    lowest: int
    next: int
    running: frozenset[int]

    def has_seen(self, xid: int) -> bool:
        """Tell whether a transaction, of which the log names the lower 32 bits, was committed by then."""
        whole = (self.next & ~0xFFFFFFFF) | xid
        if whole >= self.next + 0x80000000:
            whole -= 0x100000000
        return whole < self.next and whole not in self.running

    def write(self) -> str:
        """Write it as PostgreSQL does."""
        return f"{self.lowest}:{self.next}:{','.join(map(str, sorted(self.running)))}"


def read_snapshot(text: str) -> Snapshot:
    """Read what PostgreSQL writes. Raises ValueError."""
    lowest, following, running = text.split(":")
    return Snapshot(
        lowest=int(lowest),
        next=int(following),
        running=frozenset(int(xid) for xid in running.split(",") if xid),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the log was read.

    `lsn`: everything committed before is done. `within`: of the transaction that commits there so many
    changes are done. `snapshot`: what the copy of the table at the beginning held already.
    """

    snapshot: Snapshot
    lsn: int = 0
    within: tuple[int, int] | None = None

    def after_commit(self, end_lsn: int) -> Position:
        """The position after a transaction; one that is done already changes nothing."""
        return replace(self, lsn=end_lsn, within=None) if end_lsn > self.lsn else self

    def has_done(self, commit_lsn: int, number: int) -> bool:
        """Tell whether a change of the transaction that commits there is done."""
        return self.within is not None and self.within[0] == commit_lsn and number <= self.within[1]

    def write(self) -> Cursor:
        """Write it as a cursor."""
        within = None if self.within is None else [str(self.within[0]), self.within[1]]
        return {"lsn": write_lsn(self.lsn), "within": within, "snapshot": self.snapshot.write()}


def read_position(cursor: Cursor | None) -> Position | None:
    """Read a cursor. Raises TerminalError for one of another source."""
    if cursor is None:
        return None
    try:
        within = cursor["within"]
        return Position(
            lsn=read_lsn(cursor["lsn"]),
            within=None if within is None else (int(within[0]), int(within[1])),
            snapshot=read_snapshot(cursor["snapshot"]),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as trouble:
        raise TerminalError(FOREIGN_CURSOR) from trouble


def write_lsn(lsn: int) -> str:
    """Write a place of the log as PostgreSQL does."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def read_lsn(text: str) -> int:
    """Read a place of the log. Raises ValueError."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)
