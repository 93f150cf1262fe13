"""All SQL of presentation. Each step is one UPDATE that asks for the step before, so it happens once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from certs.present.model import Presentation, PresentationStatus
from core.caller import Purpose
from core.database import Connection
from core.errors import NotFound

_COLUMNS = (
    "id, identifier, status, shown_by, shown_at, expires_at, scanned_by, scanned_at, service_item,"
    " case_number, operator, closed_at"
)


async def save_presentation(connection: Connection, *, presentation: Presentation, code_sm3: bytes) -> None:
    """Insert a presentation under the digest of its code."""
    await connection.execute(
        "INSERT INTO certs.presentation (id, code_sm3, identifier, status, shown_by, shown_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        presentation.id,
        code_sm3,
        presentation.identifier,
        presentation.status,
        presentation.shown_by,
        presentation.shown_at,
        presentation.expires_at,
    )


async def load_presentation(connection: Connection, *, presentation_id: UUID) -> Presentation:
    """Load one presentation. Raises NotFound."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM certs.presentation WHERE id = $1", presentation_id
    )
    if row is None:
        msg = "no such presentation"
        raise NotFound(msg)
    return _presentation(row)


async def take_scan(
    connection: Connection, *, code_sm3: bytes, verifier: str, purpose: Purpose, at: datetime
) -> Presentation | None:
    """Move shown → scanned by the code; None where the code is unknown, was scanned, or has lapsed."""
    row = await connection.fetchrow(
        "UPDATE certs.presentation SET status = 'scanned', scanned_by = $2, scanned_at = $3,"
        " service_item = $4, case_number = $5, operator = $6"
        f" WHERE code_sm3 = $1 AND status = 'shown' AND expires_at > $3 RETURNING {_COLUMNS}",
        code_sm3,
        verifier,
        at,
        purpose.service_item,
        purpose.case_number,
        purpose.operator,
    )
    return None if row is None else _presentation(row)


async def take_step(
    connection: Connection,
    *,
    presentation_id: UUID,
    before: PresentationStatus,
    after: PresentationStatus,
    scanned_after: datetime,
    at: datetime,
) -> Presentation | None:
    """Move `before` → `after`, for one scanned after a time; None where it does not stand there any more."""
    row = await connection.fetchrow(
        "UPDATE certs.presentation SET status = $3, closed_at = $4"
        f" WHERE id = $1 AND status = $2 AND scanned_at > $5 RETURNING {_COLUMNS}",
        presentation_id,
        before,
        after,
        at,
        scanned_after,
    )
    return None if row is None else _presentation(row)


def _presentation(row: asyncpg.Record) -> Presentation:
    return Presentation(**dict(row) | {"status": PresentationStatus(row["status"])})
