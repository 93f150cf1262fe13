"""Citizen numbers (公民身份号码) after GB 11643."""

from __future__ import annotations

from datetime import date
from operator import mul

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
LENGTH = 18


def compute_check_character(first17: str) -> str:
    """Compute the 18th character of a citizen number (ISO 7064 MOD 11-2, GB 11643).

    `first17` must be 17 ASCII digits; ValueError otherwise.
    """
    if len(first17) != LENGTH - 1 or not (first17.isascii() and first17.isdigit()):
        msg = "a citizen number begins with 17 digits"
        raise ValueError(msg)
    total = sum(map(mul, WEIGHTS, map(int, first17)))
    return CHECK_CHARACTERS[total % 11]


def is_check_valid(number: str) -> bool:
    """Tell whether `number` is 17 digits and the right check character (`X` upper case).

    The division part is not looked up: retired divisions, 81/82/83 (residence permits) and 9 (permanent
    residence cards) are all genuine. The date part is judged by `read_birth_on`.
    """
    body, check = number[:17], number[17:]
    if len(number) != LENGTH or not (body.isascii() and body.isdigit()):
        return False
    return compute_check_character(body) == check


def read_birth_on(number: str) -> date | None:
    """Read the birth date in positions 7 to 14; None where no such day exists."""
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def read_sex(number: str) -> str:
    """Read the sex code of GB/T 2261.1 from position 17: `1` male (odd), `2` female (even)."""
    return "1" if int(number[16]) % 2 else "2"
