"""When a connector reads again: every so often, or at times in five fields as cron has them (POSIX).

The fields are minute (0-59), hour (0-23), day of the month (1-31), month (1-12) and day of the week (0-7; 0
and 7 are Sunday), each `*`, a number, a range `a-b`, either with a step `/n`, or a list of these. Where both
days are restricted, either will do. Times are those of a zone: what its clocks leave out in spring is left
out, and what they show twice in autumn comes once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.errors import ConfigurationError

_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_PART: Final = re.compile(r"(?:\*|(?P<low>[0-9]{1,2})(?:-(?P<high>[0-9]{1,2}))?)(?:/(?P<step>[0-9]{1,2}))?")
LONGEST_DAYS: Final = 8 * 366  # 29 February around 2100


def _tell_time() -> datetime:
    return datetime.now(UTC)


class Schedule(Protocol):
    """When to read again."""

    @property
    def starts_at_once(self) -> bool:
        """Tell whether the first reading waits for nothing."""

    def await_next(self, *, started_s: float) -> Callable[[], float]:
        """Return what tells how many seconds are left; the last reading began at `started_s` (monotonic)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """So many seconds from one start to the next."""

    every_s: float

    @property
    def starts_at_once(self) -> bool:
        """It does."""
        return True

    def await_next(self, *, started_s: float) -> Callable[[], float]:
        """By a clock that nobody sets."""
        return lambda: started_s + self.every_s - time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Times of the day as cron has them. A time that passes while a reading goes on is passed over."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Monday is 1, Sunday 7
    either_day: bool
    zone: ZoneInfo
    now: Callable[[], datetime] = _tell_time

    @property
    def starts_at_once(self) -> bool:
        """It waits for its time."""
        return False

    def await_next(self, *, started_s: float) -> Callable[[], float]:  # noqa: ARG002
        """By the clock on the wall, which may be set meanwhile."""
        due = self.find_next(self.now())

        def tell_left_s() -> float:
            return (due - self.now()).total_seconds()

        return tell_left_s

    def find_next(self, after: datetime) -> datetime:
        """Return the first time after `after` (aware), in UTC. Raises ConfigurationError for none."""
        day = after.astimezone(self.zone).date()
        for _ in range(LONGEST_DAYS):
            if self._has(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                        found = local.astimezone(UTC)
                        is_there = found.astimezone(self.zone).replace(tzinfo=None) == local.replace(
                            tzinfo=None
                        )
                        if is_there and found > after:
                            return found
            day += timedelta(days=1)
        msg = "run.at: no day is ever such a day"
        raise ConfigurationError(msg)

    def _has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def parse_schedule(text: str, zone: str) -> Calendar:
    """Read five fields and the name of a zone (IANA). Raises ConfigurationError that says which is wrong."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        msg = (
            f"run.at: give five fields (minute hour day month weekday), as in 30 2 * * 1-5, not {len(fields)}"
        )
        raise ConfigurationError(msg)
    try:
        found_zone = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        msg = f"run.zone: there is no zone {zone}, or this machine has no tzdata"
        raise ConfigurationError(msg) from unknown
    minutes, hours, days, months, weekdays = (
        _read_field(held, *field) for held, field in zip(fields, _FIELDS, strict=True)
    )
    made = Calendar(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(number or 7 for number in weekdays),
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
        zone=found_zone,
    )
    made.find_next(datetime(2026, 1, 1, tzinfo=UTC))
    return made


def _read_field(text: str, name: str, lowest: int, highest: int) -> set[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        step = int(found["step"] or 1) if found else 0
        if found is None or step == 0:
            raise _wrong(text, name, lowest, highest)
        low = lowest if found["low"] is None else int(found["low"])
        high = int(found["high"]) if found["high"] else highest if "*" in part or found["step"] else low
        if not lowest <= low <= high <= highest:
            raise _wrong(text, name, lowest, highest)
        numbers.update(range(low, high + 1, step))
    return numbers


def _wrong(text: str, name: str, lowest: int, highest: int) -> ConfigurationError:
    return ConfigurationError(
        f"run.at: {text} is no {name}: numbers from {lowest} to {highest}, a-b, *, each with /n, and lists"
    )
