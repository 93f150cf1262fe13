"""All SQL of notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from exchange.notices.model import Notice, NoticeKind

LIST_LIMIT = 500


async def save_notice(
    connection: Connection,
    *,
    organisation_code: OrganisationCode | None,
    kind: NoticeKind,
    resource_code: str | None,
    details: Mapping[str, object],
    at: datetime,
) -> None:
    """Insert a notice, in the transaction of what it tells."""
    await connection.execute(
        "INSERT INTO exchange.notice (id, organisation_code, kind, resource_code, details, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        uuid4(),
        organisation_code,
        kind,
        resource_code,
        dict(details),
        at,
    )


async def load_notices(
    connection: Connection, *, organisation_code: OrganisationCode, with_platform: bool, unread_only: bool
) -> list[Notice]:
    """Load the newest notices of an organisation, newest first; those of the platform's too where told."""
    rows = await connection.fetch(
        "SELECT * FROM exchange.notice WHERE (organisation_code = $1 OR ($2 AND organisation_code IS NULL))"
        " AND (read_at IS NULL OR NOT $3) ORDER BY created_at DESC, id LIMIT $4",
        organisation_code,
        with_platform,
        unread_only,
        LIST_LIMIT,
    )
    return [_notice(row) for row in rows]


async def mark_read(
    connection: Connection,
    *,
    notice_id: UUID,
    organisation_code: OrganisationCode,
    with_platform: bool,
    at: datetime,
) -> Notice | None:
    """Mark a notice as read; None where there is none that the organisation may know of."""
    row = await connection.fetchrow(
        "UPDATE exchange.notice SET read_at = coalesce(read_at, $4) WHERE id = $1"
        " AND (organisation_code = $2 OR ($3 AND organisation_code IS NULL)) RETURNING *",
        notice_id,
        organisation_code,
        with_platform,
        at,
    )
    return None if row is None else _notice(row)


def _notice(row: asyncpg.Record) -> Notice:
    code = row["organisation_code"]
    return Notice(
        id=row["id"],
        organisation_code=None if code is None else OrganisationCode(code),
        kind=NoticeKind(row["kind"]),
        resource_code=row["resource_code"],
        details=row["details"],
        created_at=row["created_at"],
        read_at=row["read_at"],
    )
