"""The domain words of leads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from subscriptions.model import Operation, Position

LEAD_CONSUMER: Final = "leads"


class LeadState(StrEnum):
    """Where a lead stands."""

    PUSHED = "pushed"
    SIGNED = "signed"
    ANSWERED = "answered"


class Result(StrEnum):
    """What came of a lead."""

    HANDLED = "handled"
    NOTHING_FOUND = "nothing_found"
    NOT_RESPONSIBLE = "not_responsible"
    WRONG_DATA = "wrong_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTerms:
    """In how many working days after its push a lead is to be signed for and answered."""

    sign_working_days: int
    answer_working_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """One row that is to be signed for and answered; the row itself stays in the change log at `position`."""

    id: UUID
    subscription_id: UUID
    position: Position
    operation: Operation
    pushed_at: datetime
    sign_due_at: datetime
    answer_due_at: datetime
    signed_at: datetime | None = None
    signed_by: str | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    result: Result | None = None
    answer: str | None = None

    @property
    def state(self) -> LeadState:
        """Where it stands."""
        if self.answered_at is not None:
            return LeadState.ANSWERED
        return LeadState.PUSHED if self.signed_at is None else LeadState.SIGNED

    def is_overdue(self, at: datetime) -> bool:
        """Tell whether something was or is late: the signature or the answer."""
        return (self.signed_at or at) > self.sign_due_at or (self.answered_at or at) > self.answer_due_at
