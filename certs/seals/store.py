"""All SQL of seals in use."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg

from certs.seals.model import RegisteredSeal, SealChange, SealStatus
from core.caller import OrganisationCode
from core.database import Connection
from core.errors import Conflict, NotFound


async def save_seal(connection: Connection, *, seal: RegisteredSeal) -> None:
    """Insert a seal. Raises Conflict where the organisation has a seal of that name in use, or NotFound."""
    try:
        await connection.execute(
            "INSERT INTO certs.seal (id, organisation_code, name, seal_code, kind, status, signer_key,"
            " signer_certificate, maker_certificate, picture_type, picture_width_mm, picture_height_mm, der,"
            " valid_from, valid_until, created_at, predecessor, version)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
            seal.id,
            seal.organisation_code,
            seal.name,
            seal.seal_code,
            seal.kind,
            seal.status,
            seal.signer_key,
            seal.signer_certificate,
            seal.maker_certificate,
            seal.picture_type,
            seal.picture_width_mm,
            seal.picture_height_mm,
            seal.der,
            seal.valid_from,
            seal.valid_until,
            seal.created_at,
            seal.predecessor,
            seal.version,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = (
            "the organisation already has a seal of that name; replace or destroy it, or choose another name"
        )
        raise Conflict(msg) from taken
    except asyncpg.ForeignKeyViolationError as missing:
        msg = f"organisation {seal.organisation_code} is not registered"
        raise NotFound(msg) from missing


async def load_seals(connection: Connection, *, organisation_code: str | None) -> list[RegisteredSeal]:
    """Load the seals of one organisation, or of all, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM certs.seal WHERE $1::text IS NULL OR organisation_code = $1"
        " ORDER BY created_at DESC, id",
        organisation_code,
    )
    return [_seal(row) for row in rows]


async def load_seal(connection: Connection, *, seal_id: UUID) -> RegisteredSeal:
    """Load one seal. Raises NotFound."""
    return _found(await connection.fetchrow("SELECT * FROM certs.seal WHERE id = $1", seal_id))


async def lock_seal(connection: Connection, *, seal_id: UUID) -> RegisteredSeal:
    """Load one seal and hold its row until the transaction ends. Raises NotFound."""
    return _found(await connection.fetchrow("SELECT * FROM certs.seal WHERE id = $1 FOR UPDATE", seal_id))


async def set_status(connection: Connection, *, seal_id: UUID, status: SealStatus) -> None:
    """Set the status of a seal."""
    await connection.execute("UPDATE certs.seal SET status = $2 WHERE id = $1", seal_id, status)


async def save_change(connection: Connection, *, change: SealChange) -> None:
    """Insert one step in a seal's life."""
    await connection.execute(
        "INSERT INTO certs.seal_change (id, seal_id, from_status, to_status, reason, organisation_code,"
        " system_id, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        uuid4(),
        change.seal_id,
        change.from_status,
        change.to_status,
        change.reason,
        change.organisation_code,
        change.system_id,
        change.changed_at,
    )


async def load_changes(connection: Connection, *, seal_id: UUID) -> list[SealChange]:
    """Load the life of a seal, oldest step first."""
    rows = await connection.fetch(
        "SELECT seal_id, from_status, to_status, reason, organisation_code, system_id, changed_at"
        " FROM certs.seal_change WHERE seal_id = $1 ORDER BY changed_at, id",
        seal_id,
    )
    return [
        SealChange(
            **dict(row)
            | {
                "from_status": None if row["from_status"] is None else SealStatus(row["from_status"]),
                "to_status": SealStatus(row["to_status"]),
            }
        )
        for row in rows
    ]


def _found(row: asyncpg.Record | None) -> RegisteredSeal:
    if row is None:
        msg = "no such seal"
        raise NotFound(msg)
    return _seal(row)


def _seal(row: asyncpg.Record) -> RegisteredSeal:
    fields = dict(row)
    fields["organisation_code"] = OrganisationCode(row["organisation_code"])
    fields["status"] = SealStatus(row["status"])
    return RegisteredSeal(**fields)
