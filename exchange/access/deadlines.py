"""When an answer is due: working days after the day of the application, in Beijing time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from chinese_calendar import is_workday

from core.caller import OrganisationCode
from core.china_time import CHINA_TIME, china_day
from core.database import Connection
from exchange.access import store_applications as store
from exchange.access.model import RequestType
from exchange.catalogue.model import ShareType

SATURDAY = 5


def is_working_day(day: date, overrides: Mapping[date, bool]) -> bool:
    """Tell whether `day` is worked: by the table, then the statutory calendar, then its weekday.

    The statutory calendar (holidays and make-up days, as the State Council announces them) ends with the year
    that the library knows last; after it the weekday decides, until the table or the library says more.
    """
    if day in overrides:
        return overrides[day]
    try:
        return bool(is_workday(day))
    except NotImplementedError:
        return day.weekday() < SATURDAY


def compute_due_at(created_at: datetime, *, working_days: int, exceptions: Mapping[date, bool]) -> datetime:
    """Return the end (24:00 in Beijing) of the `working_days`-th working day after the day of `created_at`.

    `exceptions` tells of days that are not what the statutory calendar says.
    """
    day = china_day(created_at)
    left = working_days
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day, exceptions)
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=CHINA_TIME)


async def set_deadline(
    connection: Connection,
    *,
    provider_code: OrganisationCode,
    request_type: RequestType,
    share_type: ShareType,
    at: datetime,
) -> datetime:
    """Return when a provider must have answered what is asked of it at `at`, by the table of rules."""
    today = china_day(at)
    rule = await store.load_deadline(
        connection, provider_code=provider_code, request_type=request_type, share_type=share_type, on=today
    )
    return compute_due_at(
        at,
        working_days=rule.working_days,
        exceptions=await store.load_calendar_days(connection, first=today),
    )


async def extend_deadline(
    connection: Connection,
    *,
    provider_code: OrganisationCode,
    request_type: RequestType,
    share_type: ShareType,
    created_at: datetime,
    due_at: datetime,
) -> datetime | None:
    """Return the due time after the rule's extension; None where the rule allows none."""
    rule = await store.load_deadline(
        connection,
        provider_code=provider_code,
        request_type=request_type,
        share_type=share_type,
        on=china_day(created_at),
    )
    if not rule.extension_days:
        return None
    last_day = due_at - timedelta(seconds=1)
    return compute_due_at(
        last_day,
        working_days=rule.extension_days,
        exceptions=await store.load_calendar_days(connection, first=china_day(last_day)),
    )
