"""Building an undertaking from its rule, and its leaf."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from core.china_time import china_day
from core.database import Connection
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cases.remedies import template_digest
from evidence.commitments.model import Undertaking, UndertakingKind, UndertakingState
from evidence.rules.model import CommitmentWay, RequestWay, ToleranceWay
from evidence.sources.model import Asker
from exchange.access.deadlines import compute_due_at
from exchange.access.store_applications import load_calendar_days


async def build_undertaking(
    connection: Connection,
    case_id: UUID,
    fact: str,
    way: CommitmentWay | ToleranceWay | RequestWay,
    *,
    asker: Asker,
    at: datetime,
) -> Undertaking:
    """Build the undertaking of a way, due as its rule says; who it is about is added by the caller."""
    match way:
        case CommitmentWay():
            kind, text = UndertakingKind.COMMITMENT, way.template
            due_at = at + timedelta(days=way.verify_within_days)
        case ToleranceWay():
            kind, text = UndertakingKind.TOLERANCE, f"容缺受理，{way.within_days} 个工作日内补交"
            due_at = await _working_days(connection, at, way.within_days)
        case RequestWay():
            kind, text = UndertakingKind.REQUEST, way.question
            due_at = await _working_days(connection, at, way.within_days)
    return Undertaking(
        id=uuid4(),
        case_id=case_id,
        fact=fact,
        kind=kind,
        state=UndertakingState.OPEN,
        text=text,
        text_sm3=template_digest(text),
        role=None,
        subject_key=None,
        department=None,
        system_id=asker.caller.system_id,
        operator=asker.purpose.operator,
        made_at=at,
        due_at=due_at,
        sealed=None,
        next_check_at=at,
    )


async def record_undertaking(
    connection: Connection,
    log: LogWriter,
    undertaking: Undertaking,
    *,
    asker: Asker,
    subject: str | None = None,
) -> None:
    """Write the leaf of an undertaking."""
    confirmation = undertaking.confirmation
    await log.append(
        connection,
        event=Event.UNDERTAKING_MADE,
        caller=asker.caller,
        purpose=asker.purpose,
        subject=subject,
        details={
            "undertaking": str(undertaking.id),
            "kind": undertaking.kind,
            "case": str(undertaking.case_id),
            "fact": undertaking.fact,
            "text_sm3": undertaking.text_sm3,
            "due_at": undertaking.due_at.isoformat(),
            "department": undertaking.department,
            "confirmation": None if confirmation is None else confirmation.form,
            "signature_sm3": None if confirmation is None else confirmation.signature_sm3,
            "signer_sm3": None if confirmation is None else confirmation.signer_sm3,
        },
    )


async def _working_days(connection: Connection, at: datetime, days: int) -> datetime:
    first = china_day(at)
    exceptions = await load_calendar_days(connection, first=first)
    return compute_due_at(at, working_days=days, exceptions=exceptions)
