"""The domain words of operations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode
from subscriptions.model import Standing
from subscriptions.push.model import TargetKind, TargetState


class AlertKind(StrEnum):
    """What somebody should see to."""

    LAG = "lag"
    GRANT_ENDED = "grant_ended"
    PAUSED = "paused"
    TARGET_STOPPED = "target_stopped"
    TARGET_FAILING = "target_failing"
    DEAD_LETTERS = "dead_letters"
    LEADS_OVERDUE = "leads_overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFigures:
    """How a target fares. `state_reason` says why it was stopped."""

    consumer_id: UUID
    kind: TargetKind
    state: TargetState
    state_reason: str | None
    failures: int
    failing_since: datetime | None
    dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFigures:
    """How the leads of a subscription stand."""

    subscription_id: UUID
    open: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that is counted, of one organisation or of all."""

    standings: tuple[Standing, ...]
    targets: tuple[TargetFigures, ...]
    leads: tuple[LeadFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to see to. `detail` says what to do; it holds no row contents."""

    kind: AlertKind
    organisation_code: OrganisationCode
    subscription_id: UUID
    resource_code: str
    consumer: str
    detail: str
    since: datetime | None = None
