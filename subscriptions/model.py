"""The domain words of subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.caller import OrganisationCode

DEFAULT_CONSUMER: Final = "default"


class Kind(StrEnum):
    """What a subscription asks of its subscriber.

    `leads` (线索): every row is to be signed for and answered in time (推送–签收–反馈).
    """

    CHANGES = "changes"
    LEADS = "leads"


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

    `Position(version=v, sequence=0)` comes after all of version v - 1. Rows of a snapshot at version v are
    numbered (v, 1), (v, 2), …; the changes of v itself are in the snapshot already.
    """

    version: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.version}.{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A position, and in the middle of a snapshot the key of the row that it is at.

    `replay_key` is that key in the middle of a version that is replayed out of the lake.
    """

    position: Position
    snapshot_key: tuple[object, ...] | None = None
    replay_key: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change through a grant. `row` holds the granted items, and is None for a delete."""

    position: Position
    operation: Operation
    key: Mapping[str, object]
    row: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription (订阅) of an organisation to a resource, under a grant."""

    id: UUID
    grant_id: UUID
    resource_code: str
    organisation_code: OrganisationCode
    kind: Kind
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One reader of a subscription and how far it has acknowledged.

    `snapshot_version` is set where it begins with all rows of that version. While it is paused nothing is
    handed to it; `pause_reason` says why.
    """

    id: UUID
    subscription_id: UUID
    name: str
    snapshot_version: int | None
    acknowledged: Position
    acknowledged_cursor: str
    created_at: datetime
    acknowledged_at: datetime | None = None
    paused_at: datetime | None = None
    pause_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A consumer of a subscription and how far behind it is.

    `lag_versions` versions hold something not acknowledged; `lag_rows` changes of the resource, counted
    before the grant's row filter; the oldest of those versions is there since `behind_since`.
    """

    subscription: Subscription
    consumer: Consumer
    current_version: int
    is_granted: bool
    lag_rows: int = 0
    behind_since: datetime | None = None

    @property
    def lag_versions(self) -> int:
        """How many versions are not wholly acknowledged."""
        return max(0, self.current_version + 1 - self.consumer.acknowledged.version)
