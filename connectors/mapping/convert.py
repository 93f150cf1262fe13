"""Values of any type as text in the form that a format wants; what cannot be read stays as it was."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import TerminalError
from connectors.mapping.formats import Format, Kind

BEIJING: Final = "Asia/Shanghai"
_DAY: Final = r"^(?P<y>[0-9]{4})[-/.年](?P<m>[0-9]{1,2})[-/.月](?P<d>[0-9]{1,2})日?"
_REST_OF_DAY: Final = r"(?:[T ]00:00(?::00(?:\.0+)?)?)?$"
_TIME: Final = r"[T ](?P<h>[0-9]{1,2}):(?P<i>[0-9]{2})(?P<rest>:(?P<s>[0-9]{2})(?P<part>\.[0-9]+)?)?$"
_DAY_PARTS: Final = (("year", 4), ("month", 2), ("day", 2))
_SECOND_PARTS: Final = (*_DAY_PARTS, ("hour", 2), ("minute", 2), ("second", 2))
_TRUE: Final = ("true", "t", "yes", "y", "1", "是", "有")
_FALSE: Final = ("false", "f", "no", "n", "0", "否", "无")


def to_text(column: pa.Array, form: Format | None, *, name: str) -> pa.Array:
    """Write a column as text. Raises TerminalError for nested columns."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            column = pc.local_timestamp(column.cast(pa.timestamp(kind.unit, BEIJING)))
        day_only = form is not None and form.kind is Kind.DAY
        seconds = pc.floor_temporal(column, unit="second").cast(pa.timestamp("s"))
        return _write_digits(seconds, _DAY_PARTS if day_only else _SECOND_PARTS)
    if pa.types.is_date(kind):
        is_second = form is not None and form.kind is Kind.SECOND
        return _write_digits(column.cast(pa.timestamp("s")), _SECOND_PARTS if is_second else _DAY_PARTS)
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        msg = f"column {name} is of type {kind}, which has no text; leave it out or CAST it at the source"
        raise TerminalError(msg) from None


def _write_digits(times: pa.Array, parts: tuple[tuple[str, int], ...]) -> pa.Array:
    """Write times as YYYYMMDD or YYYYMMDDhhmmss, by way of one number: ten times as fast as strftime."""
    ends = pc.min_max(pc.year(times)).as_py()
    width = sum(digits for _, digits in parts)
    if ends["min"] is not None and not (ends["min"] >= 1 and ends["max"] <= 9999):
        return pc.strftime(times, format="%Y%m%d%H%M%S" if width > len("YYYYMMDD") else "%Y%m%d")
    number = pa.scalar(0, pa.int64())
    for name, digits in parts:
        value = getattr(pc, name)(times)
        number = pc.add(pc.multiply(number, 10**digits), value)
    return pc.utf8_lpad(number.cast(pa.string()), width, "0")


def convert(text: pa.Array, form: Format) -> pa.Array:
    """Bring text into the form that the format wants; what cannot be read stays as it was."""
    if form.kind is Kind.DAY:
        return _convert_day(text)
    if form.kind is Kind.SECOND:
        return _convert_second(text)
    if form.kind is Kind.BOOLEAN:
        low = pc.utf8_lower(text)
        yes, no = (pc.is_in(low, pa.array(words)) for words in (_TRUE, _FALSE))
        return pc.if_else(yes, "true", pc.if_else(no, "false", text))
    return text


def _convert_day(text: pa.Array) -> pa.Array:
    found = pc.extract_regex(text, _DAY + _REST_OF_DAY)
    day = _join(found, ("y", "m", "d"))
    return pc.coalesce(day, text)


def _convert_second(text: pa.Array) -> pa.Array:
    found = pc.extract_regex(text, _DAY + _TIME)
    second = _join(found, ("y", "m", "d", "h", "i", "s"))
    day = _join(pc.extract_regex(text, _DAY + "$"), ("y", "m", "d"))
    return pc.coalesce(second, pc.binary_join_element_wise(day, "000000", ""), text)


def _join(found: Any, names: tuple[str, ...]) -> Any:
    parts = [pc.utf8_lpad(pc.struct_field(found, name), 4 if name == "y" else 2, "0") for name in names]
    return pc.binary_join_element_wise(*parts, "")
