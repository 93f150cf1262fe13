"""The domain words of push."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.caller import Purpose, SystemId
from core.identity.model import CredentialId
from subscriptions.feed.page import Page
from subscriptions.model import Position

OPEN_AFTER_FAILURES: Final = 5
NOT_COUNTERSIGNED: Final = (
    "what the target sent as its countersignature does not hold over the manifest under a key of its system"
)


class TargetKind(StrEnum):
    """Where changes are brought."""

    WEBHOOK = "webhook"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    DIRECTORY = "directory"
    S3 = "s3"


TABLES: Final = frozenset({TargetKind.POSTGRESQL, TargetKind.MYSQL})


class TargetState(StrEnum):
    """Whether anything is brought; a stopped target says why and waits for its owner."""

    ACTIVE = "active"
    STOPPED = "stopped"


class Circuit(StrEnum):
    """How a target has behaved: after five failures in a row it is only probed, ever less often."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place that the changes of one consumer are brought to.

    `address` is what may be shown; `secret` is sealed under the hub's key and never shown. `system_id` is the
    system on whose behalf the hub acts, under `purpose`. `pending_key` names the message that was last sent
    and not yet confirmed: it is sent again with the same rows under the same key.
    """

    id: UUID
    consumer_id: UUID
    subscription_id: UUID
    consumer: str
    kind: TargetKind
    address: Mapping[str, object]
    system_id: SystemId
    purpose: Purpose
    batch_rows: int
    state: TargetState
    created_at: datetime
    next_attempt_at: datetime
    secret: bytes | None = field(default=None, repr=False)
    state_reason: str | None = None
    failures: int = 0
    first_failed_at: datetime | None = None
    last_error: str | None = None
    last_success_at: datetime | None = None
    pending_key: UUID | None = None
    pending_rows: int | None = None
    pending_sm3: str | None = None

    @property
    def circuit(self) -> Circuit:
        """Whether the target is used as usual."""
        return Circuit.OPEN if self.failures >= OPEN_AFTER_FAILURES else Circuit.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Changes that a target refused for good: parked, with the reason, until they are sent again.

    They are the `rows` changes after `from_cursor`, or `is_announcement` what was announced there since the
    grant had changed. `wanted_at`: somebody asked to send them again.
    """

    id: UUID
    target_id: UUID
    message_key: UUID
    from_cursor: str
    first: Position
    last: Position
    rows: int
    attempts: int
    reason: str
    parked_at: datetime
    is_announcement: bool = False
    wanted_at: datetime | None = None
    redriven_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A page of the feed on its way to a target, under a key that stays when it is sent again.

    `moves_place`: it is the next one; a dead letter is not, whose changes lie before the target's place.
    """

    key: UUID
    target: Target
    page: Page
    moves_place: bool = True
    resource_title: str = ""


class DeliveryFailed(Exception):
    """A target did not take a message. `reason` may be shown: it holds no row and no secret."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """How bringing a message went: why it failed, or what the target signed for it, if it signed."""

    failed: DeliveryFailed | None = None
    countersignature: bytes | None = None
    signer: CredentialId | None = None


class TargetDown(DeliveryFailed):
    """It may take the same message later: no answer, a time-out, 5xx, 429."""


class MessageRefused(DeliveryFailed):
    """It will not take this message: 4xx, a constraint of its table."""


class TargetGone(DeliveryFailed):
    """It says that it is no more, or may not be reached: nothing is sent until its owner acts."""
