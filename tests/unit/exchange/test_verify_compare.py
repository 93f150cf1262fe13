"""Values that are the same fact, and values that are not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from exchange.access.values import parse_value
from exchange.catalogue.model import Item
from exchange.verify.compare import is_same, standardise_text

DAY = Item(name="D", title="日", format="YYYYMMDD")
AMOUNT = Item(name="N", title="数", format="N..12,2")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("张三", " 张三　"),
        ("张三", "张　三"),
        ("阿依古丽·买买提", "阿依古丽•买买提"),
        ("阿依古丽·买买提", "阿依古丽・买买提"),
        ("阿依古丽·买买提", "阿依古丽．买买提"),
        ("阿依古丽·买买提", "阿依古丽 · 买买提"),
        ("阿依古丽·买买提", "阿依古丽.买买提"),
        ("ABC-12", "ａｂｃ－１２"),
        ("Li  Lei", "li lei"),
    ],
)
def test_same_text_written_differently_is_same(left: str, right: str) -> None:
    assert is_same(left, right)


@pytest.mark.parametrize(
    ("left", "right"), [("张三", "张叁"), ("x²", "x2"), ("A.B", "A·B"), ("𠮷", "吉"), ("", "x")]
)
def test_different_text_is_not_same(left: str, right: str) -> None:
    assert not is_same(left, right)


@pytest.mark.parametrize(
    "text", ["19900102", "1990-01-02", "1990/1/2", "1990.1.2", "1990年1月2日", " １９９００１０２ "]
)
def test_day_in_any_common_form_is_read(text: str) -> None:
    assert parse_value(DAY, text) == date(1990, 1, 2)


@pytest.mark.parametrize("text", ["19901302", "1990-1/2", "90-01-02", "暂无", "", "1990-01-02T00:00"])
def test_day_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_value(DAY, text)
    assert not text or text not in refused.value.detail


@pytest.mark.parametrize("text", ["1.50", "1.5", 1.5, "１.５", "1.500"])
def test_amount_in_any_form_is_same(text: object) -> None:
    assert is_same(Decimal("1.50"), parse_value(AMOUNT, text))


@given(st.text(max_size=30))
def test_standard_form_is_stable(text: str) -> None:
    once = standardise_text(text)
    assert standardise_text(once) == once
