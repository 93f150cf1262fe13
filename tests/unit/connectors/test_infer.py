"""Inference of mappings: formats, items, and how sure it is."""

from __future__ import annotations

import tomllib
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping.apply import load_mapper
from connectors.mapping.code_lists import match_codes
from connectors.mapping.infer import Target, infer_mapping, lower_bound, write_toml
from connectors.model import Batch

ROWS = pa.table(
    {
        "no": [f"XK{n:04}" for n in range(40)],
        "性别": ["1", "2"] * 20,
        "amount": ["1.50", "-20", "3", None] * 10,
        "granted": ["2026年3月1日", "2026-03-02"] * 20,
        "at": ["2026-03-01 10:11:12"] * 40,
        "day": [date(2026, 1, 1)] * 40,
        "yes": [True, False] * 20,
        "empty": pa.array([None] * 40, pa.string()),
    }
)


def test_formats_are_the_narrowest_that_all_values_fit() -> None:
    found = {guess.column: guess.format for guess in infer_mapping(ROWS)}
    assert found == {
        "no": "C6",
        "性别": "n1",
        "amount": "N..6,2",
        "granted": "YYYYMMDD",
        "at": "YYYYMMDDhhmmss",
        "day": "YYYYMMDD",
        "yes": "B",
        "empty": "C..100",
    }


def test_items_are_found_by_title_and_values_and_none_twice() -> None:
    targets = [
        Target(name="XKBH", title="no", format="C6"),
        Target(name="XB", title="性别", format="n1"),
        Target(name="JE", title="amounts", format="N..24,6"),
        Target(name="RQ", title="granted", format="C1"),
    ]
    found = {guess.column: guess for guess in infer_mapping(ROWS, targets)}
    assert {name: guess.to for name, guess in found.items() if guess.to} == {
        "no": "XKBH",
        "性别": "XB",
        "amount": "JE",
        "granted": "RQ",
    }
    assert found["no"].sure > 0.9
    assert 0.5 < found["amount"].sure < found["no"].sure
    assert found["granted"].sure == 0  # the name is alike, but no value fits
    assert found["性别"].codes == ("1", "2")


def test_few_rows_make_it_less_sure_than_many() -> None:
    few, many = (infer_mapping(ROWS.slice(0, size))[0].sure for size in (2, 40))
    assert few < many < 1
    assert lower_bound(10, 10) < lower_bound(1000, 1000) < 1


def test_proposal_is_a_mapping_that_fits_its_own_sample() -> None:
    mapping = tomllib.loads(write_toml(infer_mapping(ROWS)))["mapping"]
    mapper = load_mapper(mapping)
    assert mapper is not None
    mapper.apply(Batch(rows=ROWS.to_batches()[0]))
    assert {name: count.hit_rate for name, count in mapper.counts.items() if count.hit_rate is not None} == {
        name: 1.0 for name in ROWS.column_names if name != "empty"
    }


@given(st.text(min_size=1), st.lists(st.text(max_size=5), min_size=6, max_size=6))
def test_no_name_and_no_value_breaks_out_of_the_proposal(name: str, values: list[str]) -> None:
    try:
        rows = pa.table({name: pa.array(values, pa.string())})
    except (UnicodeEncodeError, ValueError):
        return
    mapping = tomllib.loads(write_toml(infer_mapping(rows)))["mapping"]
    assert mapping["column"][0]["from"] == name


@pytest.mark.parametrize("hits", [0, 1, 5])
def test_lower_bound_lies_below_the_share(hits: int) -> None:
    assert 0 <= lower_bound(hits, 5) <= hits / 5


SEX = {"0": "未知的性别", "1": "男性", "2": "女性", "9": "未说明的性别"}


def test_codes_are_translated_by_title_number_and_likeness_with_how_sure_that_is() -> None:
    found = {each.code: each for each in match_codes(["男性", "女", "01", "9", "外星"], SEX)}
    assert {code: each.to for code, each in found.items()} == {
        "男性": "1",
        "女": "2",
        "01": "1",
        "9": "9",
        "外星": None,
    }
    assert found["男性"].sure == 1.0 > found["女"].sure > 0.5
    assert found["9"].sure == 0.5  # the others are strangers to the list, so this may be chance
    assert match_codes(["9", "1"], SEX)[0].sure == 0.9
    assert found["外星"].sure == 0


def test_code_that_is_as_like_two_titles_is_left_open() -> None:
    (found,) = match_codes(["未"], {"1": "未婚", "2": "未知"})
    assert (found.to, found.why) == (None, "1 and 2 are as like it")


def test_proposal_translates_codes_of_the_item_and_fits_its_own_sample() -> None:
    rows = pa.table({"性别": ["男", "女", "女", "不男不女"] * 10, "民族": ["01", "02"] * 20})
    targets = [
        Target(name="XB", title="性别", format="n1", codes=SEX),
        Target(name="MZ", title="民族", format="n2", codes={"01": "汉族", "02": "蒙古族"}),
    ]
    text = write_toml(infer_mapping(rows, targets))
    mapping = tomllib.loads(text)["mapping"]
    assert mapping["codes"] == {"XB": {"女": "2", "男": "1"}}
    assert '# "不男不女" = ""  # nothing in the list is like it' in text
    assert [column.get("codes") for column in mapping["column"]] == ["XB", None]
    mapper = load_mapper(mapping)
    assert mapper is not None
    mapper.apply(Batch(rows=rows.to_batches()[0]))
    assert mapper.counts["XB"].hit_rate == 0.75


@given(st.lists(st.text(max_size=4), max_size=9), st.dictionaries(st.text(max_size=3), st.text(max_size=4)))
def test_translation_proposes_only_codes_of_the_list(seen: list[str], wanted: dict[str, str]) -> None:
    found = match_codes(seen, wanted)
    assert [each.code for each in found] == seen
    assert all(each.to is None or each.to in wanted for each in found)
    assert all((each.to is None) == (each.sure == 0) for each in found)
