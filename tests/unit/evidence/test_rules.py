"""Rules: read strictly, checked as a model, compared."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SchemaViolation
from evidence.rules.check import check_item
from evidence.rules.conditions import can_hold, holds
from evidence.rules.cycles import order_facts
from evidence.rules.diff import diff_items
from evidence.rules.document import digest_item, dump_item, parse_item
from evidence.rules.model import Combined, Condition, InputCondition, PartyKind, RoleCondition, Severity
from evidence.rules.values import Origin, Value, parse_value
from tests.evidence_rules import EXAMPLES, build_document, build_item

DATASET = {"kind": "dataset", "resource": "r1", "keys": {"K": "$company.code"}}


def test_sound_rules_have_no_findings() -> None:
    assert check_item(build_item(examples=EXAMPLES)) == []


def test_document_survives_a_round_trip() -> None:
    item = build_item()
    assert parse_item(dump_item(item)) == item
    assert dump_item(item) == build_document()
    assert digest_item(parse_item(dump_item(item))) == digest_item(item)


def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def act(document: dict[str, Any]) -> None:
        node: Any = document
        for part in path[:-1]:
            node = node[part]
        if to is ...:
            del node[path[-1]]
        else:
            node[path[-1]] = to

    return act


@pytest.mark.parametrize(
    ("breaking", "pointer"),
    [
        (change("title", to=...), "/title"),
        (change("surplus", to=1), "/surplus"),
        (change("facts", 0, "ways", 0, "kind", to="guess"), "/facts/0/ways/0"),
        (change("facts", 0, "ways", 0, "resource", to=...), "/facts/0/ways/0/resource"),
        (change("facts", 0, "ways", 0, "keys", "tyxydm", to=7), "/facts/0/ways/0/keys/tyxydm"),
        (change("facts", 1, "ways", 1, "days", to=3), "/facts/1/ways/1/days"),
        (change("materials", 2, "when", "is_a", to="ghost"), "/materials/2/when/is_a"),
        (change("materials", 2, "when", "kind", to=...), "/materials/2/when"),
        (change("roles", 1, "required", to="perhaps"), "/roles/1/required"),
        (change("title", to="a\x00b"), "/title"),
    ],
)
def test_malformed_rules_are_refused_with_a_pointer(
    breaking: Callable[[dict[str, Any]], None], pointer: str
) -> None:
    document = build_document()
    breaking(document)
    with pytest.raises(SchemaViolation) as refused:
        parse_item(document)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_rules_nested_without_end_are_refused() -> None:
    condition: dict[str, Any] = {"kind": "role", "role": "company"}
    for _ in range(200):
        condition = {"kind": "all", "of": [condition]}
    document = build_document()
    document["materials"][0]["when"] = condition
    with pytest.raises(SchemaViolation):
        parse_item(document)


@pytest.mark.parametrize(
    ("breaking", "code", "pointer"),
    [
        (change("facts", 0, "ways", to=[]), "NO-WAY", "/facts/0/ways"),
        (change("materials", 0, "facts", to=[]), "NO-FACT", "/materials/0/facts"),
        (change("materials", 0, "facts", to=["ghost"]), "UNKNOWN-FACT", "/materials/0/facts/0"),
        (change("materials", 2, "when", "role", to="ghost"), "UNKNOWN-NAME", "/materials/2/when"),
        (
            change("facts", 0, "ways", 0, "keys", "tyxydm", to="$ghost.code"),
            "REFERENCE",
            "/facts/0/ways/0/keys/tyxydm",
        ),
        (change("form", "company_name", to="$fact.registration.ghost"), "REFERENCE", "/form/company_name"),
        (change("form", "company_name", to="$nonsense"), "REFERENCE", "/form/company_name"),
        (change("roles", 1, "name", to="company"), "DUPLICATE", "/roles/0"),
        (change("facts", 0, "confirm", to="all"), "CONFIRM", "/facts/0/confirm"),
        (change("office", to="123"), "CREDIT-CODE", "/office"),
        (
            change("facts", 3, "ways", to=[{"kind": "abolished", "basis": "x"}, DATASET]),
            "UNREACHABLE",
            "/facts/3/ways/0",
        ),
        (
            change(
                "facts",
                0,
                "ways",
                0,
                "requires",
                to=[
                    {"item": "cxzt", "test": "equals", "values": ["1"]},
                    {"item": "cxzt", "test": "one_of", "values": ["2", "3"]},
                ],
            ),
            "CONTRADICTION",
            "/facts/0/ways/0/requires/1",
        ),
        (
            change(
                "materials",
                2,
                "when",
                to={"kind": "none", "of": [{"kind": "role", "role": "company"}]},
            ),
            "NEVER",
            "/materials/2/when",
        ),
        (
            change(
                "materials",
                3,
                "when",
                to={
                    "kind": "all",
                    "of": [
                        {"kind": "input", "input": "premises", "one_of": ["a"]},
                        {"kind": "input", "input": "premises", "one_of": ["b"]},
                    ],
                },
            ),
            "NEVER",
            "/materials/3/when",
        ),
    ],
)
def test_unsound_rules_are_found(breaking: Callable[[dict[str, Any]], None], code: str, pointer: str) -> None:
    document = build_document()
    breaking(document)
    errors = [each for each in check_item(parse_item(document)) if each.severity is Severity.ERROR]
    assert (code, pointer) in {(each.code, each.pointer) for each in errors}


def waiting(code: str, *needs: str) -> dict[str, Any]:
    keys = {f"K{n}": f"$fact.{need}.a" for n, need in enumerate(needs)} or {"K": "$company.code"}
    return {
        "code": code,
        "title": code,
        "ways": [{"kind": "dataset", "resource": "r1", "keys": keys, "gives": {"a": "A"}}],
    }


def test_facts_that_wait_for_each_other_are_found() -> None:
    facts = [waiting("x", "y"), waiting("y", "z"), waiting("z", "x"), waiting("w")]
    item = build_item(
        facts=facts, materials=[{"code": "M", "title": "m", "facts": ["x", "w"]}], inputs=[], form={}
    )
    found = check_item(item)
    assert [each.code for each in found] == ["CYCLE"]
    assert all(name in found[0].detail for name in "xyz")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_cycle_is_found_exactly_where_there_is_one(edges: list[tuple[int, int]]) -> None:
    needs: dict[int, set[int]] = {number: set() for number in range(6)}
    for before, after in edges:
        needs[after].add(before)
    facts = [waiting(f"f{n}", *(f"f{m}" for m in sorted(of))) for n, of in needs.items()]
    material = {"code": "M", "title": "m", "facts": [f"f{n}" for n in range(6)]}
    item = build_item(facts=facts, materials=[material], inputs=[], form={})
    reached = {number: set(of) for number, of in needs.items()}
    for middle, start in itertools.product(range(6), range(6)):
        if middle in reached[start]:
            reached[start] |= reached[middle]
    has_cycle = any(number in of for number, of in reached.items())
    assert any(each.code == "CYCLE" for each in check_item(item)) is has_cycle
    if not has_cycle:
        rounds = order_facts(item)
        place = {code: n for n, codes in enumerate(rounds) for code in codes}
        assert all(place[f"f{m}"] < place[f"f{n}"] for n, of in needs.items() for m in of)


ROLES = st.builds(
    RoleCondition,
    kind=st.just("role"),
    role=st.sampled_from(["company", "manager"]),
    is_a=st.sampled_from(PartyKind),
)
INPUTS = st.builds(
    InputCondition,
    kind=st.just("input"),
    input=st.sampled_from(["premises", "representative"]),
    one_of=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
)
CONDITIONS = st.recursive(
    ROLES | INPUTS,
    lambda inner: st.builds(
        Combined, kind=st.sampled_from(["all", "any", "none"]), of=st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=6,
)


@given(CONDITIONS)
def test_condition_can_hold_exactly_where_some_case_meets_it(condition: Condition) -> None:
    item = build_item()
    cases = itertools.product([None, PartyKind.PERSON], [None, "a", "b", "c"], [None, "a", "b", "c"])
    met = any(
        holds(
            condition,
            roles={"company": PartyKind.ORGANISATION} | ({} if manager is None else {"manager": manager}),
            inputs={
                name: value
                for name, value in (("premises", one), ("representative", other))
                if value is not None
            },
        )
        for manager, one, other in cases
    )
    assert can_hold(condition, item) is met


def test_value_is_read_as_text_or_reference() -> None:
    assert parse_value("1") == Value(origin=Origin.TEXT, name="1")
    assert parse_value("$$5") == Value(origin=Origin.TEXT, name="$5")
    assert parse_value("$company.code") == Value(origin=Origin.ROLE, name="company", field="code")
    assert parse_value("$input.premises") == Value(origin=Origin.INPUT, name="premises")
    assert parse_value("$fact.f.a") == Value(origin=Origin.FACT, name="f", field="a")
    assert parse_value("$company") is None
    assert parse_value("$company.age") is None


def test_difference_names_the_part_and_both_sides() -> None:
    document = build_document(title="食品经营许可")
    document["facts"][0]["ways"][0]["resource"] = "fr_jbxx2"
    del document["materials"][3]
    document["facts"].reverse()
    found = {
        each.pointer: (each.before, each.after) for each in diff_items(build_item(), parse_item(document))
    }
    assert found["/facts/registration/ways/0/resource"] == ("fr_jbxx", "fr_jbxx2")
    assert found["/title"] == ("食品经营许可（新办）", "食品经营许可")
    assert found["/materials/M04"][1] is None
    assert len(found) == 3


@pytest.mark.parametrize(("number", "is_for_reuse"), [(0, False), (1, True), (2, True), (3, False)])
def test_reuse_of_a_fact_that_cannot_be_taken_over_is_warned_of(number: int, is_for_reuse: bool) -> None:
    document = build_document()
    document["facts"][number]["reuse_days"] = 7
    found = {each.code: each.severity for each in check_item(parse_item(document))}
    assert found.get("NOT-REUSABLE") == (None if is_for_reuse else Severity.WARNING)


@pytest.mark.parametrize(("number", "is_followed"), [(0, True), (1, True), (3, False)])
def test_rule_of_changes_for_a_fact_without_a_source_is_warned_of(number: int, is_followed: bool) -> None:
    document = build_document()
    document["facts"][number]["on_change"] = "recheck"
    found = {each.code: each.severity for each in check_item(parse_item(document))}
    assert found.get("NOT-FOLLOWED") == (None if is_followed else Severity.WARNING)
