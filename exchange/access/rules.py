"""The rules that administrators set: deadlines, and days that differ from the statutory calendar."""

from __future__ import annotations

from datetime import date

from core.caller import Caller
from core.database import Database
from core.errors import FieldError, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access import store_applications as store
from exchange.access.model import Deadline

MAX_WORKING_DAYS = 365


class RuleService:
    """Shows and sets the table of deadlines and the calendar's exceptions."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log

    async def list_deadlines(self) -> list[Deadline]:
        """List all rules."""
        async with self._database.acquire() as connection:
            return await store.load_deadlines(connection)

    async def set_deadline(self, *, caller: Caller, deadline: Deadline) -> Deadline:
        """Set one rule, in the place of that of the same jurisdiction, request, share type and first day."""
        errors = check_text("/legal_reference", deadline.legal_reference, max_characters=200)
        if not deadline.jurisdiction.isascii() or len(deadline.jurisdiction) > 6:
            detail = "the first 0, 2, 4 or 6 digits of a division code"
            errors.append(FieldError(pointer="/jurisdiction", code="DIVISION", detail=detail))
        if deadline.valid_until is not None and deadline.valid_until <= deadline.valid_from:
            detail = "a rule ends after it begins"
            errors.append(FieldError(pointer="/valid_until", code="VALIDITY", detail=detail))
        if errors:
            msg = "the rule is not all right; see errors"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            await store.save_deadline(connection, deadline=deadline)
            details = {
                "what": "deadline",
                "jurisdiction": deadline.jurisdiction,
                "request_type": str(deadline.request_type),
                "share_type": str(deadline.share_type),
                "working_days": deadline.working_days,
                "extension_days": deadline.extension_days,
            }
            await self._log.append(connection, event=Event.RULES_SET, caller=caller, details=details)
        return deadline

    async def load_calendar(self, *, first: date) -> dict[date, bool]:
        """Load the days from `first` on that differ from the statutory calendar."""
        async with self._database.acquire() as connection:
            return await store.load_calendar_days(connection, first=first)

    async def set_calendar(self, *, caller: Caller, days: dict[date, bool]) -> None:
        """Set days that differ from the statutory calendar: day → is it worked."""
        async with self._database.transaction() as connection:
            await store.save_calendar_days(connection, days=days)
            details = {
                "what": "calendar",
                "days": {day.isoformat(): int(worked) for day, worked in days.items()},
            }
            await self._log.append(connection, event=Event.RULES_SET, caller=caller, details=details)
