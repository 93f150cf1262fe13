"""Daily quotas of a grant, counted in the transaction of the call.

A grant with a quota has one row per day that its calls take turns at; grants without one pay nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from core.china_time import CHINA_TIME, china_day
from core.database import Connection
from core.errors import RateLimited
from exchange.access import store
from exchange.access.model import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenQuota:
    """One call counted, and how many rows it may give. `grant_id` and day None: there is no quota."""

    grant_id: UUID | None
    used_on: date | None
    reserved_rows: int
    row_count: int

    async def settle(self, connection: Connection, *, row_count: int) -> None:
        """Give back the rows that were reserved and not given."""
        if self.grant_id is not None and self.used_on is not None and row_count != self.reserved_rows:
            await store.settle_quota(
                connection,
                grant_id=self.grant_id,
                used_on=self.used_on,
                unused_calls=0,
                unused_rows=self.reserved_rows - row_count,
            )


async def take_quota(connection: Connection, *, grant: Grant, at: datetime, row_count: int) -> TakenQuota:
    """Count a call against the grant's day (Beijing time), and reserve rows. Raises RateLimited."""
    quotas = grant.terms.quotas
    if not quotas.is_limited:
        return TakenQuota(grant_id=None, used_on=None, reserved_rows=row_count, row_count=row_count)
    today = china_day(at)
    room = await store.reserve_quota(
        connection, grant_id=grant.id, quotas=quotas, used_on=today, row_count=row_count
    )
    if room is None:
        midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), tzinfo=CHINA_TIME)
        msg = "the grant's quota for today is used up; it is renewed at midnight in Beijing"
        raise RateLimited(msg, retry_after_s=max(1, round((midnight - at).total_seconds())))
    return TakenQuota(grant_id=grant.id, used_on=today, reserved_rows=row_count, row_count=room)
