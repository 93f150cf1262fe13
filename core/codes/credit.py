"""Unified social credit codes (统一社会信用代码) after GB 32100, organisation codes after GB 11714."""

from __future__ import annotations

from operator import mul

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
VALUES = {character: value for value, character in enumerate(ALPHABET)}
WEIGHTS = tuple(pow(3, position, 31) for position in range(17))
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
LENGTH = 18


def compute_check_character(first17: str) -> str:
    """Compute the 18th character of a unified social credit code (GB 32100-2015).

    ValueError where `first17` is not 17 characters of the alphabet (no I, O, S, V, Z).
    """
    values = [VALUES[character] for character in first17 if character in VALUES]
    if len(first17) != LENGTH - 1 or len(values) != LENGTH - 1:
        msg = "a unified social credit code begins with 17 characters of 0-9 A-Z without I O S V Z"
        raise ValueError(msg)
    total = sum(map(mul, WEIGHTS, values))
    return ALPHABET[(31 - total % 31) % 31]


def compute_organisation_check(first8: str) -> str:
    """Compute the ninth character of an organisation code (GB 11714); letters count from A = 10."""
    if len(first8) != 8 or not (first8.isascii() and first8.isalnum() and first8 == first8.upper()):
        msg = "an organisation code begins with 8 characters of 0-9 A-Z"
        raise ValueError(msg)
    total = sum(weight * int(c, 36) for weight, c in zip(ORGANISATION_WEIGHTS, first8, strict=True))
    return "0123456789X0"[11 - total % 11]


def is_check_valid(code: str) -> bool:
    """Tell whether `code` is a unified social credit code whose outer check character is right."""
    if len(code) != LENGTH:
        return False
    try:
        return compute_check_character(code[:17]) == code[17]
    except ValueError:
        return False


def is_inner_check_valid(code: str) -> bool:
    """Tell whether positions 9 to 17 carry the check of GB 11714.

    Registers hold genuine codes whose inner check fails, so callers warn and do not reject.
    """
    return len(code) == LENGTH and compute_organisation_check(code[8:16]) == code[16]


def build_code(first8: str, organisation8: str) -> str:
    """Build a whole code from authority+type+division (8 characters) and an organisation number (8)."""
    body = first8 + organisation8 + compute_organisation_check(organisation8)
    return body + compute_check_character(body)
