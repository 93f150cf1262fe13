"""All SQL of identity."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.database import Connection
from core.errors import Conflict, NotFound
from core.identity.model import (
    Bearer,
    CredentialId,
    Network,
    Organisation,
    SignatureRule,
    Status,
    System,
)
from core.identity.store_standing import MARK, STANDING_TOKENS


async def save_organisation(connection: Connection, *, organisation: Organisation) -> None:
    """Insert an organisation. Raises Conflict where its code is taken, NotFound for an unknown parent."""
    try:
        await connection.execute(
            "INSERT INTO core.organisation (code, name, division_code, parent_code, status)"
            " VALUES ($1, $2, $3, $4, $5)",
            organisation.code,
            organisation.name,
            organisation.division_code,
            organisation.parent_code,
            organisation.status,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"organisation {organisation.code} is already registered"
        raise Conflict(msg) from taken
    except asyncpg.ForeignKeyViolationError as missing:
        msg = f"parent organisation {organisation.parent_code} is not registered"
        raise NotFound(msg) from missing


async def load_organisation(connection: Connection, *, code: str) -> Organisation:
    """Load one organisation. Raises NotFound."""
    row = await connection.fetchrow("SELECT * FROM core.organisation WHERE code = $1", code)
    if row is None:
        msg = f"organisation {code} is not registered"
        raise NotFound(msg)
    return _organisation(row)


async def load_organisations(connection: Connection) -> list[Organisation]:
    """Load all organisations, by code."""
    return [_organisation(r) for r in await connection.fetch("SELECT * FROM core.organisation ORDER BY code")]


def _organisation(row: asyncpg.Record) -> Organisation:
    parent = row["parent_code"]
    return Organisation(
        code=OrganisationCode(row["code"]),
        name=row["name"],
        division_code=row["division_code"],
        parent_code=None if parent is None else OrganisationCode(parent),
        status=Status(row["status"]),
        request_signatures=SignatureRule(row["request_signatures"]),
    )


async def set_organisation_status(connection: Connection, *, code: str, status: Status) -> Organisation:
    """Suspend or reactivate an organisation; its systems' tokens stop or work at once. Raises NotFound."""
    row = await connection.fetchrow(
        "UPDATE core.organisation SET status = $2 WHERE code = $1 RETURNING *", code, status
    )
    if row is None:
        msg = f"organisation {code} is not registered"
        raise NotFound(msg)
    return _organisation(row)


async def set_request_signatures(connection: Connection, *, code: str, rule: SignatureRule) -> Organisation:
    """Say whether an organisation signs its requests. Raises NotFound."""
    row = await connection.fetchrow(
        "UPDATE core.organisation SET request_signatures = $2 WHERE code = $1 RETURNING *", code, rule
    )
    if row is None:
        msg = f"organisation {code} is not registered"
        raise NotFound(msg)
    return _organisation(row)


