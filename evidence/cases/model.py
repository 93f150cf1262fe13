"""The domain words of evidence requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import OrganisationCode
from evidence.rules.model import Fact, Material, PartyKind, ServiceItem, Way
from evidence.sources.model import Outcome, Reading

REFUTING: Final = frozenset({"LISTED", "REQUIREMENT", "REFUTED", "BREACHED", "TOLERANCE-OVERDUE"})
"""Codes by which a fact is known not to be so, or was promised in vain: no commitment takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who fills a role: a number (citizen's or unified social credit code) and a name."""

    role: str
    code: str = field(repr=False)
    name: str = field(repr=False)
    kind: PartyKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReference:
    """The bundle (一件事) that a case is part of, and which occasion of it: one reference for its cases."""

    code: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOrder:
    """What an approval system asks for: the item is that of its purpose context, as is the case number."""

    parties: tuple[Party, ...]
    inputs: Mapping[str, str] = field(repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    bundle: BundleReference | None = None
    prefill: bool = False
    copies: bool = False

    @property
    def kinds(self) -> dict[str, PartyKind]:
        """What fills each role."""
        return {each.role: each.kind for each in self.parties}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way that was tried: its number among the fact's ways, and what it came to."""

    number: int
    way: Way
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class FactState:
    """What became of one fact. `attempts` are in the order of the ways; `deciding` is the one that counts.

    `reused_from` is the case of the same bundle whose finding holds here too, `inherited` what it rests on.
    """

    fact: Fact
    outcome: Outcome
    code: str
    detail: str
    attempts: tuple[Attempt, ...] = ()
    deciding: Attempt | None = None
    reused_from: UUID | None = None
    inherited: tuple[Attempt, ...] = ()
    established_at: datetime | None = None

    @property
    def attributes(self) -> Mapping[str, str | bool | None]:
        """The values that the fact gave."""
        return {} if self.deciding is None else self.deciding.reading.attributes

    @property
    def masked(self) -> frozenset[str]:
        """Which of them are shown in part."""
        return frozenset() if self.deciding is None else self.deciding.reading.masked


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialState:
    """What became of one material: that of its facts which is furthest from settled."""

    material: Material
    outcome: Outcome
    facts: tuple[FactState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What one run came to. `calls` are the accesses to sources, `not_required` codes of materials."""

    item: ServiceItem
    facts: Mapping[str, FactState]
    materials: tuple[MaterialState, ...]
    not_required: tuple[str, ...]
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case (办件) as kept. `marks` are keyed digests of each material's state at the last run."""

    id: UUID
    organisation_code: OrganisationCode
    item_code: str
    item_version: int
    case_number: str
    bundle: BundleReference | None
    opened_at: datetime
    closed_at: datetime | None = None
    last_run_at: datetime | None = None
    runs: int = 0
    outcomes: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)


WORST_FIRST: Final = (
    Outcome.CONFLICTING,
    Outcome.REVOKED,
    Outcome.EXPIRED,
    Outcome.NOT_AUTHORISED,
    Outcome.SOURCE_UNAVAILABLE,
    Outcome.NOT_HELD,
    Outcome.REQUESTED,
    Outcome.TOLERATED,
    Outcome.COMMITTED,
    Outcome.SUPPLIED,
    Outcome.WAIVED,
)
"""Which outcome of several facts is that of their material, and which of several ways that of their fact."""
