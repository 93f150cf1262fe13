"""Days and seconds of whole columns, as numbers, judged by the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.china_time import china_day
from exchange.publish.columns import Bytes, Mask, TextColumn, to_mask

LAST_YEAR: Final = 9999
LONG_TERM: Final = pa.array(["长期", "永久", "长期有效"])
BEIJING_AHEAD_S: Final = 8 * 3600
FIRST_SECOND: Final = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
"""Earlier seconds are of the year 0 in UTC, which neither Python nor JSON can write."""
_DAY_FORM: Final = r"^(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?$"
_SEPARATORS: Final = np.frombuffer(b"-/.", dtype=np.uint8)
_FAR_DAY: Final = (date(9999, 12, 31) - date(1970, 1, 1)).days
_LONG_TERM_DAY: Final = (date(9999, 9, 9) - date(1970, 1, 1)).days
_SECOND_FORM: Final = r"^(\d{4})[-/]?(\d{2})[-/]?(\d{2})[ T]?(\d{2}):?(\d{2}):?(\d{2})$"


def _build_months() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Build, for month `12 * year + month - 1`, its first day since 1970-01-01 and its length in days."""
    firsts = np.arange(np.datetime64("0000-01"), np.datetime64("10000-02"), dtype="datetime64[M]")
    days = firsts.astype("datetime64[D]").astype(np.int32)
    lengths = np.diff(days)
    lengths[:12] = 0  # there is no year 0
    return days[:-1], lengths


_FIRST_DAYS, _MONTH_LENGTHS = _build_months()


def day_numbers(digits: Bytes) -> tuple[NDArray[np.int32], Mask]:
    """Read eight rows of digits (values, not characters) as YYYYMMDD: (days since 1970, mask of real days).

    What is not a digit has a value over 9. Where the mask is false the day is 0.
    """
    numeric: Mask = digits.max(axis=0, initial=0) <= 9
    tens = digits[::2] * np.uint8(10) + digits[1::2]  # of what is no digit the sums mean nothing
    century, year, month, day = tens.astype(np.int16)
    sound = numeric & (month >= 1) & (month <= 12)
    index = np.where(sound, (century.astype(np.int32) * 100 + year) * 12 + month - 1, 0)
    sound &= (day >= 1) & (day <= _MONTH_LENGTHS[index])
    return np.where(sound, _FIRST_DAYS[index] + day - 1, 0).astype(np.int32), sound


def standardise_days(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Read days as date32: (days, mask of cells that are no day). Null where there is none.

    `YYYYMMDD` is the form; `2024-02-09`, `2024/2/9`, `2024.02.09` and `2024年2月9日` are read too, and what
    means "without end" becomes 9999-12-31.
    """
    cells = TextColumn(column)
    days = np.zeros(len(cells), dtype=np.int32)
    real = np.zeros(len(cells), dtype=np.bool_)
    plain, dashed = cells.fixed(8), cells.fixed(10)
    days[plain.places], real[plain.places] = day_numbers(plain.cells - np.uint8(0x30))
    if dashed.places.size:
        digits = dashed.cells[[0, 1, 2, 3, 5, 6, 8, 9]] - np.uint8(0x30)
        found, sound = day_numbers(digits)
        sound &= np.isin(dashed.cells[4], _SEPARATORS) & np.isin(dashed.cells[7], _SEPARATORS)
        days[dashed.places], real[dashed.places] = np.where(sound, found, 0), sound
    rest = np.flatnonzero(cells.valid & ~real)
    if rest.size:
        days[rest], real[rest] = _read_other_forms(column.take(pa.array(rest)))
    days[real & (days == _LONG_TERM_DAY)] = _FAR_DAY
    bad: Mask = cells.valid & ~real
    return pa.array(days, mask=~real).view(pa.date32()), bad


def _read_other_forms(column: pa.Array) -> tuple[NDArray[np.int32], Mask]:
    days = np.zeros(len(column), dtype=np.int32)
    real: Mask = to_mask(pc.is_in(column, LONG_TERM))
    days[real] = _FAR_DAY
    parts = pc.extract_regex(column, _DAY_FORM)
    year, month, day = (pc.struct_field(parts, name) for name in ("y", "m", "d"))
    joined = TextColumn(
        pc.binary_join_element_wise(
            year, pc.utf8_lpad(month, 2, padding="0"), pc.utf8_lpad(day, 2, padding="0"), ""
        )
    )
    fixed = joined.fixed(8)
    days[fixed.places], real[fixed.places] = day_numbers(fixed.cells - np.uint8(0x30))
    return days, real


def standardise_seconds(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Read seconds of Beijing time as timestamps in UTC: (times, mask of cells that are none)."""
    cells = TextColumn(column)
    fixed = cells.fixed(14)
    if len(fixed.places) != cells.valid.sum() or not cells.is_digits:
        cells = TextColumn(pc.replace_substring_regex(column, _SECOND_FORM, r"\1\2\3\4\5\6"))
        fixed = cells.fixed(14)
    digits = fixed.cells - np.uint8(0x30)
    days, sound = day_numbers(digits[:8])
    clock = np.where(digits[8:] <= 9, digits[8:], 99).astype(np.int64)
    hour, minute, second = (clock[place] * 10 + clock[place + 1] for place in (0, 2, 4))
    sound &= (hour < 24) & (minute < 60) & (second < 60)
    total = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second - BEIJING_AHEAD_S
    sound &= total >= FIRST_SECOND
    times = np.zeros(len(cells), dtype=np.int64)
    real = np.zeros(len(cells), dtype=np.bool_)
    times[fixed.places], real[fixed.places] = np.where(sound, total * 1_000_000, 0), sound
    bad: Mask = cells.valid & ~real
    return pa.array(times, mask=~real).view(pa.timestamp("us", "UTC")), bad


def is_after(values: pa.Array, moment: datetime) -> Mask:
    """Mask the times later than `moment`, and the days later than its day in Beijing.

    9999-12-31 means "without end" and is not.
    """
    end: date | datetime = china_day(moment)
    if not pa.types.is_date(values.type):
        end = moment.astimezone(UTC)
    late = pc.greater(values, pa.scalar(end, values.type))
    if pa.types.is_date(values.type):
        endless = pc.equal(values, pa.scalar(date(LAST_YEAR, 12, 31), values.type))
        late = pc.and_not(late, endless)
    return to_mask(pc.fill_null(late, False))
