"""Overdue answers: told to the provider and its superior, which may decide from then on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.database import Database
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access import store_applications
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice

MAX_PER_ROUND = 200


async def escalate_overdue(*, database: Database, log: LogWriter, now: Callable[[], datetime]) -> int:
    """Escalate the applications whose answer is overdue; return how many.

    Safe on many processes at once. Where the provider has no superior the platform's administrators are told.
    """
    async with database.transaction() as connection:
        at = now()
        overdue = await store_applications.take_overdue(connection, at=at, limit=MAX_PER_ROUND)
        for application, provider, superior in overdue:
            details = {
                "application": str(application.id),
                "provider": provider,
                "applicant": application.organisation_code,
                "due_at": application.due_at.isoformat(),
            }
            await log.append(
                connection,
                event=Event.ACCESS_ESCALATED,
                caller=None,
                resource_code=application.resource_code,
                details={**details, "to": superior or "platform"},
            )
            for whom in (provider, superior):
                await save_notice(
                    connection,
                    organisation_code=whom,
                    kind=NoticeKind.APPLICATION_OVERDUE,
                    resource_code=application.resource_code,
                    details=details,
                    at=at,
                )
    return len(overdue)
