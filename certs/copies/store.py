"""All SQL of annotated copies and one-time downloads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from certs.copies.model import AnnotatedCopy
from core.caller import OrganisationCode
from core.database import Connection
from core.errors import NotFound

_COLUMNS = (
    "a.id, a.identifier, a.maker_code, a.maker_name, a.cause, a.service_item, a.case_number, a.operator,"
    " a.made_at, a.expires_at, a.seal_id, a.object_key, a.size_bytes, a.digest_sm3, a.sealed_sm3"
)


async def save_copy(connection: Connection, *, copy: AnnotatedCopy) -> None:
    """Insert a copy."""
    await connection.execute(
        "INSERT INTO certs.annotated_copy (id, identifier, maker_code, maker_name, cause, service_item,"
        " case_number, operator, made_at, expires_at, seal_id, object_key, size_bytes, digest_sm3,"
        " sealed_sm3)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        copy.id,
        copy.identifier,
        copy.maker_code,
        copy.maker_name,
        copy.cause,
        copy.service_item,
        copy.case_number,
        copy.operator,
        copy.made_at,
        copy.expires_at,
        copy.seal_id,
        copy.object_key,
        copy.size_bytes,
        copy.digest_sm3,
        copy.sealed_sm3,
    )


async def load_copy(connection: Connection, *, copy_id: UUID) -> AnnotatedCopy:
    """Load one copy. Raises NotFound."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM certs.annotated_copy a WHERE a.id = $1", copy_id)
    if row is None:
        msg = "no such copy"
        raise NotFound(msg)
    return _copy(row)


async def find_by_file(
    connection: Connection, *, digest_sm3: bytes, sealed_sm3: Sequence[bytes]
) -> AnnotatedCopy | None:
    """Load the copy whose file this is, or whose sealed content it holds; None where neither."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM certs.annotated_copy a WHERE a.digest_sm3 = $1"
        " OR a.sealed_sm3 = ANY($2::bytea[]) LIMIT 1",
        digest_sm3,
        list(sealed_sm3),
    )
    return None if row is None else _copy(row)


async def save_ticket(
    connection: Connection, *, token_sm3: bytes, copy_id: UUID, expires_at: datetime
) -> None:
    """Insert a one-time download."""
    await connection.execute(
        "INSERT INTO certs.download_ticket (token_sm3, copy_id, expires_at) VALUES ($1, $2, $3)",
        token_sm3,
        copy_id,
        expires_at,
    )


async def take_ticket(connection: Connection, *, token_sm3: bytes, at: datetime) -> AnnotatedCopy | None:
    """Use a download up and return its copy; None where it is unknown, used or past its time."""
    row = await connection.fetchrow(
        f"UPDATE certs.download_ticket t SET used_at = $2 FROM certs.annotated_copy a"
        f" WHERE t.token_sm3 = $1 AND t.used_at IS NULL AND t.expires_at > $2 AND a.id = t.copy_id"
        f" RETURNING {_COLUMNS}",
        token_sm3,
        at,
    )
    return None if row is None else _copy(row)


def _copy(row: asyncpg.Record) -> AnnotatedCopy:
    return AnnotatedCopy(**dict(row) | {"maker_code": OrganisationCode(row["maker_code"])})
