"""What a receipt to the applicant says: which materials were not requested, and because of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evidence.cases.model import Case
from evidence.cases.store import BasisRow, FactRow
from evidence.rules.model import AbolishedWay, Fact, Material, ServiceItem
from evidence.sources.model import Outcome
from signing.canonical_json import JsonValue

KIND: Final = "shuzheng-not-requested/1"
SPARED: Final = frozenset({Outcome.SUPPLIED, Outcome.WAIVED, Outcome.COMMITTED})
_WORDS: Final = {
    "certificate": "已由电子证照核验",
    "dataset": "已由共享数据核验",
    "verification": "已由数据核验服务核验",
    "credit": "已由信用核查核验",
}
_CODES: Final = {
    "REUSED": "已在同一件事的其他办件中核验",
    "DEPARTMENT": "已由主管部门协助核查",
    "DELIVERED": "申请人已补交",
}


def build_statement(
    case: Case,
    item: ServiceItem,
    *,
    facts: Sequence[FactRow],
    bases: Sequence[BasisRow],
    organisation_name: str,
) -> dict[str, JsonValue]:
    """Build the payload of a receipt; it names no applicant and holds no value of anybody's data."""
    known = {each.fact: each for each in facts}
    materials = {each.code: each for each in item.materials}
    outcomes = {code: Outcome(text) for code, text in case.outcomes.items() if code in materials}
    spared = [code for code, outcome in outcomes.items() if outcome in SPARED]
    return {
        "kind": KIND,
        "case": str(case.id),
        "case_number": case.case_number,
        "service_item": item.code,
        "title": item.title,
        "organisation": str(case.organisation_code),
        "organisation_name": organisation_name,
        "run": case.runs,
        "not_requested": [
            _describe(item, materials[code], outcomes[code], known, bases) for code in sorted(spared)
        ],
        "not_required": [_name(each) for each in item.materials if each.code not in outcomes],
        "may_follow": [
            _name(materials[code])
            for code, outcome in sorted(outcomes.items())
            if outcome is Outcome.TOLERATED
        ],
        "still_needed": [
            _name(materials[code]) for code, outcome in sorted(outcomes.items()) if not outcome.is_settled
        ],
    }


def _describe(
    item: ServiceItem,
    material: Material,
    outcome: Outcome,
    known: dict[str, FactRow],
    bases: Sequence[BasisRow],
) -> dict[str, JsonValue]:
    because: list[JsonValue] = [
        _explain(item.fact(code), known[code], bases) for code in material.facts if code in known
    ]
    return {**_name(material), "outcome": str(outcome), "because": because}


def _explain(fact: Fact, row: FactRow, bases: Sequence[BasisRow]) -> dict[str, JsonValue]:
    sources: list[JsonValue] = [
        {
            "kind": each.kind,
            "source": each.source,
            "version": each.source_version,
            "as_of": None if each.as_of is None else each.as_of.isoformat(),
        }
        for each in bases
        if each.fact == fact.code and each.outcome is Outcome.SUPPLIED
    ]
    kinds = [each.kind for each in bases if each.fact == fact.code and each.outcome is Outcome.SUPPLIED]
    return {
        "fact": fact.title,
        "reason": row.code,
        "words": _words(fact, row, kinds),
        "sources": sources,
    }


def _words(fact: Fact, row: FactRow, kinds: Sequence[str]) -> str:
    if row.outcome is Outcome.COMMITTED:
        return "以告知承诺代替"
    if row.outcome is Outcome.WAIVED:
        return "已取消: " + next((way.basis for way in fact.ways if isinstance(way, AbolishedWay)), "")
    if row.code in _CODES:
        return _CODES[row.code]
    return "、".join(dict.fromkeys(_WORDS[kind] for kind in kinds if kind in _WORDS)) or "已核验"


def _name(material: Material) -> dict[str, JsonValue]:
    return {"code": material.code, "title": material.title}
