"""The domain words of publishing."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    `key` is the row's key as standardised (`exchange.accounting.canonical`), None where it is not whole.
    """

    row_number: int
    original: dict[str, str | None]
    reasons: tuple[Reason, ...]
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A body as received: where it lies, its size, its SM3 (mode and type included), its declared type.

    A compressed body was unpacked; `size_bytes` is then that of what it held.
    """

    path: Path
    size_bytes: int
    digest: bytes
    media_type: str
    charset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """The accounting of a batch: received = accepted + rejected. No row accepted: `version` is None.

    `flagged` rows are accepted ones that broke a rule which only marks; `tickets_closed` counts refused rows
    of earlier batches that this one brought mended.
    """

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
    flagged: int = 0
    flagged_by_reason: dict[str, int] = field(default_factory=dict)
    tickets_closed: int = 0
    accepted_digest: bytes = b""

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
            "flagged": self.flagged,
            "tickets_closed": self.tickets_closed,
            "rejected_by_reason": dict(sorted(self.rejected_by_reason.items())),
            "flagged_by_reason": dict(sorted(self.flagged_by_reason.items())),
            "accepted_digest": self.accepted_digest.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The mark of a refused row (`batch:row`), which a mended row carries back."""

    batch_id: UUID
    row_number: int

    @classmethod
    def parse(cls, text: str) -> Ticket | None:
        """Read a ticket; None for what is none."""
        batch, _, row = text.strip().partition(":")
        try:
            return cls(batch_id=UUID(batch), row_number=int(row))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.batch_id}:{self.row_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialUpload:
    """An upload as far as it came. `length_bytes` is None where the sender has not said it."""

    id: UUID
    media_type: str
    charset: str | None
    coding: str | None
    length_bytes: int | None
    offset_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether all octets that were announced have come."""
        return self.length_bytes is None or self.offset_bytes == self.length_bytes
