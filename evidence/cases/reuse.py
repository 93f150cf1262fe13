"""What a case of a bundle (一件事) may take over from another one: facts that are fresh enough."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from core.database import Connection
from core.errors import ShuzhengError
from core.log.writer import LogWriter
from evidence.cases import store
from evidence.cases.asks import Filler
from evidence.cases.model import Attempt, EvidenceOrder, FactState
from evidence.rules.model import (
    CreditWay,
    DatasetWay,
    Fact,
    ServiceItem,
    SourceWay,
    VerificationWay,
)
from evidence.rules.ways import can_be_reused
from evidence.sources.model import Ask, Asker, Basis, Outcome, Reading
from exchange.access.model import Mode
from exchange.access.resources import load_known_resource, verify_grant

_SOURCES: Final = (DatasetWay, VerificationWay, CreditWay)


class ReuseDesk:
    """Finds what may be taken over, and names what later cases may take over."""

    def __init__(self, *, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._log = log
        self._now = now

    def key_of(self, fact: Fact, order: EvidenceOrder) -> bytes | None:
        """Return the keyed hash of the bundle and everything that a fact is asked by; None where it is not
        for reuse."""
        if order.bundle is None or not fact.reuse_days or not can_be_reused(fact):
            return None
        asked = []
        filler = Filler(order, {})
        for number, way in enumerate(fact.ways):
            if isinstance(way, _SOURCES):
                ask = filler.build_ask(fact, number, way)
                if not isinstance(ask, Ask):
                    return None
                asked.append(_describe(ask))
        text = json.dumps([order.bundle.code, order.bundle.reference, asked], ensure_ascii=False)
        return self._log.hash_subject(text)

    async def find(
        self, connection: Connection, item: ServiceItem, order: EvidenceOrder, *, asker: Asker
    ) -> dict[str, FactState]:
        """Return the facts that a case of the same bundle established, not longer ago than each fact allows.

        Only those that this caller might establish itself: a grant of its own covers every source.
        """
        keys = {fact.code: key for fact in item.facts if (key := self.key_of(fact, order)) is not None}
        if not keys:
            return {}
        found = await store.load_reusable(connection, keys=list(keys.values()))
        now = self._now()
        taken: list[tuple[Fact, store.Reusable]] = []
        for fact in item.facts:
            other = found.get(keys.get(fact.code, b""))
            if other is None or now - other.established_at > timedelta(days=fact.reuse_days):
                continue
            if await _may_ask(connection, fact.ways, asker, now):
                taken.append((fact, other))
        if not taken:
            return {}
        bases = await store.load_bases_of(connection, facts=[other for _, other in taken])
        return {
            fact.code: FactState(
                fact=fact,
                outcome=Outcome.SUPPLIED,
                code="REUSED",
                detail=f"established in another case of the bundle at {other.established_at.isoformat()}",
                reused_from=other.case_id,
                inherited=_inherit(fact, bases.get((other.case_id, other.fact), ())),
                established_at=other.established_at,
            )
            for fact, other in taken
        }


def _inherit(fact: Fact, bases: Sequence[store.BasisRow]) -> tuple[Attempt, ...]:
    """Return what the other case's fact rests on, as ways of this one, which ask the same in the same order.

    So whoever sees the source change finds this case too, also when the other one is closed.
    """
    ways: defaultdict[tuple[str, str], list[tuple[int, SourceWay]]] = defaultdict(list)
    for number, way in enumerate(fact.ways):
        if isinstance(way, _SOURCES):
            ways[way.kind, way.resource].append((number, way))
    inherited = []
    for (kind, source), alike in ways.items():
        supplied = (kind, source, Outcome.SUPPLIED)
        rows = [each for each in bases if (each.kind, each.source, each.outcome) == supplied]
        for place, (number, way) in enumerate(alike):
            if rows:
                row = rows[min(place, len(rows) - 1)]
                inherited.append(Attempt(number=number, way=way, reading=_read_again(row)))
    return tuple(inherited)


def _read_again(row: store.BasisRow) -> Reading:
    basis = Basis(
        source=row.source, title=row.source, version=row.source_version, as_of=row.as_of, row_key=row.row_key
    )
    return Reading(outcome=row.outcome, code="REUSED", detail="", basis=basis)


async def _may_ask(connection: Connection, ways: Sequence[object], asker: Asker, at: datetime) -> bool:
    for way in ways:
        if not isinstance(way, _SOURCES):
            continue
        mode = Mode.VERIFY if isinstance(way, VerificationWay) else Mode.QUERY
        wanted = _items(way)
        try:
            resource = await load_known_resource(connection, code=way.resource)
            grant = await verify_grant(
                connection,
                resource=resource,
                caller=asker.caller,
                purpose=asker.purpose,
                mode=mode,
                wanted=wanted,
                at=at,
            )
        except ShuzhengError:
            return False
        if not wanted <= set(grant.open_items(resource)):
            return False
    return True


def _items(way: DatasetWay | VerificationWay | CreditWay) -> set[str]:
    match way:
        case VerificationWay():
            return set(way.assertions)
        case CreditWay():
            return set(way.where)
    return {each.item for each in way.requires}


def _describe(ask: Ask) -> list[object]:
    requires: Sequence[object] = ()
    if isinstance(ask.way, DatasetWay):
        requires = [[each.item, each.test] for each in ask.way.requires]
    assert isinstance(ask.way, _SOURCES)
    clean = ask.way.clean if isinstance(ask.way, CreditWay) else None
    return [
        ask.way.kind,
        ask.way.resource,
        _sorted(ask.keys),
        _sorted(ask.asserted),
        requires,
        ask.wanted,
        clean,
    ]


def _sorted(values: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(values.items())