async def save_system(connection: Connection, *, system: System) -> None:
    """Insert a system. Raises Conflict where its name is taken, NotFound for an unknown organisation."""
    try:
        await connection.execute(
            "INSERT INTO core.system (id, organisation_code, name, scopes, status)"
            " VALUES ($1, $2, $3, $4, $5)",
            system.id,
            system.organisation_code,
            system.name,
            sorted(system.scopes),
            system.status,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"organisation {system.organisation_code} already has a system of the name given"
        raise Conflict(msg) from taken
    except asyncpg.ForeignKeyViolationError as missing:
        msg = f"organisation {system.organisation_code} is not registered"
        raise NotFound(msg) from missing


async def load_systems(connection: Connection, *, organisation_code: str) -> list[System]:
    """Load the systems of an organisation, by name."""
    rows = await connection.fetch(
        "SELECT * FROM core.system WHERE organisation_code = $1 ORDER BY name", organisation_code
    )
    return [_system(row) for row in rows]


def _system(row: asyncpg.Record) -> System:
    return System(
        id=SystemId(row["id"]),
        organisation_code=OrganisationCode(row["organisation_code"]),
        name=row["name"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        status=Status(row["status"]),
        networks=_networks(row["networks"]),
    )


def _networks(value: list[Network] | None) -> tuple[Network, ...] | None:
    return None if value is None else tuple(value)


async def load_active_system(connection: Connection, *, system_id: SystemId) -> System | None:
    """Load a system that may act; None where there is none, or it or its organisation is suspended."""
    row = await connection.fetchrow(
        "SELECT s.* FROM core.system s JOIN core.organisation o ON o.code = s.organisation_code"
        " WHERE s.id = $1 AND s.status = 'active' AND o.status = 'active'",
        system_id,
    )
    return None if row is None else _system(row)


async def load_system(connection: Connection, *, system_id: SystemId) -> System:
    """Load a system, whatever its status. Raises NotFound."""
    row = await connection.fetchrow("SELECT * FROM core.system WHERE id = $1", system_id)
    if row is None:
        msg = "no such system"
        raise NotFound(msg)
    return _system(row)


async def set_system_status(connection: Connection, *, system_id: SystemId, status: Status) -> System:
    """Suspend or reactivate a system; its tokens stop or start to work at once. Raises NotFound."""
    row = await connection.fetchrow(
        "UPDATE core.system SET status = $2 WHERE id = $1 RETURNING *", system_id, status
    )
    if row is None:
        msg = "no such system"
        raise NotFound(msg)
    return _system(row)


async def set_networks(
    connection: Connection, *, system_id: SystemId, networks: tuple[Network, ...] | None
) -> System:
    """Limit a system to networks, or with None to none. Raises NotFound."""
    row = await connection.fetchrow(
        "UPDATE core.system SET networks = $2::cidr[] WHERE id = $1 RETURNING *",
        system_id,
        None if networks is None else list(networks),
    )
    if row is None:
        msg = "no such system"
        raise NotFound(msg)
    return _system(row)


async def save_token(
    connection: Connection,
    *,
    token_hash: bytes,
    system_id: SystemId,
    scopes: frozenset[Scope],
    expires_at: datetime,
    credential_id: CredentialId,
) -> None:
    """Insert a token's hash, and the credential that it was asked for with."""
    await connection.execute(
        "INSERT INTO core.token (token_hash, system_id, scopes, expires_at, credential_id)"
        " VALUES ($1, $2, $3, $4, $5)",
        token_hash,
        system_id,
        sorted(scopes),
        expires_at,
        credential_id,
    )


async def load_token(connection: Connection, *, token_hash: bytes) -> Bearer | None:
    """Load whom a token stands for; None where unknown, revoked or its owner suspended."""
    row = await connection.fetchrow(
        f"SELECT {MARK} AS mark, t.expires_at, t.scopes, s.id, s.name AS system_name, s.networks,"
        f" o.code, o.name AS organisation_name, o.request_signatures FROM {STANDING_TOKENS}"
        " AND t.token_hash = $1",
        token_hash,
    )
    if row is None:
        return None
    caller = Caller(
        system_id=SystemId(row["id"]),
        system_name=row["system_name"],
        organisation_code=OrganisationCode(row["code"]),
        organisation_name=row["organisation_name"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
    )
    return Bearer(
        caller=caller,
        expires_at=row["expires_at"],
        request_signatures=SignatureRule(row["request_signatures"]),
        networks=_networks(row["networks"]),
        mark=row["mark"],
    )


async def revoke_token(connection: Connection, *, token_hash: bytes, revoked_at: datetime) -> None:
    """Revoke a token; nothing happens where it is unknown (RFC 7009 2.2)."""
    await connection.execute(
        "UPDATE core.token SET revoked_at = coalesce(revoked_at, $2) WHERE token_hash = $1",
        token_hash,
        revoked_at,
    )


async def delete_expired_tokens(connection: Connection, *, before: datetime) -> None:
    """Delete tokens that expired before `before`."""
    await connection.execute("DELETE FROM core.token WHERE expires_at < $1", before)
