"""The domain words of gap maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from evidence.rules.model import Way


class Standing(StrEnum):
    """How far a way, a fact or a material is from being replaceable.

    `replaceable`: the hub establishes it by itself. `assisted`: with the holder's authorisation, or the
    answer of a department. `undertaken`: a commitment or a later deadline stands in its place. `blocked`: not
    as things are.
    """

    REPLACEABLE = "replaceable"
    ASSISTED = "assisted"
    UNDERTAKEN = "undertaken"
    BLOCKED = "blocked"


BEST_FIRST = tuple(Standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayGap:
    """A way and where it stands; `provider` is the organisation whose source it is, "" where none is known.

    `apply_for` says what would open a way that is blocked.
    """

    number: int
    way: Way
    standing: Standing
    code: str
    detail: str
    provider: str = ""
    apply_for: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactGap:
    """A fact, where it stands, and its ways in their order."""

    code: str
    title: str
    standing: Standing
    ways: tuple[WayGap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialGap:
    """A material: where it stands is where that of its facts does which is furthest from replaceable."""

    code: str
    title: str
    is_conditional: bool
    standing: Standing
    facts: tuple[FactGap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapMap:
    """The gap map of a version of an item, as its office stands on that day. `names` are of organisations."""

    item: str
    title: str
    version: int
    office: str
    at: datetime
    materials: tuple[MaterialGap, ...]
    names: Mapping[str, str]

    @property
    def counts(self) -> dict[Standing, int]:
        """Count the materials by standing."""
        found = [each.standing for each in self.materials]
        return {standing: found.count(standing) for standing in Standing}
