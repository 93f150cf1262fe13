"""The domain words of counters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.china_time import CHINA_TIME
from core.errors import FieldError, SchemaViolation

_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """The cases that an office opened for an item in a month of China time.

    Materials are counted as each case's last run left them: `required` of the cases; `supplied` by sources,
    `waived`, `undertaken` (commitment, later delivery), `remaining`. `saved` is what nobody had to hand in:
    supplied and waived. `asked` is what the office recorded to have asked for, `needless` of it what it was
    not to. `queries` are accesses to sources in all runs, `took_ms` the time of all runs, `longest_ms` the
    longest. `closed_s` is the time from opening to closing of the `closed` cases, in seconds.
    """

    item_code: str
    office: str
    office_name: str
    month: str
    cases: int
    runs: int
    required: int
    supplied: int
    waived: int
    undertaken: int
    remaining: int
    asked: int
    needless: int
    queries: int
    took_ms: int
    longest_ms: int
    closed: int
    closed_s: int

    @property
    def saved(self) -> int:
        """Count the materials that nobody had to hand in."""
        return self.supplied + self.waived


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time from `since` on and before `until`."""

    since: datetime
    until: datetime


def parse_period(first: str | None, last: str | None, *, now: datetime) -> Period:
    """Read months (`2026-01`), the last included; without them the year so far. Raises SchemaViolation."""
    today = now.astimezone(CHINA_TIME)
    since = _parse(first or f"{today.year:04}-01", "/since")
    until = _parse(last or f"{today.year:04}-{today.month:02}", "/until")
    if until < since:
        _refuse("/until", "the last month is before the first")
    return Period(since=since, until=_next_month(until))


def _parse(text: str, pointer: str) -> datetime:
    found = _MONTH.fullmatch(text)
    if found is None or not 1970 <= int(found[1]) <= 9000:
        _refuse(pointer, "write a month as YYYY-MM")
    assert found is not None
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=CHINA_TIME)


def _next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _refuse(pointer: str, detail: str) -> None:
    raise SchemaViolation(detail, errors=(FieldError(pointer=pointer, code="PERIOD", detail=detail),))
