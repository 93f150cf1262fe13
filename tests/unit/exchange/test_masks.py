"""Masks, working days and addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.access.addresses import is_same_address, parse_address
from exchange.access.deadlines import is_working_day
from exchange.access.masks import Mask, MaskKind, mask_text, parse_mask
from exchange.catalogue.model import Item
from exchange.verify.compare import find_difference, find_former_item, is_match, standardise_text
from exchange.verify.model import Difference
from tests.exchange_world import build_resource

TODAY = date(2026, 11, 25)
NAME = Item(name="XM", title="姓名", format="C..50")
NUMBER = Item(name="GMSFHM", title="公民身份号码", format="C18")
ADDRESS = Item(name="ZS", title="住所", format="C..200")
UNTIL = Item(name="YXQZ", title="有效期至", format="YYYYMMDD")


@pytest.mark.parametrize(
    ("kind", "text", "masked"),
    [
        (MaskKind.NAME, "张三", "张*"),
        (MaskKind.NAME, "阿依古丽·买买提", "阿***"),
        (MaskKind.NAME, "张", "张*"),
        (MaskKind.ID_NUMBER, "990101199001010010", "990***********0010"),
        (MaskKind.PHONE, "13800138000", "138****8000"),
        (MaskKind.PHONE, "12345", "*****"),
        (MaskKind.ADDRESS, "北京市海淀区中关村大街1号", "北京市海淀区****"),
        (MaskKind.ADDRESS, "浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区****"),
        (MaskKind.ADDRESS, "文三路1号", "****"),
        (MaskKind.FULL, "x", "***"),
    ],
)
def test_named_mask_hides_what_its_name_says(kind: MaskKind, text: str, masked: str) -> None:
    assert mask_text(Mask(kind=kind), text) == masked


@given(st.text(max_size=40), st.integers(0, 10), st.integers(0, 10))
def test_keeping_mask_shows_no_character_beyond_those_kept(text: str, first: int, last: int) -> None:
    mask = parse_mask({"keep_first": first, "keep_last": last})
    assert mask is not None
    masked = mask_text(mask, text)
    if len(text) <= first + last:
        assert set(masked) == {"*"}
    else:
        assert masked == text[:first] + "*" * (len(text) - first - last) + (text[-last:] if last else "")


@pytest.mark.parametrize(
    "written", ["keep", "blur", 1, None, {}, {"keep_first": -1}, {"keep": 1}, {"keep_last": True}]
)
def test_what_is_no_mask_is_not_read(written: object) -> None:
    assert parse_mask(written) is None


def test_working_days_follow_the_statutory_calendar_and_the_table() -> None:
    assert not is_working_day(date(2025, 10, 1), {})
    assert is_working_day(date(2025, 9, 28), {}), "a Sunday worked for the national holiday"
    assert is_working_day(date(2025, 10, 1), {date(2025, 10, 1): True})
    assert not is_working_day(date(2090, 1, 7), {}), "a Saturday beyond the library's years"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("北京市海淀区中关村大街1号", "海淀区中关村大街1号"),
        ("浙江省杭州市西湖区北山街道文三路1号", "杭州市西湖区文三路1号"),
        ("海淀区中关村大街一号楼三层", "海淀区中关村大街1号楼3层"),
        ("海淀区中关村大街２０号３栋", "海淀区中关村大街20号3幢"),
        ("海淀区知春路二十三号", "海淀区知春路23号"),
    ],
)
def test_same_address_at_other_levels_matches(left: str, right: str) -> None:
    assert is_match(ADDRESS, left, right)
    assert is_match(ADDRESS, right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("海淀区中关村大街1号", "朝阳区中关村大街1号"),
        ("海淀区中关村大街1号", "中关村大街1号"),
        ("海淀区中关村大街1号", "海淀区中关村大街11号"),
        ("北京市朝阳区人民路1号", "长春市朝阳区人民路1号"),
    ],
)
def test_other_address_does_not_match(left: str, right: str) -> None:
    assert not is_match(ADDRESS, left, right)


@given(st.text(max_size=60))
def test_every_text_reads_as_an_address_that_is_itself(text: str) -> None:
    address = parse_address(standardise_text(text))
    assert is_same_address(address, address)


@pytest.mark.parametrize(
    ("item", "stored", "asserted", "former", "kind"),
    [
        (NAME, "王新", "王旧", "王旧、王老", Difference.FORMER_NAME),
        (NAME, "王新", "李四", "王旧", Difference.OTHER),
        (NUMBER, "990101199001010010", "990101199001010100", None, Difference.TRANSPOSED_DIGITS),
        (NUMBER, "990101199001010010", "990101199001010011", None, Difference.OTHER),
        (UNTIL, date(2026, 1, 1), date(2027, 1, 1), None, Difference.EXPIRED),
        (UNTIL, date(2026, 12, 12), date(2026, 12, 21), None, Difference.TRANSPOSED_DIGITS),
        (ADDRESS, "海淀区中关村大街1号", "海淀区中关村大街", None, Difference.ADDRESS_LEVEL),
        (ADDRESS, "海淀区中关村大街1号", "朝阳区中关村大街", None, Difference.OTHER),
    ],
)
def test_difference_says_the_kind(item: Item, stored, asserted, former, kind: Difference) -> None:
    assert find_difference(item, stored, asserted, former=former, today=TODAY) is kind


def test_former_names_are_found_by_title() -> None:
    people = build_resource()
    former = Item(name="CYM", title="曾用名", format="C..50")
    resource = replace(people, items=(NAME, former))
    assert find_former_item(resource, NAME) is former
    assert find_former_item(resource, NUMBER) is None
