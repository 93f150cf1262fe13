"""The domain words of presentation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

SHOWN_LIFE: Final = timedelta(seconds=60)
"""How long a shown code may be scanned."""
DECISION_LIFE: Final = timedelta(seconds=300)
"""How long after the scan the holder may decide, and the verifier may fetch."""


class PresentationStatus(StrEnum):
    """Where a presentation stands. Each step happens once; none is taken back."""

    SHOWN = "shown"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """One presentation of one certificate; `scanned_by` is the verifier's organisation."""

    id: UUID
    identifier: str
    status: PresentationStatus
    shown_by: UUID
    shown_at: datetime
    expires_at: datetime
    scanned_by: str | None = None
    scanned_at: datetime | None = None
    service_item: str | None = None
    case_number: str | None = None
    operator: str | None = None
    closed_at: datetime | None = None
