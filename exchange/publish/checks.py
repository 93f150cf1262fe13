"""Vectorised checks and standardisation of columns of text, item by item.

Each function takes Arrow string arrays and answers with arrays of the same length; a mask is true where
the check fails, and never null.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.codes import citizen, credit
from core.codes.divisions import load_divisions
from exchange.catalogue.formats import Format, Kind

LONG_TERM: Final = pa.array(["长期", "永久", "99990909", "9999-09-09"])
FAR_DAY: Final = "9999-12-31"
TRUE_WORDS: Final = pa.array(["1", "true", "是", "Y", "y", "TRUE", "True"])
FALSE_WORDS: Final = pa.array(["0", "false", "否", "N", "n", "FALSE", "False"])
_MONTH_DAYS: Final = pa.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_CREDIT_VALUES: Final = pa.array(list(credit.ALPHABET))
_CITIZEN_CHECKS: Final = pa.array(list(citizen.CHECK_CHARACTERS))
_DIVISION_CODES: Final = pa.array(list(load_divisions()))
_DAY: Final = r"^(\d{4})[-/.年]?(\d{2})[-/.月]?(\d{2})日?$"
_SECOND: Final = r"^(\d{4})-?(\d{2})-?(\d{2})[ T]?(\d{2}):?(\d{2}):?(\d{2})$"
_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


def clean(column: pa.Array, form: Format, *, coded: bool) -> pa.Array:
    """Standardise: no outer blanks, empty is null; digits, days and codes in half width (NFKC)."""
    trimmed = pc.utf8_trim_whitespace(column)
    if coded or form.kind is not Kind.TEXT:
        trimmed = pc.utf8_normalize(trimmed, form="NFKC")
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def never(column: pa.Array) -> pa.Array:
    """Return a mask that is false everywhere."""
    return pa.repeat(pa.scalar(value=False), len(column))


def _fails(passes: pa.Array) -> pa.Array:
    """Turn "passes" (null where the value is null) into a mask of failures."""
    return pc.invert(pc.fill_null(passes, True))


def has_control(column: pa.Array) -> pa.Array:
    """Mask values with NUL or other control characters (tab and line ends are text)."""
    return pc.fill_null(pc.match_substring_regex(column, _CONTROL), False)


def breaks_length(column: pa.Array, form: Format) -> pa.Array:
    """Mask values whose number of characters is outside the format."""
    length = pc.utf8_length(column)
    inside = pc.and_(
        pc.greater_equal(length, form.min_characters), pc.less_equal(length, form.max_characters)
    )
    return _fails(inside)


def breaks_digits(column: pa.Array) -> pa.Array:
    """Mask values that are not ASCII digits."""
    return _fails(pc.match_substring_regex(column, r"^[0-9]+$"))


def breaks_decimal(column: pa.Array, form: Format) -> pa.Array:
    """Mask values that are not decimals of the format's digits."""
    whole = form.precision - form.scale
    fraction = rf"(\.[0-9]{{1,{form.scale}}})?" if form.scale else ""
    pattern = rf"^[+-]?[0-9]{{1,{whole}}}{fraction}$" if whole else rf"^[+-]?0?{fraction}$"
    return _fails(pc.match_substring_regex(column, pattern))


