"""The mini-language of item formats: which values fit one.

`C18` exactly 18 characters, `C..50` at most 50, `n2` two digits, `n..12` at most twelve, `N..24,6` a decimal
of at most 24 digits, 6 of them after the point, `YYYYMMDD`, `YYYYMMDDhhmmss` (Beijing time), `B`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import ConfigurationError

MAX_DIGITS: Final = 38
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
    """A parsed format: bounds of text in characters, digits of decimals."""

    text: str
    kind: Kind
    min_characters: int = 0
    max_characters: int = 0
    precision: int = 0
    scale: int = 0

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of values that fit."""
        if self.kind is Kind.DECIMAL:
            return pa.decimal128(self.precision, self.scale)
        return _ARROW_TYPES[self.kind]


_ARROW_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.DIGITS: pa.string(),
    Kind.DAY: pa.date32(),
    Kind.SECOND: pa.timestamp("s", "Asia/Shanghai"),
    Kind.BOOLEAN: pa.bool_(),
}
_FIXED: Final = {"YYYYMMDD": Kind.DAY, "YYYYMMDDhhmmss": Kind.SECOND, "B": Kind.BOOLEAN}


def parse_format(text: str) -> Format:
    """Read a format. Raises ConfigurationError that shows the forms there are."""
    if text in _FIXED:
        return Format(text=text, kind=_FIXED[text])
    if found := _TEXT.fullmatch(text):
        length = int(found["length"])
        kind = Kind.TEXT if found["kind"] == "C" else Kind.DIGITS
        low = 0 if found["upto"] else length
        return Format(text=text, kind=kind, min_characters=low, max_characters=length)
    if found := _NUMBER.fullmatch(text):
        precision, scale = int(found["precision"]), int(found["scale"] or 0)
        if precision <= MAX_DIGITS and scale <= precision:
            return Format(text=text, kind=Kind.DECIMAL, precision=precision, scale=scale)
    msg = f"{text!r} is no format; write one as C18, C..50, n2, n..12, N..24,6, YYYYMMDD, YYYYMMDDhhmmss or B"
    raise ConfigurationError(msg)


def fits(values: pa.Array, form: Format) -> Any:
    """Tell of each value (text as `convert` writes it) whether it fits; null fits everything."""
    if form.kind is Kind.DECIMAL:
        whole = form.precision - form.scale
        digits = rf"[0-9]{{0,{whole}}}" if whole else "0?"
        part = rf"(\.[0-9]{{0,{form.scale}}}0*)?" if form.scale else r"(\.0*)?"
        found = pc.match_substring_regex(values, rf"^[+-]?0*{digits}{part}$")
        found = pc.and_(found, pc.match_substring_regex(values, "[0-9]"))
    elif form.kind in {Kind.DAY, Kind.SECOND}:
        found = _is_time(values, form.kind)
    elif form.kind is Kind.BOOLEAN:
        found = pc.is_in(values, pa.array(["true", "false"]))
        found = pc.if_else(pc.is_valid(values), found, pa.scalar(None, pa.bool_()))
    else:
        length = pc.utf8_length(values)
        found = pc.and_(
            pc.greater_equal(length, form.min_characters), pc.less_equal(length, form.max_characters)
        )
        if form.kind is Kind.DIGITS:
            found = pc.and_(found, pc.match_substring_regex(values, "^[0-9]+$"))
    return pc.fill_null(found, True)


def _is_time(values: pa.Array, kind: Kind) -> Any:
    """Tell whether days (and seconds) of the calendar stand there."""
    pattern = "%Y%m%d" if kind is Kind.DAY else "%Y%m%d%H%M%S"
    shape = pc.match_substring_regex(values, rf"^[0-9]{{{8 if kind is Kind.DAY else 14}}}$")
    tried = pc.if_else(shape, values, pa.scalar(None, pa.string()))
    read = pc.strptime(tried, format=pattern, unit="s", error_is_null=True)
    # strptime takes the 31st of June for the 1st of July: what is read must read back alike.
    return pc.if_else(shape, pc.fill_null(pc.equal(pc.strftime(read, format=pattern), values), False), shape)
