"""Resolving a case: every fact by its ways in their order, all facts that can be at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from evidence.cases.asks import Filler
from evidence.cases.model import (
    WORST_FIRST,
    Attempt,
    EvidenceOrder,
    FactState,
    MaterialState,
    Resolution,
)
from evidence.cases.plan import FactPlan, ItemPlan, Planner
from evidence.rules.conditions import holds
from evidence.rules.model import AbolishedWay, Confirm, Fact, Material, ServiceItem, SourceWay
from evidence.sources.model import Ask, Asker, Outcome, Reading, Sources
from evidence.sources.requirements import normalise

_RANKS: Final = {outcome: rank for rank, outcome in enumerate(WORST_FIRST)}


@dataclass(slots=True, kw_only=True)
class _Work:
    """A fact that is being worked on: its source ways that are left, and what was tried."""

    fact: Fact
    left: list[tuple[int, SourceWay]]
    needs: frozenset[str]
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether no further source has to be asked."""
        if not self.left:
            return True
        if self.fact.confirm is Confirm.ALL:
            return False
        return any(each.reading.outcome is Outcome.SUPPLIED for each in self.attempts)


class Resolver:
    """Resolves cases against sources."""

    def __init__(self, *, sources: Sources, limit_s: float) -> None:
        self._sources = sources
        self._limit_s = limit_s
        self._planner = Planner()

    async def resolve(
        self,
        item: ServiceItem,
        order: EvidenceOrder,
        *,
        asker: Asker,
        known: Mapping[str, FactState],
        now: datetime,
        sources: Sources | None = None,
        spent_s: float = 0.0,
    ) -> Resolution:
        """Resolve every material that the case requires, within the time limit, of which `spent_s` are gone.

        `known` are facts that need no asking: undertaken, answered by a department, or established by another
        case of the bundle. `sources` are read in place of the resolver's own.
        """
        required = [
            each
            for each in item.materials
            if each.when is None or holds(each.when, roles=order.kinds, inputs=order.inputs)
        ]
        plan = self._planner.plan(item)
        needed = plan.close({code for each in required for code in each.facts})
        states = {code: known[code] for code in needed if code in known}
        until = time.monotonic() + self._limit_s - spent_s
        calls = await self._ask_all(
            plan,
            order,
            states,
            needed=needed,
            asker=asker,
            now=now,
            sources=sources or self._sources,
            until=until,
        )
        codes = {each.code for each in required}
        return Resolution(
            item=item,
            facts=states,
            materials=gather_materials(required, states),
            not_required=tuple(each.code for each in item.materials if each.code not in codes),
            calls=calls,
        )

    async def establish(
        self, item: ServiceItem, order: EvidenceOrder, *, facts: Set[str], asker: Asker, now: datetime
    ) -> dict[str, FactState]:
        """Establish single facts, and those that they wait for, outside any run of their case."""
        states: dict[str, FactState] = {}
        plan = self._planner.plan(item)
        await self._ask_all(
            plan,
            order,
            states,
            needed=plan.close(facts),
            asker=asker,
            now=now,
            sources=self._sources,
            until=time.monotonic() + self._limit_s,
        )
        return states

    async def _ask_all(
        self,
        plan: ItemPlan,
        order: EvidenceOrder,
        states: dict[str, FactState],
        *,
        needed: Set[str],
        asker: Asker,
        now: datetime,
        sources: Sources,
        until: float,
    ) -> int:
        """Establish the facts `needed` into `states`, in rounds; return how many times a source was asked."""
        works = {code: _begin(plan.facts[code]) for code in sorted(needed - states.keys())}
        filler = Filler(order, states)
        calls = 0
        while works:
            ready = [work for work in works.values() if work.needs <= states.keys()]
            asks = [ask for work in ready for ask in _next_asks(work, filler)]
            if asks:
                calls += len(asks)
                left_s = max(0.0, until - time.monotonic())
                readings = await sources.read(asks, asker=asker, limit_s=left_s)
                for ask, reading in zip(asks, readings, strict=True):
                    works[ask.fact].attempts.append(Attempt(number=ask.number, way=ask.way, reading=reading))
            for work in ready:
                if work.is_done:
                    states[work.fact.code] = conclude(works.pop(work.fact.code).fact, work.attempts, now)
        return calls


