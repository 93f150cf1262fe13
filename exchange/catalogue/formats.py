"""The mini-language of item formats (format column of the legal-person specification).

`C18` exactly 18 characters, `C..50` at most 50, `n2` exactly two digits, `n..12` at most twelve,
`N..24,6` a decimal of at most 24 digits, 6 of them after the point, `YYYYMMDD` a day,
`YYYYMMDDhhmmss` a second of Beijing time, `B` yes or no. Lengths count characters, not bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from core.errors import BadInput

MAX_CHARACTERS = 10_000
MAX_DIGITS = 38
_TEXT = re.compile(r"(?P<kind>[Cn])(?P<upto>\.\.)?(?P<length>[1-9][0-9]{0,4})")
_NUMBER = re.compile(r"N\.\.(?P<precision>[1-9][0-9]?)(?:,(?P<scale>[0-9]{1,2}))?")


class Kind(StrEnum):
    """What a format's values are."""

    TEXT = "text"
    DIGITS = "digits"
    DECIMAL = "decimal"
    DAY = "day"
    SECOND = "second"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A parsed format. `min_characters` and `max_characters` bound text; `precision`, `scale` decimals."""

    kind: Kind
    min_characters: int = 0
    max_characters: int = 0
    precision: int = 0
    scale: int = 0

    @property
    def sql_type(self) -> str:
        """The PostgreSQL type of a column of this format."""
        if self.kind is Kind.DECIMAL:
            return f"numeric({self.precision},{self.scale})"
        return _SQL_TYPES[self.kind]

    @property
    def column_type(self) -> str:
        """The type that a column has.

        Text is kept and ordered by code point, which is also the fastest. A decimal's column has no bounds,
        so that a wider format needs no other column; values are cast to the format when they come.
        """
        if self.kind is Kind.DECIMAL:
            return "numeric"
        return f'{self.sql_type} COLLATE "C"' if self.sql_type == "text" else self.sql_type


_SQL_TYPES = {
    Kind.TEXT: "text",
    Kind.DIGITS: "text",
    Kind.DAY: "date",
    Kind.SECOND: "timestamptz",
    Kind.BOOLEAN: "boolean",
}
_FIXED = {
    "YYYYMMDD": Format(kind=Kind.DAY),
    "YYYYMMDDhhmmss": Format(kind=Kind.SECOND),
    "B": Format(kind=Kind.BOOLEAN),
}


@lru_cache(maxsize=10_000)
def parse_format(text: str) -> Format:
    """Read a format. Raises BadInput that shows the forms there are."""
    if text in _FIXED:
        return _FIXED[text]
    if found := _TEXT.fullmatch(text):
        length = int(found["length"])
        if length <= MAX_CHARACTERS:
            kind = Kind.TEXT if found["kind"] == "C" else Kind.DIGITS
            low = 0 if found["upto"] else length
            return Format(kind=kind, min_characters=low, max_characters=length)
    if found := _NUMBER.fullmatch(text):
        precision, scale = int(found["precision"]), int(found["scale"] or 0)
        if precision <= MAX_DIGITS and scale <= precision:
            return Format(kind=Kind.DECIMAL, precision=precision, scale=scale)
    msg = "a format is one of C18, C..50, n2, n..12, N..24,6, YYYYMMDD, YYYYMMDDhhmmss, B"
    raise BadInput(msg)
