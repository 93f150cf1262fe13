"""Structured fields after RFC 8941: the document's own examples, round trips, and every refusal."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.errors import DecodeError, EncodeError
from signing.structured_fields import (
    InnerList,
    Item,
    Token,
    build_dictionary,
    build_inner_list,
    build_item,
    build_list,
    parse_dictionary,
    parse_item,
    parse_list,
)

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))

KEYS = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,6}", fullmatch=True)
DECIMALS = st.decimals(-999_999_999_999, 999_999_999_999, places=3, allow_nan=False)
BARE = (
    st.booleans()
    | st.integers(-999_999_999_999_999, 999_999_999_999_999)
    | DECIMALS
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
    | st.from_regex(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]{0,8}", fullmatch=True).map(Token)
    | st.binary(max_size=8)
)
PARAMETERS = st.dictionaries(KEYS, BARE, max_size=3)
ITEMS = st.builds(Item, BARE, PARAMETERS)
MEMBERS = ITEMS | st.builds(
    lambda items, p: InnerList(tuple(items), p), st.lists(ITEMS, max_size=3), PARAMETERS
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-42", -42),
        ("0042", 42),
        ("-0", 0),
        ("999999999999999", 999_999_999_999_999),
        ("4.5", Decimal("4.5")),
        ("-1.250", Decimal("-1.25")),
        ('"hello \\"world\\" \\\\"', 'hello "world" \\'),
        ('""', ""),
        ("foo123/456", Token("foo123/456")),
        ("*a", Token("*a")),
        (":cHJldGVuZCB0aGlzIGlzIGJpbmFyeSBjb250ZW50Lg==:", b"pretend this is binary content."),
        ("::", b""),
        ("?1", True),
        ("?0", False),
        ("  5  ", 5),
    ],
)
def test_bare_items_of_every_kind_are_read(text: str, value: object) -> None:
    item = parse_item(text)
    assert item == Item(value)
    assert type(item.value) is type(value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("sugar, tea, rum", "sugar, tea, rum"),
        ('("foo" "bar"), ("baz"), ("bat" "one"), ()', '("foo" "bar"), ("baz"), ("bat" "one"), ()'),
        ('( "foo"; a=1;b=2 );lvl=5, ("bar" "baz");lvl=1', '("foo";a=1;b=2);lvl=5, ("bar" "baz");lvl=1'),
        ('abc;a=1;b=2; cde_456, (ghi;jk=4 l);q="9";r=w', 'abc;a=1;b=2;cde_456, (ghi;jk=4 l);q="9";r=w'),
        ("1; a; b=?0", "1;a;b=?0"),
        ("a\t ,\t b", "a, b"),
        ("", ""),
    ],
)
def test_lists_of_rfc_8941_are_read_and_written(text: str, canonical: str) -> None:
    assert build_list(parse_list(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('en="Applepie", da=:w4ZibGV0w6ZydGU=:', 'en="Applepie", da=:w4ZibGV0w6ZydGU=:'),
        ("a=?0, b, c; foo=bar", "a=?0, b, c;foo=bar"),
        ("rating=1.5, feelings=(joy sadness)", "rating=1.5, feelings=(joy sadness)"),
        ("a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid", "a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid"),
        ("a=1,    b=2;x=1;y=2,   c=(a   b   c), d", "a=1, b=2;x=1;y=2, c=(a b c), d"),
        ("a=1, b=2, a=3", "a=3, b=2"),
        ("a=?1", "a"),
    ],
)
def test_dictionaries_of_rfc_8941_are_read_and_written(text: str, canonical: str) -> None:
    assert build_dictionary(parse_dictionary(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--1",
        "-",
        "1.",
        "1.2345",
        "1234567890123.1",
        "1000000000000000",
        "1 2",
        '"open',
        '"bad \\n escape"',
        '"caf\u00e9"',
        '"tab\t"',
        "?2",
        "?",
        ":====:",
        ":YQ:",
        ":YR==:",
        ":YQ==",
        ":Y Q=:",
        "a;",
        "a;A=1",
        "a;b=",
        "@x",
        "٣",
        "a,b",
        "(1)",
        "\t5",
        "1.-5",
        "a\x00",
    ],
)
def test_item_that_deviates_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_item(text)


@pytest.mark.parametrize(
    "text", ["a,", "a b", ",a", "a,,b", "(a", "(a,b)", "(a(b))", '("a""b")', "(1\t2)", "()x"]
)
def test_list_that_deviates_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_list(text)


@pytest.mark.parametrize("text", ["a=", "A=1", "a=1,", "=1", "a=1 b=2", "1=1", "a=(1", "a==1"])
def test_dictionary_that_deviates_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_dictionary(text)


@given(item=ITEMS)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_items_round_trip(item: Item) -> None:
    assert parse_item(build_item(item)) == item


@given(members=st.lists(MEMBERS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_lists_round_trip(members: list[Item | InnerList]) -> None:
    assert list(parse_list(build_list(members))) == members


@given(members=st.dictionaries(KEYS, MEMBERS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_dictionaries_round_trip(members: dict[str, Item | InnerList]) -> None:
    parsed = parse_dictionary(build_dictionary(members))
    assert parsed == members
    assert list(parsed) == list(members)


@pytest.mark.parametrize(
    "value",
    [
        10**15,
        -(10**15),
        Decimal("1e12"),
        Decimal("NaN"),
        Decimal("Infinity"),
        "caf\u00e9",
        "a\nb",
        Token("1a"),
        Token(""),
    ],
)
def test_value_outside_the_format_cannot_be_written(value: int | Decimal | str) -> None:
    with pytest.raises(EncodeError):
        build_item(Item(value))
    with pytest.raises(EncodeError):
        build_inner_list(InnerList((), {"a": value}))


@pytest.mark.parametrize("key", ["", "A", "1a", "a b", "caf\u00e9", "a\n"])
def test_name_outside_the_format_cannot_be_written(key: str) -> None:
    with pytest.raises(EncodeError):
        build_dictionary({key: Item(1)})


def test_decimals_are_rounded_to_three_places_half_to_even() -> None:
    written = [build_item(Item(Decimal(text))) for text in ("1.0005", "1.0015", "2", "-0.1", "0.0004")]
    assert written == ["1.0", "1.002", "2.0", "-0.1", "0.0"]


def test_token_is_not_the_string_of_the_same_letters() -> None:
    assert Token("a") != "a"
    assert Token("a") == Token("a")
    assert len({Token("a"), "a", Token("a")}) == 2


@given(text=st.text(max_size=60) | st.text(alphabet='ab1-.,;=()":?* \\\t/Q', max_size=60))
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_text_is_read_and_then_stable_or_refused(text: str) -> None:
    for parse, build in (
        (parse_item, build_item),
        (parse_list, build_list),
        (parse_dictionary, build_dictionary),
    ):
        try:
            value = parse(text)
        except DecodeError:
            continue
        canonical = build(value)
        assert parse(canonical) == value
        assert build(parse(canonical)) == canonical


@pytest.mark.parametrize(
    "text",
    ["(" * 1_000_000, '"' + "\\\\" * 500_000, "a," * 400_000, "a;" * 500_000, " " * 10**6, "1" * 10**6],
)
def test_long_hostile_text_is_refused_in_linear_time(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_list(text + "(")
