"""All SQL of authorised use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from certs.authorise.model import Authorisation, AuthorisationMode, Delegation
from core.caller import OrganisationCode
from core.database import Connection
from core.errors import NotFound

_COLUMNS = (
    "id, mode, identifier, organisation_code, service_item, case_number, original, max_uses, uses,"
    " granted_by, created_at, expires_at, revoked_at, reason"
)


async def save_authorisation(
    connection: Connection, *, authorisation: Authorisation, code_sm3: bytes
) -> None:
    """Insert an authorisation under the digest of its code."""
    await connection.execute(
        "INSERT INTO certs.authorisation (id, code_sm3, mode, identifier, organisation_code, service_item,"
        " case_number, original, max_uses, uses, granted_by, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        authorisation.id,
        code_sm3,
        authorisation.mode,
        authorisation.identifier,
        authorisation.organisation_code,
        authorisation.service_item,
        authorisation.case_number,
        authorisation.original,
        authorisation.max_uses,
        authorisation.uses,
        authorisation.granted_by,
        authorisation.created_at,
        authorisation.expires_at,
    )


async def lock_by_code(connection: Connection, *, code_sm3: bytes) -> Authorisation | None:
    """Load the authorisation of a code and hold its row until the end; None for an unknown one."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM certs.authorisation WHERE code_sm3 = $1 FOR UPDATE", code_sm3
    )
    return None if row is None else _authorisation(row)


async def load_authorisation(connection: Connection, *, authorisation_id: UUID) -> Authorisation:
    """Load one authorisation. Raises NotFound."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM certs.authorisation WHERE id = $1 FOR UPDATE", authorisation_id
    )
    if row is None:
        msg = "no such authorisation"
        raise NotFound(msg)
    return _authorisation(row)


async def count_use(connection: Connection, *, authorisation_id: UUID) -> None:
    """Count one use."""
    await connection.execute("UPDATE certs.authorisation SET uses = uses + 1 WHERE id = $1", authorisation_id)


async def set_revoked(
    connection: Connection, *, authorisation_id: UUID, revoked_at: datetime, reason: str
) -> None:
    """Revoke an authorisation."""
    await connection.execute(
        "UPDATE certs.authorisation SET revoked_at = $2, reason = $3 WHERE id = $1",
        authorisation_id,
        revoked_at,
        reason,
    )


async def save_delegation(connection: Connection, *, delegation: Delegation) -> None:
    """Insert a delegation."""
    await connection.execute(
        "INSERT INTO certs.delegation (id, identifier, delegate_code, delegate_code_type, granted_by,"
        " created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        delegation.id,
        delegation.identifier,
        delegation.delegate_code,
        delegation.delegate_code_type,
        delegation.granted_by,
        delegation.created_at,
        delegation.expires_at,
    )


async def find_delegation_end(
    connection: Connection, *, identifier: str, code: str, code_type: str, at: datetime
) -> datetime | None:
    """Find until when a delegate may act for the holder of a certificate; None where it may not."""
    ends_at: datetime | None = await connection.fetchval(
        "SELECT max(expires_at) FROM certs.delegation WHERE identifier = $1 AND delegate_code = $2"
        " AND delegate_code_type = $3 AND revoked_at IS NULL AND expires_at > $4",
        identifier,
        code,
        code_type,
        at,
    )
    return ends_at


async def revoke_delegation(
    connection: Connection, *, delegation_id: UUID, identifier: str, revoked_at: datetime
) -> bool:
    """Revoke a delegation; False where there is none in force of that number on the certificate."""
    done = await connection.execute(
        "UPDATE certs.delegation SET revoked_at = $3"
        " WHERE id = $1 AND identifier = $2 AND revoked_at IS NULL",
        delegation_id,
        identifier,
        revoked_at,
    )
    return done.endswith(" 1")


async def load_authorisations_for(
    connection: Connection, *, code: str, code_type: str, at: datetime, limit: int
) -> list[Authorisation]:
    """Load the authorisations over certificates that a person holds, or may act for at `at`, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM certs.authorisation a WHERE EXISTS"
        " (SELECT FROM certs.certificate c WHERE c.identifier = a.identifier"
        " AND c.holder_code = $1 AND c.holder_code_type = $2)"
        " OR EXISTS (SELECT FROM certs.delegation d WHERE d.identifier = a.identifier"
        " AND d.delegate_code = $1 AND d.delegate_code_type = $2"
        " AND d.revoked_at IS NULL AND d.expires_at > $3)"
        " ORDER BY created_at DESC, id LIMIT $4",
        code,
        code_type,
        at,
        limit,
    )
    return [_authorisation(row) for row in rows]


async def load_delegations_for(
    connection: Connection, *, code: str, code_type: str, limit: int
) -> list[Delegation]:
    """Load the delegations that a person gave, as holder, or was given, newest first."""
    rows = await connection.fetch(
        "SELECT d.* FROM certs.delegation d JOIN certs.certificate c ON c.identifier = d.identifier"
        " WHERE (c.holder_code = $1 AND c.holder_code_type = $2)"
        " OR (d.delegate_code = $1 AND d.delegate_code_type = $2)"
        " ORDER BY d.created_at DESC, d.id LIMIT $3",
        code,
        code_type,
        limit,
    )
    return [Delegation(**dict(row)) for row in rows]


async def is_copies_only(connection: Connection, *, type_code: str, service_item: str) -> bool:
    """Tell whether cases of a service item get only annotated copies of certificates of a type."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM certs.copies_only"
            " WHERE type_code = $1 AND service_item IN ('*', $2))",
            type_code,
            service_item,
        )
    )


async def replace_copies_only(
    connection: Connection, *, type_code: str, service_items: Sequence[str]
) -> None:
    """Make these the only service items whose cases get only copies."""
    await connection.execute("DELETE FROM certs.copies_only WHERE type_code = $1", type_code)
    await connection.executemany(
        "INSERT INTO certs.copies_only (type_code, service_item) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(type_code, item) for item in service_items],
    )


def _authorisation(row: asyncpg.Record) -> Authorisation:
    return Authorisation(
        **dict(row)
        | {
            "mode": AuthorisationMode(row["mode"]),
            "organisation_code": OrganisationCode(row["organisation_code"]),
        }
    )
