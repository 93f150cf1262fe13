"""The domain words of undertakings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode, SystemId
from evidence.commitments.confirming import Confirmation


class UndertakingKind(StrEnum):
    """What a case goes on under: 告知承诺, 容缺, or a question to the department that knows (协助核查)."""

    COMMITMENT = "commitment"
    TOLERANCE = "tolerance"
    REQUEST = "request"


class UndertakingState(StrEnum):
    """Where an undertaking stands.

    `kept`: a source established the fact. `breached`: a source refuted it, or nothing held it in time.
    `overdue`: past its day, and nobody knows. `delivered`: the material was handed in. `confirmed`,
    `refuted`: the department's answer.
    """

    OPEN = "open"
    OVERDUE = "overdue"
    KEPT = "kept"
    BREACHED = "breached"
    DELIVERED = "delivered"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Whether something is still awaited."""
        return self in {UndertakingState.OPEN, UndertakingState.OVERDUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """One undertaking of a case. `text` is what was confirmed or asked, `text_sm3` its SM3 in hex.

    `role` names the applicant who confirmed, `subject_key` that number's keyed hash. `sealed` holds the order
    under the hub's key, by which the hub verifies; None where nothing needs it any more. `confirmation` is
    how the applicant confirmed; None for questions to departments.
    """

    id: UUID
    case_id: UUID
    fact: str
    kind: UndertakingKind
    state: UndertakingState
    text: str
    text_sm3: str
    role: str | None
    subject_key: bytes | None
    department: str | None
    system_id: SystemId
    operator: str
    made_at: datetime
    due_at: datetime
    sealed: bytes | None = field(repr=False)
    next_check_at: datetime | None
    checked_at: datetime | None = None
    reminded_at: datetime | None = None
    closed_at: datetime | None = None
    reason: str | None = None
    confirmation: Confirmation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An undertaking with the case that it belongs to."""

    undertaking: Undertaking
    organisation_code: OrganisationCode
    item_code: str
    item_version: int
    case_number: str
