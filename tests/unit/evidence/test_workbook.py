"""Service items as Excel: what is written is read again, and what is wrong is pointed at."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, SchemaViolation
from evidence.rules.document import parse_item
from evidence.workbook.cells import (
    read_choice,
    read_condition,
    read_list,
    read_pairs,
    read_requirements,
    write_condition,
    write_list,
    write_pairs,
    write_requirements,
)
from evidence.workbook.read import read_workbook
from evidence.workbook.table import TableForm, write_table
from evidence.workbook.write import write_workbook
from tests.evidence_rules import EXAMPLES, ITEM_CODE, build_document, build_item

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
CONDITIONS = st.recursive(
    st.builds(lambda role: {"kind": "role", "role": role}, TEXTS)
    | st.builds(lambda role: {"kind": "role", "role": role, "is_a": "person"}, TEXTS)
    | st.builds(lambda name: {"kind": "input", "input": name}, TEXTS)
    | st.builds(
        lambda name, values: {"kind": "input", "input": name, "one_of": values},
        TEXTS,
        st.lists(TEXTS, min_size=1, max_size=3),
    ),
    lambda inner: st.builds(
        lambda kind, of: {"kind": kind, "of": of},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


def full_document() -> dict[str, Any]:
    """Build rules that use everything that there is."""
    document = build_document(examples=EXAMPLES, bundles=["开办企业", "a|b"])
    document["facts"][0] |= {"confirm": "all", "reuse_days": 30, "on_change": "recheck"}
    document["facts"][0]["ways"] += [
        {
            "kind": "certificate",
            "type_code": "11100000000013338W001",
            "holder": "company",
            "gives": {"name": "frmc"},
            "requires": [
                {"item": "zt", "test": "one_of", "values": ["a b", "c|d"]},
                {"item": "yxq", "test": "not_past"},
                {"item": "jyfw", "test": "filled"},
            ],
        },
        {
            "kind": "credit",
            "resource": "xy",
            "where": {"dm": "$company.code"},
            "clean": "present",
            "max_age_days": 7,
        },
        {"kind": "request", "department": document["office"], "question": "是否=登记？", "within_days": 3},
    ]
    document["facts"][3]["ways"] = [{"kind": "abolished", "basis": "=HYPERLINK(1)"}]
    document["materials"][3]["when"] = {
        "kind": "all",
        "of": [
            document["materials"][3]["when"],
            {"kind": "none", "of": [{"kind": "role", "role": "manager"}]},
        ],
    }
    return document


def test_workbook_survives_a_round_trip() -> None:
    items = [parse_item(full_document()), build_item(code="另一事项")]
    assert [each.item for each in read_workbook(write_workbook(items))] == items


def test_cells_that_look_like_formulas_are_written_as_text() -> None:
    book = openpyxl.load_workbook(io.BytesIO(write_workbook([parse_item(full_document())])))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert "=HYPERLINK(1)" in {cell.value for cell in cells}


def test_table_for_people_holds_no_formula() -> None:
    hostile = ["=1+1", "+1", "-1", "@x", "\tx", " =1", "＝1"]
    rows = [{"a": text} for text in [*hostile, "plain", "a=1"]]
    data = write_table(TableForm.CSV, name="n", columns={"a": "列"}, rows=rows).decode("utf-8-sig")
    cells = [cell for (cell,) in csv.reader(io.StringIO(data))]
    assert cells == ["列", *(f"'{text}" for text in hostile), "plain", "a=1"]
    sheet = openpyxl.load_workbook(
        io.BytesIO(write_table(TableForm.XLSX, name="n", columns={"a": "列"}, rows=rows))
    ).active
    assert sheet is not None
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}


@given(CONDITIONS)
def test_condition_survives_a_round_trip(condition: dict[str, Any]) -> None:
    assert read_condition(write_condition(condition)) == condition


@given(st.dictionaries(TEXTS, TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_pairs_and_lists_survive_a_round_trip(pairs: dict[str, str], values: list[str]) -> None:
    assert read_pairs(write_pairs(pairs)) == pairs
    assert read_list(write_list(values)) == values
    assert read_choice(write_list(values, "|")) == values


@given(
    st.lists(
        st.builds(lambda item, value: {"item": item, "test": "equals", "values": [value]}, TEXTS, TEXTS)
        | st.builds(
            lambda item, values: {"item": item, "test": "one_of", "values": values},
            TEXTS,
            st.lists(TEXTS, min_size=1, max_size=3),
        )
        | st.builds(lambda item: {"item": item, "test": "filled"}, TEXTS),
        max_size=4,
    )
)
def test_requirements_survive_a_round_trip(requirements: list[dict[str, Any]]) -> None:
    assert read_requirements(write_requirements(requirements)) == requirements


@given(st.text(max_size=40))
def test_any_text_in_a_cell_is_read_or_refused_in_words(text: str) -> None:
    for read in (read_condition, read_pairs, read_list, read_choice, read_requirements):
        with contextlib.suppress(ValueError):
            read(text)


def edit(act: Callable[[Any], None], document: dict[str, Any] | None = None) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(write_workbook([parse_item(document or full_document())])))
    act(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def put(sheet: str, cell: str, value: object) -> Callable[[Any], None]:
    def act(book: Any) -> None:
        book[sheet][cell] = value

    return act


@pytest.mark.parametrize(
    ("act", "pointer", "code"),
    [
        (put("材料", "E4", "role manager is"), "/材料/4/条件", "CELL"),
        (put("材料", "E4", "role manager is ghost"), "/材料/4/条件", "RULE-FORM"),
        (put("材料", "C2", None), "/材料/2/材料名称", "MISSING"),
        (put("材料", "A2", "nosuch"), "/材料/2/事项编码", "UNKNOWN"),
        (put("方式", "C2", "猜测"), "/方式/2/方式", "CELL"),
        (put("方式", "C2", None), "/方式/2/方式", "MISSING"),
        (put("方式", "D2", None), "/方式/2/来源", "MISSING"),
        (put("方式", "F2", "tyxydm"), "/方式/2/查询键", "CELL"),
        (put("方式", "I2", "cxzt is 1"), "/方式/2/要求", "CELL"),
        (put("方式", "K2", "3"), "/方式/2/时限(天)", "SURPLUS"),
        (put("方式", "M2", "x"), "/方式/2/文本", "SURPLUS"),
        (put("方式", "L4", "soon"), "/方式/4/数据最长天数", "CELL"),
        (put("方式", "B2", "nosuch"), "/方式/2/事实", "UNKNOWN"),
        (put("事项", "B2", "坏\x7f"), "/事项/2/事项名称", "CONTROL-CHARACTER"),
        (put("样例", "C2", "company=ghost"), "/样例/2/申请人", "CELL"),
        (put("角色", "E2", "maybe"), "/角色/2/必填", "CELL"),
    ],
)
def test_cell_that_is_wrong_is_pointed_at(act: Callable[[Any], None], pointer: str, code: str) -> None:
    with pytest.raises(SchemaViolation) as caught:
        read_workbook(edit(act))
    assert (pointer, code) in [(each.pointer, each.code) for each in caught.value.errors]
    sheet, row = pointer.split("/")[1:3]
    assert all(f"sheet {sheet}, row {row}" in each.detail for each in caught.value.errors)


def test_every_wrong_cell_is_named_at_once() -> None:
    def act(book: Any) -> None:
        book["材料"]["E4"] = "role"
        book["角色"]["D2"] = "鬼"
        book["方式"]["K5"] = "x"

    with pytest.raises(SchemaViolation) as caught:
        read_workbook(edit(act))
    assert {each.pointer.split("/")[1] for each in caught.value.errors} == {"材料", "角色", "方式"}


def test_numbers_that_excel_made_of_codes_are_read_as_codes() -> None:
    (read,) = read_workbook(edit(put("事项", "D2", 990000)))
    assert read.item.region == "990000"


@pytest.mark.parametrize("data", [b"", b"no workbook", b"PK\x03\x04 broken"])
def test_document_that_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_workbook(data)


def test_sheet_with_strange_columns_is_refused() -> None:
    with pytest.raises(BadInput, match="unknown: 奇怪"):
        read_workbook(edit(put("材料", "F1", "奇怪")))
    with pytest.raises(BadInput, match=r"missing: 事项编码"):
        read_workbook(edit(put("材料", "A1", None)))


def test_findings_of_the_model_checker_are_located() -> None:
    (read,) = read_workbook(write_workbook([build_item()]))
    assert read.draft.locate("/facts/0/ways/0/keys/tyxydm") == "/方式/2/查询键"
    assert read.draft.locate("/materials/3/when/of/0") == "/材料/5/条件"
    assert read.draft.locate("/form/company_name") == "/表单预填/2"
    assert read.draft.locate("/examples") == "/事项/2"
    assert read.item.code == ITEM_CODE
