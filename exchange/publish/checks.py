"""Checks and standardisation of whole columns, item by item.

Values are Arrow arrays; a mask (numpy) is true where the check fails, and null never fails.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.codes.divisions import load_divisions
from exchange.catalogue.formats import Format, Kind
from exchange.publish.columns import FixedCells, Mask, TextColumn, to_mask
from exchange.publish.days import day_numbers

TRUE_WORDS: Final = pa.array(["1", "true", "是", "Y", "y", "TRUE", "True", "t", "yes"])
FALSE_WORDS: Final = pa.array(["0", "false", "否", "N", "n", "FALSE", "False", "f", "no"])
PLACEHOLDERS: Final = pa.array(["无", "暂无", "不详", "未知", "-", "--", "—", "/", "null", "NULL", "N/A"])
_DIVISION_CODES: Final = pa.array(list(load_divisions()))
_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_NULL: Final = pa.scalar(None, pa.string())


def clean(column: pa.Array, form: Format, *, coded: bool) -> pa.Array:
    """Standardise: no outer blanks, empty is null; digits, days and codes in half width (NFKC)."""
    trimmed, cells = column, TextColumn(column)
    if cells.may_hold_blanks:
        trimmed = pc.utf8_trim_whitespace(column)
        cells = TextColumn(trimmed)
    if (coded or form.kind is not Kind.TEXT) and not cells.is_ascii:
        trimmed = pc.utf8_normalize(trimmed, form="NFKC")
        cells = TextColumn(trimmed)
    if (cells.valid & (cells.lengths == 0)).any():
        trimmed = pc.if_else(pc.equal(trimmed, ""), _NULL, trimmed)
    return trimmed


def blank_placeholders(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Make what stands for "nothing" null (无, 暂无, -): (column, mask of those places)."""
    found = to_mask(pc.fill_null(pc.is_in(column, PLACEHOLDERS), False))
    return (pc.if_else(pa.array(found), _NULL, column), found) if found.any() else (column, found)


def never(count: int) -> Mask:
    """Return a mask of `count` places that is false everywhere."""
    return np.zeros(count, dtype=np.bool_)


def _fails(passes: pa.Array) -> Mask:
    """Turn "passes" (null where the value is null) into a mask of failures."""
    return ~to_mask(pc.fill_null(passes, True))


def has_control(column: pa.Array) -> Mask:
    """Mask values with NUL or other control characters (tab and line ends are text)."""
    if TextColumn(column).is_printable:
        return never(len(column))
    return to_mask(pc.fill_null(pc.match_substring_regex(column, _CONTROL), False))


def breaks_length(column: pa.Array, form: Format) -> Mask:
    """Mask values whose number of characters is outside the format."""
    cells = TextColumn(column)
    length = cells.characters
    bad: Mask = cells.valid & ((length < form.min_characters) | (length > form.max_characters))
    return bad


def breaks_digits(column: pa.Array) -> Mask:
    """Mask values that are not ASCII digits."""
    if TextColumn(column).is_digits:
        return never(len(column))
    return _fails(pc.match_substring_regex(column, r"^[0-9]+$"))


def standardise_decimal(column: pa.Array, form: Format) -> tuple[pa.Array, Mask]:
    """Read decimals of the format's digits: (decimal128, mask of the others)."""
    whole = form.precision - form.scale
    fraction = rf"(\.[0-9]{{1,{form.scale}}})?" if form.scale else ""
    pattern = rf"^[+-]?[0-9]{{1,{whole}}}{fraction}$" if whole else rf"^[+-]?0?{fraction}$"
    bad = _fails(pc.match_substring_regex(column, pattern))
    safe = pc.if_else(pa.array(bad), _NULL, column) if bad.any() else column
    return safe.cast(pa.decimal128(form.precision, form.scale)), bad


def standardise_boolean(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Read yes and no: (booleans, mask of those that are neither)."""
    yes, no = pc.is_in(column, TRUE_WORDS), pc.is_in(column, FALSE_WORDS)
    bad = to_mask(pc.and_(pc.is_valid(column), pc.invert(pc.or_(yes, no))))
    return pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_())), bad


def breaks_code_list(column: pa.Array, codes: pa.Array) -> Mask:
    """Mask values that are not in the list."""
    return to_mask(pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, codes))))


def breaks_division(column: pa.Array) -> Mask:
    """Mask six-digit codes that are not in the shipped division table."""
    return breaks_code_list(column, _DIVISION_CODES)


def citizen_cells(column: pa.Array, bad: Mask) -> FixedCells:
    """Return the bytes of the citizen numbers that are right, for checks against other items."""
    fixed = TextColumn(column).fixed(18)
    good = ~bad[fixed.places]
    if good.all():
        return fixed
    return FixedCells(places=fixed.places[good], cells=fixed.cells[:, good])


def birth_day_differs(numbers: FixedCells, days: pa.Array) -> Mask:
    """Mask rows whose day (date32) is not the one in the citizen number."""
    born, _ = day_numbers(numbers.cells[6:14] - np.uint8(0x30))
    told = pc.fill_null(days.view(pa.int32()), np.iinfo(np.int32).min).to_numpy(zero_copy_only=False)
    there = to_mask(days.is_valid())
    mask = never(len(days))
    places = numbers.places
    mask[places] = there[places] & (told[places] != born)
    return mask


def sex_differs(numbers: FixedCells, sexes: pa.Array) -> Mask:
    """Mask rows whose sex (GB/T 2261.1, 1 or 2) is not the one in the citizen number; other codes pass."""
    single = TextColumn(sexes).fixed(1)
    told = np.zeros(len(sexes), dtype=np.uint8)
    told[single.places] = single.cells[0]
    expected = np.where(numbers.cells[16] & 1, ord("1"), ord("2")).astype(np.uint8)
    mask = never(len(sexes))
    here = told[numbers.places]
    mask[numbers.places] = ((here == ord("1")) | (here == ord("2"))) & (here != expected)
    return mask


def is_after_other(first: pa.Array, second: pa.Array) -> Mask:
    """Mask rows where `first` is later than `second`, both being there."""
    return to_mask(pc.fill_null(pc.greater(first, second), False))


def is_day(days: pa.Array, day: date) -> Mask:
    """Mask the days that are `day`."""
    return to_mask(pc.fill_null(pc.equal(days, pa.scalar(day, pa.date32())), False))
