"""What a case's run needs of its item's rules and does not change from case to case: read once per item."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Final

from evidence.rules.model import (
    CertificateWay,
    CreditWay,
    DatasetWay,
    Fact,
    ServiceItem,
    SourceWay,
    VerificationWay,
)
from evidence.rules.values import facts_needed

SOURCES: Final = (CertificateWay, DatasetWay, VerificationWay, CreditWay)
MAX_KEPT: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FactPlan:
    """How a fact is established: its source ways by number, and the facts that they wait for."""

    fact: Fact
    ways: tuple[tuple[int, SourceWay], ...]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """The plans of an item's facts, by code."""

    item: ServiceItem
    facts: Mapping[str, FactPlan]

    def close(self, codes: Set[str]) -> frozenset[str]:
        """Add the facts that others wait for."""
        found: set[str] = set()
        left = list(codes)
        while left:
            code = left.pop()
            if code not in found:
                found.add(code)
                left += self.facts[code].needs
        return frozenset(found)


class Planner:
    """Reads items; an item that was read before, the very object, is not read again."""

    def __init__(self) -> None:
        self._kept: dict[int, ItemPlan] = {}

    def plan(self, item: ServiceItem) -> ItemPlan:
        """Return the plan of an item."""
        kept = self._kept.get(id(item))
        if kept is None or kept.item is not item:
            kept = ItemPlan(item=item, facts={fact.code: _plan_fact(fact) for fact in item.facts})
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[id(item)] = kept
        return kept


def _plan_fact(fact: Fact) -> FactPlan:
    ways = tuple((number, way) for number, way in enumerate(fact.ways) if isinstance(way, SOURCES))
    return FactPlan(
        fact=fact, ways=ways, needs=frozenset[str]().union(*(facts_needed(way) for _, way in ways))
    )
