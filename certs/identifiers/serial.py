"""The serial part of an identifier, derived from the number that is printed on the certificate."""

from __future__ import annotations

import unicodedata
from typing import Final

from certs.identifiers.check import VALUES
from signing import sm3

MAX_DERIVED_CHARACTERS: Final = 32
TAIL_CHARACTERS: Final = 10


def derive_serial(number: str) -> str:
    """Derive a serial of at most 32 characters of `0-9A-Z` from a printed certificate number.

    A number that already has that form is its own serial. Otherwise (`鲁〔2018〕000012号`, small letters,
    hyphens, over-long) the characters that fit are kept and ten hex digits of the SM3 of the number
    follow, so that numbers which differ only in what was dropped get different serials. The same number
    always gives the same serial. ValueError for a blank number.
    """
    plain = unicodedata.normalize("NFKC", number).strip()
    if not plain:
        msg = "a serial is derived from a certificate number that is not blank"
        raise ValueError(msg)
    kept = "".join(character for character in plain.upper() if character in VALUES)
    if kept == plain and len(kept) <= MAX_DERIVED_CHARACTERS:
        return kept
    tail = sm3.digest(plain.encode("utf-8", "surrogatepass")).hex().upper()[:TAIL_CHARACTERS]
    return kept[: MAX_DERIVED_CHARACTERS - TAIL_CHARACTERS] + tail
