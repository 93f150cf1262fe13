"""Keeping personal numbers out of the log, wherever a caller may have written one."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.codes import citizen

# That nothing goes before is looked at after the first digit: a pattern that begins with what it may begin
# with is searched for three times as fast, and every leaf is searched.
_EIGHTEEN = re.compile(r"[1-9](?<![0-9A-Za-z].)[0-9]{16}[0-9Xx](?![0-9A-Za-z])", re.DOTALL)


def contains_number(text: str) -> bool:
    """Tell whether a text holds something that reads as a citizen number (GB 11643)."""
    return any(_is_number(match[0]) for match in _EIGHTEEN.finditer(text))


def mask_numbers(text: str, hash_number: Callable[[str], bytes]) -> str:
    """Replace every citizen number in a text by `hmac-sm3:` and its keyed hash in hex."""

    def mask(match: re.Match[str]) -> str:
        number = match[0].upper()
        return f"hmac-sm3:{hash_number(number).hex()}" if _is_number(number) else match[0]

    return _EIGHTEEN.sub(mask, text)


def _is_number(text: str) -> bool:
    number = text.upper()
    return citizen.is_check_valid(number) and citizen.read_birth_on(number) is not None