def gather_materials(
    required: Sequence[Material], states: Mapping[str, FactState]
) -> tuple[MaterialState, ...]:
    """Say what each material comes to: the outcome of that of its facts which is furthest from settled."""
    gathered = []
    for material in required:
        facts = tuple(states[code] for code in dict.fromkeys(material.facts))
        outcome = min((each.outcome for each in facts), key=_RANKS.__getitem__)
        gathered.append(MaterialState(material=material, outcome=outcome, facts=facts))
    return tuple(gathered)


def with_facts(resolution: Resolution, states: Mapping[str, FactState]) -> Resolution:
    """Return a resolution with other states of its facts, and its materials accordingly."""
    if all(states[code] is state for code, state in resolution.facts.items()):
        return resolution
    required = [each.material for each in resolution.materials]
    return replace(resolution, facts=states, materials=gather_materials(required, states))


def conclude(fact: Fact, attempts: Sequence[Attempt], now: datetime) -> FactState:
    """Say what a fact's attempts come to."""
    for way in fact.ways:
        if isinstance(way, AbolishedWay):
            return FactState(fact=fact, outcome=Outcome.WAIVED, code="ABOLISHED", detail=way.basis)
    tried = tuple(sorted(attempts, key=lambda each: each.number))
    if not tried:
        detail = "no source of the hub establishes this"
        return FactState(fact=fact, outcome=Outcome.NOT_HELD, code="NO-SOURCE", detail=detail)
    supplied = [each for each in tried if each.reading.outcome is Outcome.SUPPLIED]
    if fact.confirm is Confirm.ALL:
        deciding = _confirm(tried, supplied)
    else:
        deciding = supplied[0] if supplied else _worst(tried)
    reading = deciding.reading
    is_supplied = reading.outcome is Outcome.SUPPLIED
    return FactState(
        fact=fact,
        outcome=reading.outcome,
        code=reading.code,
        detail=reading.detail,
        attempts=tried,
        deciding=deciding,
        established_at=now if is_supplied else None,
    )


def _confirm(tried: Sequence[Attempt], supplied: Sequence[Attempt]) -> Attempt:
    """Compare all sources: each must supply, and where two give one attribute they must agree."""
    if len(supplied) < len(tried):
        return _worst([each for each in tried if each.reading.outcome is not Outcome.SUPPLIED])
    first = supplied[0]
    merged: dict[str, str | bool | None] = {}
    given_by: dict[str, Attempt] = {}
    masked: set[str] = set()
    for each in supplied:
        masked |= each.reading.masked
        for name, value in each.reading.attributes.items():
            other = given_by.setdefault(name, each)
            merged.setdefault(name, value)
            if name not in masked and normalise(merged[name]) != normalise(value):
                return _disagree(name, other, each)
    reading = replace(first.reading, attributes=merged, masked=frozenset(masked))
    return replace(first, reading=reading)


def _disagree(name: str, one: Attempt, other: Attempt) -> Attempt:
    assert one.reading.basis is not None
    assert other.reading.basis is not None
    detail = f"{one.reading.basis.title} and {other.reading.basis.title} disagree on {name}"
    reading = replace(
        one.reading, outcome=Outcome.CONFLICTING, code="SOURCES-DISAGREE", detail=detail, attributes={}
    )
    return replace(one, reading=reading)


def _worst(tried: Sequence[Attempt]) -> Attempt:
    return min(tried, key=lambda each: _RANKS[each.reading.outcome])


def _begin(plan: FactPlan) -> _Work:
    return _Work(fact=plan.fact, left=list(plan.ways), needs=plan.needs)


def _next_asks(work: _Work, filler: Filler) -> list[Ask]:
    """Take the way to try next, or all of them where all must confirm; what cannot be asked is noted."""
    asks: list[Ask] = []
    while not work.is_done and (not asks or work.fact.confirm is Confirm.ALL):
        number, way = work.left.pop(0)
        ask = filler.build_ask(work.fact, number, way)
        if isinstance(ask, Reading):
            work.attempts.append(Attempt(number=number, way=way, reading=ask))
        else:
            asks.append(ask)
    return asks
