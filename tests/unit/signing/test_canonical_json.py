"""Canonical JSON: the rules of RFC 8785 for our types, and everything that is refused."""

from __future__ import annotations

import json
import os
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.canonical_json import (
    BYTES_PER_VALUE,
    MAX_DENSE_VALUES,
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    build_canonical_json,
    parse_canonical_json,
    parse_json,
)
from signing.errors import DecodeError, EncodeError

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_members_stand_in_the_order_of_utf16_code_units() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    text = build_canonical_json(dict.fromkeys(names, 0)).decode()
    assert list(json.loads(text)) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("name", ["企业名称", "\ud7ff", "\ue000", "\U0001f600", "\uffff"])
def test_member_beyond_ascii_stands_where_its_utf16_code_units_sort(name: str) -> None:
    names = [name, "住所", "a", "\ufb33", "\U0001f601"]
    text = build_canonical_json({"outer": [dict.fromkeys(names, ())]}).decode()
    sorted_names = sorted(dict.fromkeys(names), key=lambda each: each.encode("utf-16-be"))
    assert list(json.loads(text)["outer"][0]) == sorted_names


def test_strings_escape_only_what_json_demands() -> None:
    value = '\x00\x1f\b\t\n\f\r"\\/\x7f€中\u2028😀'
    expected = '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\x7f€中\u2028😀"'
    assert build_canonical_json(value) == expected.encode()


def test_value_of_every_type_has_one_spelling() -> None:
    value = {"b": [1, -2, True, False, None, {}], "a": {"y": "", "x": ()}}
    assert build_canonical_json(value) == b'{"a":{"x":[],"y":""},"b":[1,-2,true,false,null,{}]}'


def test_enumerations_are_written_as_their_values() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Count(IntEnum):
        ONE = 1

    assert build_canonical_json({Colour.RED: [Colour.RED, Count.ONE]}) == b'{"red":["red",1]}'


@given(value=VALUES)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_values_round_trip_and_their_spelling_is_stable(value: object) -> None:
    data = build_canonical_json(value)
    assert parse_canonical_json(data) == value
    assert build_canonical_json(parse_json(json.dumps(value, indent=2).encode())) == data


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        b"bytes",
        {1: "a"},
        {"a", "b"},
        object(),
        MAX_SAFE_INTEGER + 1,
        -MAX_SAFE_INTEGER - 1,
        "\ud800",
        {"\udc00": 1},
        [[[1.5]]],
    ],
)
def test_value_without_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(EncodeError):
        build_canonical_json(value)


def test_nesting_is_bounded() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert parse_canonical_json(build_canonical_json(value)) == value
    with pytest.raises(EncodeError):
        build_canonical_json([value])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b'{"a":1,"a":2}',
        b"1.0",
        b"1e3",
        b"-0",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"9" * 5000,
        b'"\xff"',
        b'"\\ud800"',
        b'"\x01"',
        b"[1,]",
        b"[" * 100_000,
        b"[" * 70 + b"]" * 70,
        b"\xef\xbb\xbf1",
        b"1 2",
    ],
)
def test_json_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_json(data)


@pytest.mark.parametrize("unit", [b"{}", b"[]", b"1", b'""', b'{"a":1}', b"[[[[]]]]", b"null"])
def test_json_of_too_many_tiny_values_is_refused_before_it_is_read(unit: bytes) -> None:
    """A mebibyte of tiny objects would take a parser longer than anything that one may send here."""
    crowded = b"[" + b",".join([unit] * (MAX_DENSE_VALUES + 1)) + b"]"
    with pytest.raises(DecodeError):
        parse_json(crowded)
    marks = 1 + unit.count(b"[") + unit.count(b"{")
    roomy = [unit.ljust(BYTES_PER_VALUE * marks)] * (MAX_DENSE_VALUES // marks + 1)
    wide = b",".join(roomy)
    assert isinstance(parse_json(b"[" + wide + b"]"), list), "as many values are read where they have room"
    few = b"[" + b",".join([unit] * (MAX_DENSE_VALUES // 20)) + b"]"
    assert isinstance(parse_json(few), list)


def test_names_beyond_the_basic_plane_are_canonical_in_utf16_order_alone() -> None:
    data = '{"\U0001f600":0,"\ufb33":1}'.encode()
    assert parse_canonical_json(data) == {"\U0001f600": 0, "\ufb33": 1}
    with pytest.raises(DecodeError):
        parse_canonical_json('{"\ufb33":1,"\U0001f600":0}'.encode())


@pytest.mark.parametrize("data", [b" 1", b'{"b":1,"a":2}', b'"\\u0041"', b"[1, 2]", b'"\\/"'])
def test_json_in_another_spelling_is_not_canonical(data: bytes) -> None:
    parse_json(data)
    with pytest.raises(DecodeError):
        parse_canonical_json(data)


@given(
    data=st.binary(max_size=60)
    | st.text(alphabet='{}[]":,0123456789eE.+-truefalsn\\u ', max_size=40).map(str.encode)
)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_bytes_are_read_as_json_or_refused(data: bytes) -> None:
    try:
        value = parse_json(data)
    except DecodeError:
        return
    assert parse_canonical_json(build_canonical_json(value)) == value
