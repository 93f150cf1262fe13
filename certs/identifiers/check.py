"""Check characters of identifiers: ISO/IEC 7064 MOD 37,36, and the defective routine met in the field."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
LEGACY_ALPHABET: Final = "0123456789?ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Letters count from A = 11; no character has the value 10."""
LEGACY_VALUES: Final = {character: value for value, character in enumerate(LEGACY_ALPHABET)}


class CheckStatus(StrEnum):
    """What the check character of a received identifier is worth."""

    OK = "ok"
    LEGACY_VARIANT = "legacy_variant"
    BAD = "bad"


def compute_check_character(body: str) -> str:
    """Compute the check character over `body`: type, issuer, serial and version, without dots and root.

    ISO/IEC 7064 MOD 37,36 (GB/T 36904-2018). ValueError for characters outside `0-9A-Z`, or none.
    """
    _refuse_foreign_characters(body)
    product = 36
    for character in body:
        total = (product + VALUES[character]) % 36 or 36
        product = total * 2 % 37
    return ALPHABET[(37 - product) % 36]


def compute_legacy_character(body: str) -> str | None:
    """Compute what a defective routine that is deployed in the field writes; None where it has no letter.

    It counts letters from A = 11 and puts the replacement of zero into the wrong one of the two
    reductions. Reconstructed so that it reproduces the one published identifier that carries it
    (Shandong, check `M` where MOD 37,36 gives `D`): agreement is a hint at an old issuer, no proof.
    """
    _refuse_foreign_characters(body)
    product = 36
    for character in body:
        total = (product + LEGACY_VALUES[character]) % 36
        product = total * 2 % 37 or 37
    letter = LEGACY_ALPHABET[37 - product]
    return None if letter == "?" else letter


def assess_check(body: str, check: str) -> CheckStatus:
    """Say what `check` is worth as the check character of `body`. ValueError as `compute_check_character`."""
    if compute_check_character(body) == check:
        return CheckStatus.OK
    return CheckStatus.LEGACY_VARIANT if compute_legacy_character(body) == check else CheckStatus.BAD


def _refuse_foreign_characters(body: str) -> None:
    if not body or any(character not in VALUES for character in body):
        msg = "a check character is computed over characters of 0-9 A-Z, at least one"
        raise ValueError(msg)
