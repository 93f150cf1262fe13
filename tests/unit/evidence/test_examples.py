"""Example applicants: what is required of them, by which ways, and what fails."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from evidence.rules.check import check_item
from evidence.rules.examples import find_demand
from evidence.rules.model import PartyKind, Severity
from tests.evidence_rules import EXAMPLES, build_document, build_item

COMPANY = {"company": PartyKind.ORGANISATION}


def findings(examples: list[dict[str, Any]], **changes: Any) -> list[tuple[str, str, str]]:
    found = check_item(build_item(examples=examples, **changes))
    return [(each.pointer, each.code, each.detail) for each in found if each.severity is Severity.ERROR]


def test_demand_follows_the_conditions_and_what_is_stated() -> None:
    item = build_item()
    demand = find_demand(item, roles=COMPANY, inputs={"premises": "leased"})
    assert demand.required == ("M01", "M02", "M04")
    assert demand.ways == {"registration": (0,), "representative": (1,), "lease": (0,)}
    both = find_demand(item, roles=COMPANY | {"manager": PartyKind.PERSON}, inputs={"representative": "张三"})
    assert both.required == ("M01", "M02", "M03")
    assert both.ways["representative"] == (0, 1)


def test_way_that_waits_for_a_fact_is_open_only_where_that_fact_can_give_it() -> None:
    document = build_document()
    waiting = {
        "kind": "verification",
        "resource": "rk_jbxx",
        "subject": {"GMSFHM": "$fact.manager_identity.number"},
        "assertions": {"XM": "$input.representative"},
    }
    giving = {
        "kind": "dataset",
        "resource": "rk_jbxx",
        "keys": {"GMSFHM": "$manager.code"},
        "gives": {"number": "GMSFHM"},
    }
    document["facts"][1]["ways"] = [waiting]
    document["facts"][2]["ways"] = [giving]
    item = build_item(facts=document["facts"])
    inputs = {"representative": "张三"}
    assert find_demand(item, roles=COMPANY, inputs=inputs).ways["representative"] == ()
    filled = COMPANY | {"manager": PartyKind.PERSON}
    assert find_demand(item, roles=filled, inputs=inputs).ways["representative"] == (0,)


def test_example_that_expects_too_few_too_many_or_other_ways_fails_by_name() -> None:
    examples = copy.deepcopy(EXAMPLES)
    examples[0]["required"].remove("M04")
    examples[1]["required"].append("M03")
    examples[1]["ways"] = {"representative": ["verification"], "lease": ["tolerance"]}
    found = findings(examples)
    assert [(pointer, code) for pointer, code, _ in found] == [
        ("/examples/0/required", "EXAMPLE-FAILED"),
        ("/examples/1/required", "EXAMPLE-FAILED"),
        ("/examples/1/ways/representative", "EXAMPLE-FAILED"),
        ("/examples/1/ways/lease", "EXAMPLE-FAILED"),
    ]
    assert "租赁场所的企业，配管理员" in found[0][2]
    assert all("自有场所的企业" in detail for _, _, detail in found[1:])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"roles": {}}, "/examples/0/roles"),
        ({"roles": {"company": "person"}}, "/examples/0/roles/company"),
        ({"roles": {"company": "any"}}, "/examples/0/roles/company"),
        ({"roles": {"company": "organisation", "ghost": "person"}}, "/examples/0/roles/ghost"),
        ({"inputs": {"ghost": "1"}}, "/examples/0/inputs/ghost"),
        ({"required": ["M01", "M09"]}, "/examples/0/required/1"),
        ({"ways": {"ghost": []}}, "/examples/0/ways/ghost"),
        ({"name": " "}, "/examples/0/name"),
    ],
)
def test_example_that_is_no_applicant_of_the_item_is_an_error(change: dict[str, Any], pointer: str) -> None:
    assert pointer in [found[0] for found in findings([EXAMPLES[1] | change])]


def test_two_examples_of_one_name_are_an_error() -> None:
    assert {found[1] for found in findings([EXAMPLES[1], EXAMPLES[1]])} == {"DUPLICATE"}


def test_condition_that_no_example_makes_hold_is_a_warning() -> None:
    found = check_item(build_item(examples=[EXAMPLES[1]]))
    assert {(each.pointer, each.code, each.severity) for each in found} == {
        ("/materials/2/when", "UNTESTED", Severity.WARNING),
        ("/materials/3/when", "UNTESTED", Severity.WARNING),
    }
