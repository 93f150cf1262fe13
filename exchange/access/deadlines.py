"""When an answer is due: working days after the day of the application, in Beijing time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from exchange.access.values import BEIJING

SATURDAY = 5


def compute_due_at(created_at: datetime, *, working_days: int, exceptions: Mapping[date, bool]) -> datetime:
    """Return the end (24:00 in Beijing) of the `working_days`-th working day after the day of `created_at`.

    `exceptions` tells of days that are not what their weekday says: holidays False, make-up days True.
    """
    day = created_at.astimezone(BEIJING).date()
    left = working_days
    while left:
        day += timedelta(days=1)
        left -= exceptions.get(day, day.weekday() < SATURDAY)
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=BEIJING)
