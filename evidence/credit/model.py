"""The domain words of the credit dataset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode, SystemId
from evidence.commitments.model import UndertakingState


class EntryState(StrEnum):
    """Where an entry stands. `refused`: the dataset's own rules refused the row, and people must look."""

    WAITING = "waiting"
    PUBLISHED = "published"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDataset:
    """The dataset into which breaches are published, and the system of its provider that named it."""

    resource_code: str
    organisation_code: OrganisationCode
    system_id: SystemId
    named_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be told of an undertaking: the state that it reached."""

    undertaking_id: UUID
    told_state: UndertakingState
    resource_code: str
    tries: int

    @property
    def idempotency_key(self) -> str:
        """The key under which its batch is published: the same however often it is tried."""
        return f"undertaking:{self.undertaking_id}:{self.told_state}"
