"""The domain words of publishing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID


class Mode(StrEnum):
    """What a batch means: rows to insert or update, keys to delete, or the whole truth."""

    UPSERT = "upsert"
    DELETE = "delete"
    SNAPSHOT = "snapshot"


class BatchState(StrEnum):
    """How far a batch is. A batch left `receiving` by a process that died may be sent again."""

    RECEIVING = "receiving"
    PUBLISHED = "published"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason why a row was refused: `item` is None where the whole row is meant."""

    item: str | None
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A refused row: its number in the file (1 is the first data row), its cells as sent, every reason.

    `original` maps header to cell; a row that could not be split into cells has one entry, its header empty.
    """

    row_number: int
    original: dict[str, str | None]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A body as received: where it lies, its size, its SM3 (mode and type included), its declared type."""

    path: Path
    size_bytes: int
    digest: bytes
    media_type: str
    charset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """The accounting of a batch: received = accepted + rejected. No row accepted: `version` is None."""

    batch_id: UUID
    resource_code: str
    mode: Mode
    version: int | None
    received: int
    accepted: int
    rejected: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    missing: int
    current_rows: int
    rejected_by_reason: dict[str, int]

    def render(self) -> dict[str, object]:
        """Render the accounting as it is answered and kept."""
        return {
            "batch": str(self.batch_id),
            "resource": self.resource_code,
            "mode": str(self.mode),
            "version": self.version,
            "received": self.received,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "missing": self.missing,
            "current_rows": self.current_rows,
            "rejected_by_reason": dict(sorted(self.rejected_by_reason.items())),
        }
