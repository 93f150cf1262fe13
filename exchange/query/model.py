"""The domain words of a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: rows by all `keys`, or by `where` (equality); `items` None means all that are granted.

    `after` is the cursor of the page before; `as_of_version` asks for the rows as they were then.
    """

    keys: Mapping[str, object] | None
    where: Mapping[str, object] | None
    items: tuple[str, ...] | None
    limit_rows: int
    after: str | None
    as_of_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Rows of one moment: of version `version`, which was committed at `as_of` (None before the first).

    `disputed` names, per row, the items under objection; `digests` names the rows for `row_holder`, where
    that was asked for. Both are empty or as long as `rows`.
    """

    version: int
    as_of: datetime | None
    rows: tuple[Mapping[str, object], ...]
    disputed: tuple[tuple[str, ...], ...] = ()
    digests: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One page. `next_cursor` leads to the one after; None with `has_more` where keys are not granted.

    `masks` says what to do with the value of each masked item when the page is rendered.
    """

    resource_code: str
    grant_id: UUID
    items: tuple[str, ...]
    snapshot: Snapshot
    has_more: bool
    next_cursor: str | None
    masks: Mapping[str, Callable[[object], str | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """One page with the resource's title, and the keyed hash of resource and conditions (`name_identity`)."""

    answer: Answer
    title: str
    row_key: bytes
