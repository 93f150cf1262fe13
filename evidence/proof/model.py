"""The domain words of askings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode, SystemId
from evidence.sources.model import Outcome


class ReceiptForm(StrEnum):
    """In which form a receipt is wanted: as it is signed, or as a document to print and hold up."""

    JSON = "json"
    OFD = "ofd"


class AskingFinding(StrEnum):
    """Why a material was not to be asked for.

    `held`: the hub had supplied it. `waived`: it is abolished. `committed`: a commitment stands in its place.
    `not_required`: this case does not need it. `not_in_guide`: the item's guide does not list it.
    """

    HELD = "held"
    WAIVED = "waived"
    COMMITTED = "committed"
    NOT_REQUIRED = "not_required"
    NOT_IN_GUIDE = "not_in_guide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An office asked the applicant of a case for a material.

    `outcome` is what the case's last run said of it; None where it was not among what was required.
    """

    id: UUID
    case_id: UUID
    run: int
    material_code: str
    outcome: Outcome | None
    finding: AskingFinding | None
    reason: str
    operator: str
    system_id: SystemId
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedAsking:
    """An asking with the case that it belongs to."""

    asking: Asking
    organisation_code: OrganisationCode
    organisation_name: str
    item_code: str
    case_number: str


MEANING = {
    Outcome.SUPPLIED: AskingFinding.HELD,
    Outcome.WAIVED: AskingFinding.WAIVED,
    Outcome.COMMITTED: AskingFinding.COMMITTED,
}
"""Outcomes of a material by which asking for it is a finding."""
