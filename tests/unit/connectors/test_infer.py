"""Inference of mappings: formats, items, and how sure it is."""

from __future__ import annotations

import tomllib
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping.apply import load_mapper
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
