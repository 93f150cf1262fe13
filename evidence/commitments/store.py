"""All SQL of undertakings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from evidence.commitments.confirming import Confirmation, ConfirmationForm
from evidence.commitments.model import Placed, Undertaking, UndertakingKind, UndertakingState

LIST_LIMIT = 500
_PLACED = (
    "SELECT u.*, c.organisation_code, c.item_code, c.item_version, c.case_number"
    " FROM evidence.undertaking u JOIN evidence.case_ c ON c.id = u.case_id"
)


async def save_undertaking(connection: Connection, *, undertaking: Undertaking) -> bool:
    """Insert an undertaking; False where the case has an open one of that kind for the fact."""
    confirmation = undertaking.confirmation
    done = await connection.execute(
        "INSERT INTO evidence.undertaking (id, case_id, fact, kind, state, text, text_sm3, role, subject_key,"
        " department, system_id, operator, made_at, due_at, sealed, next_check_at, confirmation,"
        " signature_sm3, signer_sm3)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
        " ON CONFLICT (case_id, fact, kind) WHERE state IN ('open', 'overdue') DO NOTHING",
        undertaking.id,
        undertaking.case_id,
        undertaking.fact,
        undertaking.kind,
        undertaking.state,
        undertaking.text,
        undertaking.text_sm3,
        undertaking.role,
        undertaking.subject_key,
        undertaking.department,
        undertaking.system_id,
        undertaking.operator,
        undertaking.made_at,
        undertaking.due_at,
        undertaking.sealed,
        undertaking.next_check_at,
        None if confirmation is None else confirmation.form,
        None if confirmation is None else confirmation.signature_sm3,
        None if confirmation is None else confirmation.signer_sm3,
    )
    return done.endswith(" 1")


async def load_of_case(connection: Connection, *, case_id: UUID) -> list[Undertaking]:
    """Load the undertakings of a case, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM evidence.undertaking WHERE case_id = $1 ORDER BY made_at, id", case_id
    )
    return [_undertaking(row) for row in rows]


async def load_placed(connection: Connection, *, undertaking_id: UUID, lock: bool = False) -> Placed | None:
    """Load one undertaking with its case; `lock` holds it until the transaction ends."""
    row = await connection.fetchrow(
        f"{_PLACED} WHERE u.id = $1{' FOR UPDATE OF u' if lock else ''}", undertaking_id
    )
    return None if row is None else _placed(row)


async def load_placed_of(
    connection: Connection,
    *,
    organisation_code: str | None,
    department: str | None,
    states: Sequence[UndertakingState],
) -> list[Placed]:
    """Load undertakings, newest first: of an office's cases, or put to a department; in some states."""
    rows = await connection.fetch(
        f"{_PLACED} WHERE ($1::text IS NULL OR c.organisation_code = $1)"
        " AND ($2::text IS NULL OR u.department = $2) AND (cardinality($3::text[]) = 0 OR u.state = ANY($3))"
        " ORDER BY u.made_at DESC, u.id LIMIT $4",
        organisation_code,
        department,
        list(states),
        LIST_LIMIT,
    )
    return [_placed(row) for row in rows]


async def claim_due(connection: Connection, *, at: datetime, again_at: datetime, limit: int) -> list[Placed]:
    """Take undertakings whose check is due, so that no other process takes them before `again_at`."""
    rows = await connection.fetch(
        "WITH due AS (SELECT id FROM evidence.undertaking WHERE next_check_at <= $1"
        " ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED),"
        " taken AS (UPDATE evidence.undertaking u SET next_check_at = $2, checked_at = $1 FROM due"
        " WHERE u.id = due.id RETURNING u.*)"
        " SELECT t.*, c.organisation_code, c.item_code, c.item_version, c.case_number"
        " FROM taken t JOIN evidence.case_ c ON c.id = t.case_id ORDER BY t.made_at",
        at,
        again_at,
        limit,
    )
    return [_placed(row) for row in rows]


async def set_state(
    connection: Connection,
    *,
    undertaking_id: UUID,
    state: UndertakingState,
    reason: str,
    at: datetime,
    keep_sealed: bool,
) -> bool:
    """Move an open undertaking to another state; False where it is not open, or is in that state."""
    done = await connection.execute(
        "UPDATE evidence.undertaking SET state = $2, reason = $3,"
        " closed_at = CASE WHEN $2 = 'overdue' THEN NULL ELSE $4::timestamptz END,"
        " next_check_at = CASE WHEN $2 = 'overdue' THEN next_check_at END,"
        " sealed = CASE WHEN $5 THEN sealed END"
        " WHERE id = $1 AND state IN ('open', 'overdue') AND state <> $2",
        undertaking_id,
        state,
        reason,
        at,
        keep_sealed,
    )
    return done.endswith(" 1")


async def has_told(connection: Connection, *, undertaking_id: UUID, told_state: UndertakingState) -> bool:
    """Tell whether that state of an undertaking was told to the credit dataset."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM evidence.credit_entry WHERE undertaking_id = $1 AND told_state = $2)",
            undertaking_id,
            told_state,
        )
    )


async def set_reminded(connection: Connection, *, undertaking_id: UUID, at: datetime) -> bool:
    """Note that a reminder went out; False where one did before."""
    done = await connection.execute(
        "UPDATE evidence.undertaking SET reminded_at = $2 WHERE id = $1 AND reminded_at IS NULL",
        undertaking_id,
        at,
    )
    return done.endswith(" 1")


def _undertaking(row: asyncpg.Record) -> Undertaking:
    return Undertaking(
        id=row["id"],
        case_id=row["case_id"],
        fact=row["fact"],
        kind=UndertakingKind(row["kind"]),
        state=UndertakingState(row["state"]),
        text=row["text"],
        text_sm3=row["text_sm3"],
        role=row["role"],
        subject_key=row["subject_key"],
        department=row["department"],
        system_id=SystemId(row["system_id"]),
        operator=row["operator"],
        made_at=row["made_at"],
        due_at=row["due_at"],
        sealed=row["sealed"],
        next_check_at=row["next_check_at"],
        checked_at=row["checked_at"],
        reminded_at=row["reminded_at"],
        closed_at=row["closed_at"],
        reason=row["reason"],
        confirmation=None
        if row["confirmation"] is None
        else Confirmation(
            form=ConfirmationForm(row["confirmation"]),
            signature_sm3=row["signature_sm3"],
            signer_sm3=row["signer_sm3"],
        ),
    )


def _placed(row: asyncpg.Record) -> Placed:
    return Placed(
        undertaking=_undertaking(row),
        organisation_code=OrganisationCode(row["organisation_code"]),
        item_code=row["item_code"],
        item_version=row["item_version"],
        case_number=row["case_number"],
    )
