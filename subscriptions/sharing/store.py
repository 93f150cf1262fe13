"""All SQL of sharing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, Purpose, SystemId
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import FilterOperator, RowFilter
from exchange.catalogue.store import table_of
from subscriptions.sharing.model import Profile, SharedFile, Span

LIST_LIMIT = 1000


async def begin_snapshot(connection: Connection) -> None:
    """Let all statements of this transaction see the database as of one moment."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def save_profile(connection: Connection, *, profile: Profile, token_hash: bytes) -> None:
    """Insert a profile."""
    await connection.execute(
        "INSERT INTO subscriptions.share_profile (id, grant_id, resource_code, organisation_code, system_id,"
        " token_hash, service_item, case_number, operator, on_behalf_of, created_at, expires_at,"
        " subscription_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        profile.id,
        profile.grant_id,
        profile.resource_code,
        profile.organisation_code,
        profile.system_id,
        token_hash,
        profile.purpose.service_item,
        profile.purpose.case_number,
        profile.purpose.operator,
        profile.purpose.on_behalf_of,
        profile.created_at,
        profile.expires_at,
        profile.subscription_id,
    )


async def load_profile(connection: Connection, *, profile_id: UUID) -> Profile | None:
    """Load a profile; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM subscriptions.share_profile WHERE id = $1", profile_id)
    return None if row is None else _profile(row)


async def load_profile_of_token(connection: Connection, *, token_hash: bytes) -> Profile | None:
    """Load the profile of a bearer token; None where there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM subscriptions.share_profile WHERE token_hash = $1", token_hash
    )
    return None if row is None else _profile(row)


async def load_profiles(connection: Connection, *, organisation_code: str) -> list[Profile]:
    """Load an organisation's profiles, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM subscriptions.share_profile WHERE organisation_code = $1"
        " ORDER BY created_at DESC, id LIMIT $2",
        organisation_code,
        LIST_LIMIT,
    )
    return [_profile(row) for row in rows]


async def revoke_profile(
    connection: Connection, *, profile_id: UUID, organisation_code: str, at: datetime
) -> Profile | None:
    """Revoke an organisation's profile; what was revoked stays so. None where it has no such profile."""
    row = await connection.fetchrow(
        "UPDATE subscriptions.share_profile SET revoked_at = coalesce(revoked_at, $3)"
        " WHERE id = $1 AND organisation_code = $2 RETURNING *",
        profile_id,
        organisation_code,
        at,
    )
    return None if row is None else _profile(row)


async def save_use(connection: Connection, *, profile_id: UUID, at: datetime) -> None:
    """Record when a profile was last used."""
    await connection.execute(
        "UPDATE subscriptions.share_profile SET used_at = $2 WHERE id = $1", profile_id, at
    )


async def load_own_values(connection: Connection, *, row_filter: RowFilter) -> dict[str, list[object]]:
    """Load the values that the `in_own` conditions of a row filter compare with, by label, in order."""
    found: dict[str, list[object]] = {}
    for condition in row_filter:
        if condition.operator is FilterOperator.IN_OWN:
            code, name = (str(value) for value in condition.values)
            rows = await connection.fetch(
                f"SELECT DISTINCT own.{quote_name(name)} AS value FROM {table_of(code)} own"
                f" WHERE own.{quote_name(name)} IS NOT NULL ORDER BY 1"
            )
            found[condition.label] = [row["value"] for row in rows]
    return found


async def load_files(
    connection: Connection, *, view: bytes, sources: Sequence[str], at: datetime
) -> dict[str, SharedFile]:
    """Load the files that a view has of `sources`, and record that they are used."""
    rows = await connection.fetch(
        "UPDATE subscriptions.shared_file SET used_at = $3 WHERE view = $1 AND source = ANY($2::text[])"
        " RETURNING *",
        view,
        sources,
        at,
    )
    return {row["source"]: _file(row) for row in rows}


async def save_file(connection: Connection, *, view: bytes, file: SharedFile, at: datetime) -> None:
    """Record a file that was made; what another process recorded first stays."""
    stats = {name: [span.low, span.high, span.nulls] for name, span in file.stats.items()}
    await connection.execute(
        "INSERT INTO subscriptions.shared_file (view, source, object_key, rows, size_bytes, stats, used_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ON CONSTRAINT shared_file_pk"
        " DO UPDATE SET used_at = EXCLUDED.used_at",
        view,
        file.source,
        file.object_key,
        file.rows,
        file.size_bytes,
        stats,
        at,
    )


async def take_unused_files(connection: Connection, *, before: datetime, limit: int) -> list[str]:
    """Forget files that nobody used since `before`; return the keys of their objects."""
    rows = await connection.fetch(
        "DELETE FROM subscriptions.shared_file f USING (SELECT view, source FROM subscriptions.shared_file"
        " WHERE used_at < $1 ORDER BY used_at LIMIT $2 FOR UPDATE SKIP LOCKED) g"
        " WHERE f.view = g.view AND f.source = g.source RETURNING f.object_key, f.rows",
        before,
        limit,
    )
    return [row["object_key"] for row in rows if row["rows"]]


def _profile(row: asyncpg.Record) -> Profile:
    behalf = row["on_behalf_of"]
    return Profile(
        id=row["id"],
        grant_id=row["grant_id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        system_id=SystemId(row["system_id"]),
        purpose=Purpose(
            service_item=row["service_item"],
            case_number=row["case_number"],
            operator=row["operator"],
            on_behalf_of=None if behalf is None else OrganisationCode(behalf),
        ),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        subscription_id=row["subscription_id"],
        revoked_at=row["revoked_at"],
        used_at=row["used_at"],
    )


def _file(row: asyncpg.Record) -> SharedFile:
    stats: Mapping[str, Sequence[Any]] = row["stats"]
    return SharedFile(
        source=row["source"],
        object_key=row["object_key"],
        rows=row["rows"],
        size_bytes=row["size_bytes"],
        stats={name: Span(low=low, high=high, nulls=nulls) for name, (low, high, nulls) in stats.items()},
    )
