"""Matching items to data elements: by name, title, synonym, likeness; differences are told."""

from __future__ import annotations

import pytest

from exchange.catalogue.model import CheckRule, Item
from exchange.elements.match import find_elements, match_item
from exchange.elements.model import Ground
from exchange.elements.service import check_element
from exchange.elements.shipped import SHIPPED_ELEMENTS
from exchange.standards.schemas import STANDARD_SCHEMAS

# title, name, format → the element meant, and why
MEANT = [
    ("公民身份号码", "A1", "C18", "DE00001", Ground.SAME_TITLE),
    ("身份证号", "A1", "C18", "DE00001", Ground.SYNONYM),
    ("申请人身份证号码", "A1", "C18", "DE00001", Ground.SIMILAR_TITLE),
    ("证号", "GMSFHM", "C18", "DE00001", Ground.SAME_NAME),
    ("统一社会信用代码", "dm", "C..32", "SZ.001", Ground.SAME_TITLE),
    ("法人单位统一社会信用代码", "dm", "C18", "SZ.001", Ground.SIMILAR_TITLE),
    ("企业名称", "mc", "C..100", "SZ.020", Ground.SYNONYM),
    ("成立日期", "rq", "YYYYMMDD", "SZ.025", Ground.SYNONYM),
    ("Date of Birth", "dob", "YYYYMMDD", "SZ.014", Ground.SAME_TITLE),
    ("性 别", "x", "C1", "SZ.012", Ground.SAME_TITLE),
]


@pytest.mark.parametrize(("title", "name", "form", "identifier", "ground"), MEANT)
def test_item_is_matched_to_the_element_meant(
    title: str, name: str, form: str, identifier: str, ground: Ground
) -> None:
    best = match_item(Item(name=name, title=title, format=form), SHIPPED_ELEMENTS)[0]
    assert (best.element.identifier, best.ground) == (identifier, ground)


def test_differences_of_width_type_codes_and_check_are_told() -> None:
    item = Item(name="XB", title="性别", format="C..10", check_rule=CheckRule.CREDIT_CODE)
    assert match_item(item, SHIPPED_ELEMENTS)[0].differences == (
        "width: C..10 here, C1 there",
        "code set: none here, gbt2261.1 there",
        "check: credit_code here, none there",
    )
    born = match_item(Item(name="a", title="出生日期", format="C..20"), SHIPPED_ELEMENTS)[0]
    assert born.differences[0] == "type: C..20 here, YYYYMMDD there"
    assert born.score < 0.95


def test_item_that_names_its_element_is_of_it_whatever_it_is_called() -> None:
    item = Item(name="a", title="编号", format="YYYYMMDD", element="SZ.033")
    best = match_item(item, SHIPPED_ELEMENTS)[0]
    assert (best.element.identifier, best.ground, best.score) == ("SZ.033", Ground.NAMED, 1.0)


def test_item_of_nothing_known_matches_nothing() -> None:
    assert match_item(Item(name="a1", title="锅炉蒸汽压力", format="N..5,2"), SHIPPED_ELEMENTS) == []


def test_search_finds_by_synonym_part_and_english() -> None:
    def first(text: str) -> str:
        return find_elements(text, SHIPPED_ELEMENTS)[0].identifier

    assert first("身份证号") == "DE00001"
    assert first("信用代码") == "SZ.001"
    assert first("longitude") == "SZ.033"
    assert first("tyxydm") == "SZ.001"
    assert find_elements("蒸汽", SHIPPED_ELEMENTS) == []
    assert len(find_elements("", SHIPPED_ELEMENTS)) == len(SHIPPED_ELEMENTS)


def test_shipped_elements_are_right_in_themselves() -> None:
    assert [error for each in SHIPPED_ELEMENTS for error in check_element(each)] == []
    assert len({each.identifier for each in SHIPPED_ELEMENTS}) == len(SHIPPED_ELEMENTS)


def test_items_of_ready_schemas_that_an_element_names_have_its_codes_and_check() -> None:
    schema = STANDARD_SCHEMAS["rk_jbxx"]
    named = {"GMSFHM": "DE00001", "XM": "SZ.010", "XB": "SZ.012", "MZ": "SZ.013", "CSRQ": "SZ.014"}
    for item in schema.items:
        if item.name in named:
            best = match_item(item, SHIPPED_ELEMENTS)[0]
            assert (best.element.identifier, best.differences) == (named[item.name], ())
