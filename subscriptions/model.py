"""The domain words of subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.caller import OrganisationCode
from exchange.access.model import RowFilterJson

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


Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Keys that were shown under one filter of a grant: those up to `upto`, or (None) all that are left."""

    epoch: int
    upto: Key | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """What is announced because the grant's filter changed: which rows left it, which entered it.

    `place` is where in the feed it changed for this reader (with `replay_key` where that lies inside a
    replayed version), `pieces` under which filters the rows were shown up to there: the first that a key lies
    in counts, and a key in none of them was not shown yet. Keys up to `reached` have been announced.
    """

    place: Position
    pieces: tuple[Piece, ...]
    replay_key: Key | None = None
    reached: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A position, and in the middle of a snapshot the key of the row that it is at.

    `replay_key` is that key in the middle of a version that is replayed out of the lake. `epoch` counts the
    changes of the grant's row filter that the reader has been told of, or, `announcing`, is being told of.
    """

    position: Position
    snapshot_key: Key | None = None
    replay_key: Key | None = None
    epoch: int = 0
    announcing: Announcing | None = None


# Announcements are numbered behind all changes of a version: those of epoch n from n times this on.
EPOCH_SEQUENCES: Final = 10**10


def rank(position: Position, epoch: int) -> tuple[int, bool, int, int]:
    """Return what orders cursors: an announcement lies after the version that it follows, by epochs."""
    if position.sequence == 0:
        return position.version - 1, True, epoch, EPOCH_SEQUENCES
    if position.sequence >= EPOCH_SEQUENCES:
        return position.version, True, *divmod(position.sequence, EPOCH_SEQUENCES)
    return position.version, False, 0, position.sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change through a grant. `row` holds the granted items, and is None for a delete."""

    position: Position
    operation: Operation
    key: Mapping[str, object]
    row: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFilter:
    """A row filter that the grant had. No version after `until_version` was shown under it."""

    row_filter: RowFilterJson
    until_version: int


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
    acknowledged_epoch: int = 0
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
