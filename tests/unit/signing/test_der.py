"""DER: strict where it matters, bounded always."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing import der
from signing.der import Tag
from signing.errors import DecodeError, EncodeError


@given(st.integers(min_value=-(2**300), max_value=2**300))
def test_integer_written_and_read_again_is_the_same(value: int) -> None:
    assert der.read_integer(der.parse_der(der.integer(value))) == value


@given(
    st.tuples(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**128 - 1), max_size=5)).map(
        lambda t: ".".join(map(str, (t[0], t[1], *t[2])))
    )
)
def test_oid_written_and_read_again_is_the_same(dotted: str) -> None:
    assert der.read_oid(der.parse_der(der.oid(dotted))) == dotted


def test_oid_of_a_large_second_arc_is_the_same() -> None:
    assert der.oid("2.999.3").hex() == "0603883703"
    assert der.read_oid(der.parse_der(der.oid("2.999.3"))) == "2.999.3"


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001
def test_time_written_and_read_again_is_the_same_second(moment: datetime) -> None:
    aware = moment.replace(microsecond=0, tzinfo=UTC)
    encoded = der.time(aware)
    assert der.read_time(der.parse_der(encoded)) == aware
    assert (encoded[0] == Tag.UTC_TIME) == (aware.year <= 2049)


@given(st.datetimes(min_value=datetime(1950, 1, 1)))  # noqa: DTZ001
def test_time_with_a_fraction_written_and_read_again_is_the_same(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    node = der.parse_der(der.generalized_time(aware, fraction=True))
    assert der.read_time(node, fraction=True) == aware


def test_time_in_another_zone_is_written_as_utc() -> None:
    beijing = timezone(timedelta(hours=8))
    assert der.time(datetime(2026, 1, 1, 8, tzinfo=beijing)) == b"\x17\x0d260101000000Z"


@given(st.binary(max_size=300), st.integers(0, 30))
def test_explicit_and_implicit_tags_keep_their_content(content: bytes, number: int) -> None:
    part = der.octet_string(content)
    assert der.parse_der(der.explicit(number, part)).only_child("x").raw == part
    assert der.parse_der(der.implicit(number, part)).content == content


@given(st.sets(st.integers(0, 63)))
def test_named_bits_written_and_read_again_are_the_same(bits: set[int]) -> None:
    assert der.read_named_bits(der.parse_der(der.named_bits(bits))) == bits


def test_named_bits_with_trailing_zeros_are_accepted() -> None:
    assert der.read_named_bits(der.parse_der(bytes.fromhex("030200c0"))) == {0, 1}


def test_set_is_written_in_order() -> None:
    assert der.set_of(der.integer(2), der.integer(1)) == bytes.fromhex("3106020101020102")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("", "cut short"),
        ("30", "cut short"),
        ("3003020101ff", "follow the end"),
        ("30800000", "indefinite"),
        ("308103020101", "shortest form"),
        ("30820003020101", "shortest form"),
        ("30850000000003020101", "length of 5 octets"),
        ("3084ffffffff", "claims"),
        ("30ff", "length of 127"),
        ("3004020101", "claims"),
        ("1f8101", "tag numbers above 30"),
        ("0000", "tag of zero"),
        ("3082", "cut short"),
    ],
)
def test_element_with_a_bad_outline_is_refused(octets: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        der.parse_der(bytes.fromhex(octets))


@pytest.mark.parametrize("octets", ["0200", "02020001", "0202ff80"])
def test_integer_not_in_der_is_refused(octets: str) -> None:
    with pytest.raises(DecodeError):
        der.read_integer(der.parse_der(bytes.fromhex(octets)))


@pytest.mark.parametrize("octets", ["0600", "060180", "06028001", "06022a80", "0615" + "ff" * 20 + "01"])
def test_oid_not_in_der_is_refused(octets: str) -> None:
    with pytest.raises(DecodeError):
        der.read_oid(der.parse_der(bytes.fromhex(octets)))


@pytest.mark.parametrize(
    "text",
    [
        b"2601010000Z",
        b"260101000000",
        b"260101000000+0800",
        b"261301000000Z",
        b"260230000000Z",
        b"260101240000Z",
        b"26010100000aZ",
        "２60101000000Z".encode(),
        b"260101000000Z\n",
    ],
)
def test_utc_time_not_in_der_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        der.read_time(der.parse_der(der.encode(Tag.UTC_TIME, text)))


@pytest.mark.parametrize(
    "text", [b"20260101000000.10Z", b"20260101000000.Z", b"20260101000000.5", b"00000101000000Z"]
)
def test_generalized_time_with_a_bad_fraction_or_year_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        der.read_time(der.parse_der(der.encode(Tag.GENERALIZED_TIME, text)), fraction=True)


def test_generalized_time_with_a_fraction_is_refused_where_none_is_allowed() -> None:
    node = der.parse_der(der.encode(Tag.GENERALIZED_TIME, b"20260101000000.5Z"))
    with pytest.raises(DecodeError):
        der.read_time(node)


@pytest.mark.parametrize("octets", ["010101", "010200ff", "0100"])
def test_boolean_not_in_der_is_refused(octets: str) -> None:
    with pytest.raises(DecodeError):
        der.read_boolean(der.parse_der(bytes.fromhex(octets)))


@pytest.mark.parametrize("octets", ["0300", "03020800", "030101", "03020101"])
def test_bit_string_with_wrong_unused_bits_is_refused(octets: str) -> None:
    with pytest.raises(DecodeError):
        der.read_bits(der.parse_der(bytes.fromhex(octets)))


@pytest.mark.parametrize("octets", ["0c01ff", "1e0100", "1302ff41", "0401ff"])
def test_string_that_is_not_text_is_refused(octets: str) -> None:
    with pytest.raises(DecodeError):
        der.read_string(der.parse_der(bytes.fromhex(octets)))


def test_nesting_beyond_the_limit_is_refused_where_it_is_reached() -> None:
    bomb = b"\x05\x00"
    for _ in range(200):
        bomb = der.sequence(bomb)
    node = der.parse_der(bomb)
    for _ in range(der.MAX_DEPTH):
        node = node.only_child("bomb")
    with pytest.raises(DecodeError, match="too deeply"):
        node.only_child("bomb")


def test_more_elements_than_allowed_are_refused() -> None:
    node = der.parse_der(der.sequence(b"\x05\x00" * (der.MAX_CHILDREN + 1)))
    with pytest.raises(DecodeError, match="more than"):
        node.children()


def test_integer_larger_than_allowed_is_refused() -> None:
    with pytest.raises(DecodeError, match="allowed"):
        der.read_integer(der.parse_der(der.encode(Tag.INTEGER, b"\x01" * 4096)))


def test_reader_names_the_structure_when_a_field_is_missing_or_left_over() -> None:
    reader = der.parse_der(der.sequence(der.integer(1), der.null())).reader("Thing")
    reader.take(Tag.INTEGER, "size")
    with pytest.raises(DecodeError, match="Thing: unexpected NULL"):
        reader.finish()
    with pytest.raises(DecodeError, match=r"Thing\.size: INTEGER expected, NULL found"):
        reader.take(Tag.INTEGER, "size")
    with pytest.raises(DecodeError, match="Thing ends too early"):
        reader.any()


@pytest.mark.parametrize(
    ("write", "value"),
    [
        (der.oid, "3.1"),
        (der.oid, "1.40"),
        (der.oid, "1"),
        (der.oid, "1.02"),
        (der.oid, "1.2."),
        (der.printable, "数"),
        (der.printable, "a@b"),
        (der.ia5, "é"),
        (der.utc_time, datetime(2050, 1, 1, tzinfo=UTC)),
        (der.time, datetime(2026, 1, 1)),  # noqa: DTZ001
    ],
)
def test_value_that_the_encoding_cannot_hold_is_refused(write: object, value: object) -> None:
    with pytest.raises(EncodeError):
        write(value)  # type: ignore[operator]


def test_node_keeps_the_original_octets() -> None:
    data = bytes.fromhex("3009020101a0040402abcd")
    node = der.parse_der(data)
    assert node.raw == data
    assert [child.raw for child in node.children()] == [
        bytes.fromhex("020101"),
        bytes.fromhex("a0040402abcd"),
    ]
