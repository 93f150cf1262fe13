"""The domain words of a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: rows by all `keys`, or by `where` (equality); `items` None means all that are granted.

    `after` is the cursor of the page before.
    """

    keys: Mapping[str, object] | None
    where: Mapping[str, object] | None
    items: tuple[str, ...] | None
    limit_rows: int
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Rows of one moment: of version `version`, which was committed at `as_of` (None before the first)."""

    version: int
    as_of: datetime | None
    rows: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One page. `next_cursor` leads to the one after; None with `has_more` where keys are not granted."""

    resource_code: str
    grant_id: UUID
    items: tuple[str, ...]
    snapshot: Snapshot
    has_more: bool
    next_cursor: str | None
