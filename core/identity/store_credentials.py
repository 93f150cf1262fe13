"""All SQL of credentials, and of what may be used once only."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import SystemId
from core.database import Connection
from core.errors import NotFound
from core.identity.model import Credential, CredentialId, CredentialKind
from signing.sm2 import PublicKey


async def save_credential(
    connection: Connection, *, credential: Credential, certificate: bytes | None = None
) -> None:
    """Insert a credential."""
    await connection.execute(
        "INSERT INTO core.credential"
        " (id, system_id, kind, secret_hash, point, certificate, created_at, not_after)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        credential.id,
        credential.system_id,
        credential.kind,
        credential.secret_hash,
        None if credential.key is None else credential.key.point,
        certificate,
        credential.created_at,
        credential.not_after,
    )


async def load_credentials(connection: Connection, *, system_id: SystemId) -> list[Credential]:
    """Load every credential that a system ever had, the newest first."""
    rows = await connection.fetch(
        "SELECT * FROM core.credential WHERE system_id = $1 ORDER BY created_at DESC, id", system_id
    )
    return [_credential(row) for row in rows]


async def load_credential(connection: Connection, *, credential_id: UUID | None) -> Credential | None:
    """Load a credential, good or not; None where there is none of that id."""
    row = await connection.fetchrow("SELECT * FROM core.credential WHERE id = $1", credential_id)
    return None if row is None else _credential(row)


async def load_usable(
    connection: Connection, *, system_id: SystemId, kind: CredentialKind, at: datetime
) -> list[Credential]:
    """Load the credentials of a kind that are good at a moment, the newest first."""
    rows = await connection.fetch(
        "SELECT * FROM core.credential WHERE system_id = $1 AND kind = $2 AND revoked_at IS NULL"
        " AND (not_after IS NULL OR not_after > $3) ORDER BY created_at DESC, id",
        system_id,
        kind,
        at,
    )
    return [_credential(row) for row in rows]


async def end_credentials(
    connection: Connection, *, system_id: SystemId, kind: CredentialKind, but: CredentialId, at: datetime
) -> int:
    """Let the others of a kind end at `at` at the latest; return how many that were."""
    done = await connection.execute(
        "UPDATE core.credential SET not_after = $4"
        " WHERE system_id = $1 AND kind = $2 AND id <> $3 AND revoked_at IS NULL"
        " AND (not_after IS NULL OR not_after > $4)",
        system_id,
        kind,
        but,
        at,
    )
    return int(done.rpartition(" ")[2])


async def revoke_credential(
    connection: Connection, *, system_id: SystemId, credential_id: CredentialId, at: datetime
) -> Credential:
    """Revoke a credential and every token that it brought. Raises NotFound."""
    row = await connection.fetchrow(
        "UPDATE core.credential SET revoked_at = coalesce(revoked_at, $3)"
        " WHERE id = $1 AND system_id = $2 RETURNING *",
        credential_id,
        system_id,
        at,
    )
    if row is None:
        msg = "the system has no such credential"
        raise NotFound(msg)
    await connection.execute(
        "UPDATE core.token SET revoked_at = coalesce(revoked_at, $2) WHERE credential_id = $1",
        credential_id,
        at,
    )
    return _credential(row)


async def use_once(
    connection: Connection, *, owner: SystemId | CredentialId, value: str, expires_at: datetime, now: datetime
) -> bool:
    """Note that `value` was used; False where it was used before. What expired is forgotten."""
    await connection.execute("DELETE FROM core.used_once WHERE expires_at < $1", now)
    row = await connection.fetchrow(
        "INSERT INTO core.used_once (owner, value, expires_at) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        owner,
        value,
        expires_at,
    )
    return row is not None


def _credential(row: asyncpg.Record) -> Credential:
    return Credential(
        id=CredentialId(row["id"]),
        system_id=SystemId(row["system_id"]),
        kind=CredentialKind(row["kind"]),
        created_at=row["created_at"],
        not_after=row["not_after"],
        revoked_at=row["revoked_at"],
        secret_hash=row["secret_hash"],
        key=None if row["point"] is None else PublicKey(bytes(row["point"])),
    )
