"""The domain words of subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode


class Start(StrEnum):
    """Where a subscription may begin, beside after a version that is named."""

    NOW = "now"
    START = "start"


class Operation(StrEnum):
    """What happened to a row, as the subscriber sees it through the grant."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """A place in the feed: everything up to change `sequence` of `version` lies before it.

    `Position(version=v, sequence=0)` comes after all of version v - 1. Rows of the initial snapshot at
    version v are numbered (v, 1), (v, 2), …; the changes of v itself are in the snapshot already.
    """

    version: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A position, and in the middle of a snapshot the key of the row that it is at."""

    position: Position
    snapshot_key: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change through a grant. `row` holds the granted items, and is None for a delete."""

    position: Position
    operation: Operation
    key: Mapping[str, object]
    row: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription (订阅). `snapshot_version` is set where it begins with all rows of that version."""

    id: UUID
    grant_id: UUID
    resource_code: str
    organisation_code: OrganisationCode
    snapshot_version: int | None
    acknowledged: Position
    acknowledged_cursor: str
    created_at: datetime
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A subscription and how far behind it is: `lag_versions` versions hold something not acknowledged."""

    subscription: Subscription
    current_version: int
    is_granted: bool

    @property
    def lag_versions(self) -> int:
        """How many versions are not wholly acknowledged."""
        return max(0, self.current_version + 1 - self.subscription.acknowledged.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Changes in strict order, and the cursor after the last of them."""

    changes: tuple[Change, ...]
    next_cursor: str
    current_version: int
