"""Count cases for whoever may see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from core.caller import Caller
from core.database import Database
from core.errors import Forbidden
from evidence.counters.model import Counter, parse_period
from evidence.counters.store import count_cases
from evidence.superiors import load_offices


class CounterService:
    """Counts what was asked of applicants and what was not."""

    def __init__(self, *, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def count(
        self,
        *,
        caller: Caller,
        office: str | None,
        item_code: str | None,
        first: str | None,
        last: str | None,
    ) -> Sequence[Counter]:
        """Count by item, office and month: the caller's office and those below it; all to auditors.

        Raises SchemaViolation for what is no month, Forbidden for an office that is not the caller's to see.
        """
        period = parse_period(first, last, now=self._now())
        async with self._database.acquire() as connection:
            offices = await load_offices(connection, caller=caller)
            if office is not None:
                if offices is not None and office not in offices:
                    msg = "counters are seen by the office, those above it, administrators and auditors"
                    raise Forbidden(msg)
                offices = (office,)
            return await count_cases(connection, period=period, offices=offices, item_code=item_code)