def standardise_day(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Write days as YYYY-MM-DD; return (days, mask of those that do not exist). 长期 becomes 9999-12-31."""
    known = pc.if_else(pc.fill_null(pc.is_in(column, LONG_TERM), False), FAR_DAY, column)
    shaped = pc.fill_null(pc.match_substring_regex(known, _DAY), False)
    days = pc.replace_substring_regex(known, _DAY, r"\1-\2-\3")
    safe = pc.if_else(shaped, days, "2000-01-01")
    exists = day_exists(safe)
    bad = pc.and_(pc.is_valid(column), pc.invert(pc.and_(shaped, exists)))
    return days, bad


def day_exists(days: pa.Array) -> pa.Array:
    """Tell of each YYYY-MM-DD whether the calendar has it."""
    year = pc.cast(pc.utf8_slice_codeunits(days, 0, 4), pa.int32())
    month = pc.cast(pc.utf8_slice_codeunits(days, 5, 7), pa.int32())
    day = pc.cast(pc.utf8_slice_codeunits(days, 8, 10), pa.int32())
    month_real = pc.and_(pc.greater_equal(month, 1), pc.less_equal(month, 12))
    length = pc.take(_MONTH_DAYS, pc.subtract(pc.if_else(month_real, month, 1), 1))
    leap = pc.and_(_divides(year, 4), pc.or_(pc.invert(_divides(year, 100)), _divides(year, 400)))
    length = pc.add(length, pc.cast(pc.and_(leap, pc.equal(month, 2)), pa.int64()))
    day_real = pc.and_(pc.greater_equal(day, 1), pc.less_equal(day, length))
    return pc.and_(pc.and_(month_real, day_real), pc.greater_equal(year, 1))


def _divides(values: pa.Array, divisor: int) -> pa.Array:
    return pc.equal(_modulo(values, divisor), 0)


def _modulo(values: pa.Array, divisor: int) -> pa.Array:
    return pc.subtract(values, pc.multiply(pc.divide(values, divisor), divisor))


def standardise_second(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Write seconds of Beijing time as ISO 8601 with +08; return (times, mask of those that do not exist)."""
    shaped = pc.fill_null(pc.match_substring_regex(column, _SECOND), False)
    safe = pc.if_else(shaped, column, "20000101000000")
    day = pc.replace_substring_regex(safe, _SECOND, r"\1-\2-\3")
    clock = pc.replace_substring_regex(safe, _SECOND, r"\4\5\6")
    clock_real = pc.match_substring_regex(clock, r"^([01]\d|2[0-3])[0-5]\d[0-5]\d$")
    bad = pc.and_(pc.is_valid(column), pc.invert(pc.and_(shaped, pc.and_(day_exists(day), clock_real))))
    return pc.replace_substring_regex(column, _SECOND, r"\1-\2-\3 \4:\5:\6+08"), bad


def standardise_boolean(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Write yes and no as `t` and `f`; return (words, mask of those that are neither)."""
    yes, no = pc.is_in(column, TRUE_WORDS), pc.is_in(column, FALSE_WORDS)
    bad = pc.and_(pc.is_valid(column), pc.invert(pc.or_(yes, no)))
    return pc.if_else(yes, "t", pc.if_else(no, "f", column)), bad


def breaks_code_list(column: pa.Array, codes: pa.Array) -> pa.Array:
    """Mask values that are not in the list."""
    return pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, codes)))


def breaks_division(column: pa.Array) -> pa.Array:
    """Mask six-digit codes that are not in the shipped division table."""
    return breaks_code_list(column, _DIVISION_CODES)


def breaks_citizen_number(column: pa.Array) -> pa.Array:
    """Mask values that are not citizen numbers with a right check character and a real day (GB 11643)."""
    shaped = pc.fill_null(pc.match_substring_regex(column, r"^[0-9]{17}[0-9X]$"), False)
    safe = pc.if_else(shaped, column, "11010519491231002X")
    total = pa.repeat(pa.scalar(0, pa.int32()), len(column))
    for position, weight in enumerate(citizen.WEIGHTS):
        digit = pc.cast(pc.utf8_slice_codeunits(safe, position, position + 1), pa.int32())
        total = pc.add(total, pc.multiply(digit, pa.scalar(weight, pa.int32())))
    right = pc.equal(pc.take(_CITIZEN_CHECKS, _modulo(total, 11)), pc.utf8_slice_codeunits(safe, 17, 18))
    good = pc.and_(shaped, pc.and_(right, day_exists(birth_day_of(safe))))
    return pc.and_(pc.is_valid(column), pc.invert(good))


def birth_day_of(numbers: pa.Array) -> pa.Array:
    """Read the birth days of citizen numbers as YYYY-MM-DD (18 characters are taken for granted)."""
    year = pc.utf8_slice_codeunits(numbers, 6, 10)
    month = pc.utf8_slice_codeunits(numbers, 10, 12)
    day = pc.utf8_slice_codeunits(numbers, 12, 14)
    return pc.binary_join_element_wise(year, month, day, "-")


def breaks_credit_code(column: pa.Array) -> pa.Array:
    """Mask values that are not unified social credit codes with a right check character (GB 32100)."""
    shaped = pc.fill_null(pc.match_substring_regex(column, f"^[{credit.ALPHABET}]{{18}}$"), False)
    safe = pc.if_else(shaped, column, "91990000MA0TE5T088")
    total = pa.repeat(pa.scalar(0, pa.int32()), len(column))
    for position, weight in enumerate(credit.WEIGHTS):
        value = pc.index_in(pc.utf8_slice_codeunits(safe, position, position + 1), _CREDIT_VALUES)
        total = pc.add(total, pc.multiply(value, pa.scalar(weight, pa.int32())))
    check = _modulo(pc.subtract(pa.scalar(31, pa.int32()), _modulo(total, 31)), 31)
    right = pc.equal(pc.take(_CREDIT_VALUES, check), pc.utf8_slice_codeunits(safe, 17, 18))
    return pc.and_(pc.is_valid(column), pc.invert(pc.and_(shaped, right)))


def differs(left: pa.Array, right: pa.Array) -> pa.Array:
    """Mask places where both values are there and are not equal."""
    return pc.fill_null(pc.not_equal(left, right), False)
