"""The time that offices in China keep: one zone, eight hours ahead of UTC, without summer time."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Final

CHINA_TIME: Final = timezone(timedelta(hours=8), "CST")


def china_day(moment: datetime) -> date:
    """Return the day that `moment`, which has a zone, falls on in China: what "today" means to offices."""
    return moment.astimezone(CHINA_TIME).date()
