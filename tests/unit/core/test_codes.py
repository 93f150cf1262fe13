"""Check characters against published numbers, and every single-character mistake."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codes import citizen, credit


@pytest.mark.parametrize(
    "number", ["11010519491231002X", "440524188001010014", "990000200002290028", "810000199901010014"]
)
def test_published_citizen_number_is_valid(number: str) -> None:
    assert citizen.is_check_valid(number)


@pytest.mark.parametrize(
    "number", ["", "11010519491231002x", "1101051949123100２X", "11010519491231002", "X" * 18]
)
def test_malformed_citizen_number_is_not_valid(number: str) -> None:
    assert not citizen.is_check_valid(number)


def test_birth_date_that_does_not_exist_reads_as_none() -> None:
    assert citizen.read_birth_on("990000200002290028") == date(2000, 2, 29)
    assert citizen.read_birth_on("990000200102290020") is None


@given(
    body=st.text("0123456789", min_size=17, max_size=17), place=st.integers(0, 16), digit=st.integers(0, 9)
)
def test_any_wrong_digit_breaks_a_citizen_number(body: str, place: int, digit: int) -> None:
    number = body + citizen.compute_check_character(body)
    changed = number[:place] + str(digit) + number[place + 1 :]
    assert citizen.is_check_valid(changed) == (changed == number)


@pytest.mark.parametrize(
    "code",
    [
        "111000000000131433",
        "11100000MB03271699",
        "11100000000013338W",
        "91350100M000100Y43",
        "91990000MA0TE5T088",
    ],
)
def test_published_credit_code_is_valid_inside_and_out(code: str) -> None:
    assert credit.is_check_valid(code)
    assert credit.is_inner_check_valid(code)


@given(
    body=st.text(credit.ALPHABET, min_size=17, max_size=17),
    place=st.integers(0, 16),
    other=st.sampled_from(credit.ALPHABET),
)
def test_any_wrong_character_breaks_a_credit_code(body: str, place: int, other: str) -> None:
    code = body + credit.compute_check_character(body)
    changed = code[:place] + other + code[place + 1 :]
    assert credit.is_check_valid(changed) == (changed == code)
