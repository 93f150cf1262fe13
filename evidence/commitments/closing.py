"""Closing an undertaking: its state, its leaf, and the notice to whom it concerns, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller, OrganisationCode
from core.database import Connection, Database
from core.errors import Conflict, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from evidence.commitments import store
from evidence.commitments.model import Placed, UndertakingKind, UndertakingState
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice

MAX_NOTE: Final = 500
_OVER: Final = "the undertaking is closed already"
_TOLD: Final = {
    UndertakingState.BREACHED,
    UndertakingState.OVERDUE,
    UndertakingState.CONFIRMED,
    UndertakingState.REFUTED,
}


async def close_undertaking(
    connection: Connection,
    log: LogWriter,
    placed: Placed,
    *,
    state: UndertakingState,
    reason: str,
    caller: Caller | None,
    at: datetime,
) -> bool:
    """Move an undertaking to `state`; False where it was closed meanwhile, or is in that state.

    A commitment, and what was told to the credit dataset, keeps its sealed order, from which the row there is
    made; what nothing needs any more is erased. The office is told of what it must act on; for an overdue
    question the department too.
    """
    undertaking = placed.undertaking
    keep = state.is_open or undertaking.kind is UndertakingKind.COMMITMENT
    if not keep and undertaking.state is UndertakingState.OVERDUE:
        keep = await store.has_told(connection, undertaking_id=undertaking.id, told_state=undertaking.state)
    moved = await store.set_state(
        connection,
        undertaking_id=undertaking.id,
        state=state,
        reason=reason,
        at=at,
        keep_sealed=keep,
    )
    if not moved:
        return False
    if state in _TOLD:
        await tell_office(connection, placed, state=str(state), reason=reason, at=at)
    await log.append(
        connection,
        event=Event.UNDERTAKING_CLOSED,
        caller=caller,
        details={
            "undertaking": str(undertaking.id),
            "kind": undertaking.kind,
            "case": str(undertaking.case_id),
            "fact": undertaking.fact,
            "state": state,
            "reason": reason,
        },
    )
    return True


async def tell_office(
    connection: Connection, placed: Placed, *, state: str, reason: str, at: datetime
) -> None:
    """Send the notice of an undertaking to its office, and of an overdue question to the department."""
    undertaking = placed.undertaking
    details = {
        "undertaking": str(undertaking.id),
        "kind": str(undertaking.kind),
        "state": state,
        "reason": reason,
        "case_number": placed.case_number,
        "service_item": placed.item_code,
        "fact": undertaking.fact,
        "due_at": undertaking.due_at.isoformat(),
    }
    addressees = [placed.organisation_code]
    if undertaking.department is not None and state in {"overdue", "due soon", "asked"}:
        addressees = [OrganisationCode(undertaking.department)]
        if state == "overdue":
            addressees.append(placed.organisation_code)
    for addressee in addressees:
        await save_notice(
            connection,
            organisation_code=addressee,
            kind=NoticeKind.UNDERTAKING,
            resource_code=None,
            details=details,
            at=at,
        )


async def close_by_person(
    database: Database,
    log: LogWriter,
    undertaking_id: UUID,
    *,
    kind: UndertakingKind | None,
    may: Callable[[Placed], bool],
    state: UndertakingState,
    reason: str,
    caller: Caller,
    at: datetime,
) -> Placed:
    """Close an undertaking as whoever `may`. Raises SchemaViolation, NotFound, Conflict."""
    if errors := check_text("/note", reason, max_characters=MAX_NOTE):
        msg = "say in a line what it rests on"
        raise SchemaViolation(msg, errors=tuple(errors))
    async with database.transaction() as connection:
        placed = await store.load_placed(connection, undertaking_id=undertaking_id, lock=True)
        if placed is None or not may(placed) or kind not in {None, placed.undertaking.kind}:
            msg = "there is no undertaking of that id for you to close so"
            raise NotFound(msg)
        done = await close_undertaking(
            connection, log, placed, state=state, reason=reason, caller=caller, at=at
        )
        if not done:
            raise Conflict(_OVER)
        closed = await store.load_placed(connection, undertaking_id=undertaking_id)
        assert closed is not None
        return closed
