"""All SQL of the lake."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from core.database import Connection
from core.database.copying import copy_to_file
from core.database.names import quote_name
from exchange.access.model import Mode
from exchange.catalogue.model import Resource
from exchange.catalogue.store import VERSION_COLUMN, changes_of, table_of
from exchange.publish.store_staging import text_of
from subscriptions.lake.columns import OPERATION_COLUMN
from subscriptions.lake.model import LakeState, LakeVersion

LEASE: timedelta = timedelta(seconds=60)

# What is followed: what its provider chose; else all resources ($1 'all'), or those that somebody may take
# bulk copies of ($1 'shared').
_FOLLOWED = (
    "coalesce(c.is_followed, CASE $1::text WHEN 'all' THEN true WHEN 'shared' THEN EXISTS (SELECT FROM"
    f" exchange.grant_ g WHERE g.resource_code = r.code AND '{Mode.BULK}' = ANY(g.modes)"
    " AND g.revoked_at IS NULL AND g.valid_until > $2) ELSE false END)"
)


async def begin_snapshot(connection: Connection) -> None:
    """Let all statements of this transaction see the database as of one moment."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def load_behind(connection: Connection, *, default: str, at: datetime, limit: int) -> list[str]:
    """Load the codes of followed resources whose table is behind and that nobody writes."""
    rows = await connection.fetch(
        "SELECT r.code FROM exchange.resource r"
        " LEFT JOIN subscriptions.lake_choice c ON c.resource_code = r.code"
        " LEFT JOIN subscriptions.lake_state s ON s.resource_code = r.code"
        f" WHERE r.state IN ('published', 'recalled') AND {_FOLLOWED}"
        " AND (s.version IS NULL OR s.version < r.current_version)"
        " AND (s.retry_at IS NULL OR s.retry_at <= $2) AND (s.leased_until IS NULL OR s.leased_until < $2)"
        " ORDER BY s.failures NULLS FIRST, r.code LIMIT $3",
        default,
        at,
        limit,
    )
    return [row[0] for row in rows]


async def load_untended(connection: Connection, *, before: datetime, at: datetime) -> list[str]:
    """Load the codes of resources whose table was not tended since `before`."""
    rows = await connection.fetch(
        "SELECT resource_code FROM subscriptions.lake_state WHERE version IS NOT NULL"
        " AND (tended_at IS NULL OR tended_at < $1) AND (leased_until IS NULL OR leased_until < $2)"
        " ORDER BY tended_at NULLS FIRST LIMIT 50",
        before,
        at,
    )
    return [row[0] for row in rows]


async def is_followed(connection: Connection, *, code: str, default: str, at: datetime) -> tuple[bool, bool]:
    """Tell whether a resource is followed, and whether its provider chose that."""
    row = await connection.fetchrow(
        f"SELECT {_FOLLOWED} AS followed, c.resource_code IS NOT NULL AS chosen FROM exchange.resource r"
        " LEFT JOIN subscriptions.lake_choice c ON c.resource_code = r.code WHERE r.code = $3",
        default,
        at,
        code,
    )
    return (False, False) if row is None else (row["followed"], row["chosen"])


async def save_choice(connection: Connection, *, code: str, followed: bool | None) -> None:
    """Keep whether a resource is followed; None takes the choice back."""
    if followed is None:
        await connection.execute("DELETE FROM subscriptions.lake_choice WHERE resource_code = $1", code)
        return
    await connection.execute(
        "INSERT INTO subscriptions.lake_choice (resource_code, is_followed) VALUES ($1, $2)"
        " ON CONFLICT ON CONSTRAINT lake_choice_pk DO UPDATE SET is_followed = $2, chosen_at = now()",
        code,
        followed,
    )


async def take_lease(connection: Connection, *, code: str, holder: UUID, at: datetime) -> bool:
    """Take or renew the lease of a resource's table; False where another process holds it."""
    done = await connection.fetchval(
        "INSERT INTO subscriptions.lake_state AS s (resource_code, holder, leased_until) VALUES ($1, $2, $3)"
        " ON CONFLICT ON CONSTRAINT lake_state_pk DO UPDATE SET holder = $2, leased_until = $3"
        " WHERE s.holder IS NOT DISTINCT FROM $2 OR s.leased_until IS NULL OR s.leased_until < $4"
        " RETURNING resource_code",
        code,
        holder,
        at + LEASE,
        at,
    )
    return done is not None


async def release_lease(connection: Connection, *, code: str, holder: UUID) -> None:
    """Give a lease back."""
    await connection.execute(
        "UPDATE subscriptions.lake_state SET holder = NULL, leased_until = NULL"
        " WHERE resource_code = $1 AND holder = $2",
        code,
        holder,
    )


async def load_state(connection: Connection, *, code: str) -> LakeState | None:
    """Load how far a resource's table is; None where it was never begun."""
    row = await connection.fetchrow("SELECT * FROM subscriptions.lake_state WHERE resource_code = $1", code)
    return None if row is None else _state(row)


async def advance(
    connection: Connection,
    *,
    code: str,
    holder: UUID,
    from_version: int | None,
    entry: LakeVersion,
    rows: int | None,
) -> bool:
    """Move a table's state on to `entry`; False where it is no longer at `from_version`, or not ours."""
    moved = await connection.fetchval(
        "UPDATE subscriptions.lake_state SET version = $4, delta_version = $5, rows = coalesce($6, rows),"
        " written_at = $7, trouble = NULL, failures = 0, retry_at = NULL"
        " WHERE resource_code = $1 AND holder = $2 AND version IS NOT DISTINCT FROM $3 RETURNING version",
        code,
        holder,
        from_version,
        entry.version,
        entry.delta_version,
        rows,
        entry.written_at,
    )
    if moved is None:
        return False
    await connection.execute(
        "INSERT INTO subscriptions.lake_version (resource_code, version, delta_version, changed_rows,"
        " has_changes, committed_at, written_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        code,
        entry.version,
        entry.delta_version,
        entry.changed_rows,
        entry.has_changes,
        entry.committed_at,
        entry.written_at,
    )
    return True


async def rewind(connection: Connection, *, code: str, holder: UUID, version: int | None) -> None:
    """Set a table's state back to what the table really holds; None: to nothing."""
    await connection.execute(
        "DELETE FROM subscriptions.lake_version WHERE resource_code = $1"
        " AND ($2::bigint IS NULL OR version > $2)",
        code,
        version,
    )
    await connection.execute(
        "UPDATE subscriptions.lake_state SET version = v.version, delta_version = v.delta_version,"
        " rows = NULL FROM (SELECT $1::text AS code) k LEFT JOIN LATERAL (SELECT version, delta_version FROM"
        " subscriptions.lake_version WHERE resource_code = k.code ORDER BY version DESC LIMIT 1) v ON true"
        " WHERE resource_code = $1 AND holder = $2",
        code,
        holder,
    )


async def save_trouble(
    connection: Connection, *, code: str, holder: UUID, trouble: str, at: datetime
) -> None:
    """Record that an attempt failed, and put the next off by a second, doubled each time, up to 300."""
    await connection.execute(
        "UPDATE subscriptions.lake_state SET trouble = $3, failures = failures + 1,"
        " retry_at = $4::timestamptz + least(300, 2 ^ least(failures, 12)) * interval '1 second'"
        " WHERE resource_code = $1 AND holder = $2",
        code,
        holder,
        trouble,
        at,
    )


async def save_tended(
    connection: Connection, *, code: str, holder: UUID, at: datetime, vacuumed_until: datetime
) -> None:
    """Record that a table was tended; versions whose files may be gone are forgotten, but for the newest."""
    await connection.execute(
        "UPDATE subscriptions.lake_state SET tended_at = $3, vacuumed_until = $4"
        " WHERE resource_code = $1 AND holder = $2",
        code,
        holder,
        at,
        vacuumed_until,
    )
    await connection.execute(
        "DELETE FROM subscriptions.lake_version v USING subscriptions.lake_state s WHERE v.resource_code = $1"
        " AND s.resource_code = v.resource_code AND v.written_at < $2 AND v.version < s.version",
        code,
        vacuumed_until,
    )
    await connection.execute(
        "UPDATE subscriptions.lake_version SET has_changes = false"
        " WHERE resource_code = $1 AND written_at < $2",
        code,
        vacuumed_until,
    )


async def load_next_version(
    connection: Connection, *, code: str, after: int
) -> tuple[int, datetime, int] | None:
    """Load the version after one: its number, when it was committed, how many rows it says it changed."""
    row = await connection.fetchrow(
        "SELECT version, committed_at, inserted_rows + updated_rows + deleted_rows AS changed"
        " FROM exchange.version WHERE resource_code = $1 AND version > $2 ORDER BY version LIMIT 1",
        code,
        after,
    )
    return None if row is None else (row["version"], row["committed_at"], row["changed"])


async def load_version_time(connection: Connection, *, code: str, version: int) -> datetime | None:
    """Load when a version was committed."""
    found: datetime | None = await connection.fetchval(
        "SELECT committed_at FROM exchange.version WHERE resource_code = $1 AND version = $2", code, version
    )
    return found


async def is_log_whole(connection: Connection, *, code: str) -> bool:
    """Tell whether the change log still begins with the first version."""
    return bool(
        await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", f"data.{quote_name(code + '__changes_0')}"
        )
    )


async def count_operations(connection: Connection, *, code: str, version: int) -> dict[str, int]:
    """Count a version's changes by operation."""
    rows = await connection.fetch(
        f"SELECT _operation, count(*) AS rows FROM {changes_of(code)} WHERE _version = $1 GROUP BY 1",
        version,
        timeout=None,
    )
    return {row["_operation"]: row["rows"] for row in rows}


async def spool_changes(connection: Connection, *, resource: Resource, version: int, path: Path) -> None:
    """Write a version's changes to a file (`read_spooled`, with the operation); deletes as before."""
    row = "(x.r)"
    await copy_to_file(
        connection,
        f"SELECT {_texts(resource, row)}, x._operation AS {OPERATION_COLUMN}, x._version FROM"
        " (SELECT _operation, _version, CASE WHEN _operation = 'delete' THEN _before ELSE _after END AS r"
        f" FROM {changes_of(resource.code)} WHERE _version = $1) x",
        version,
        path=path,
    )


async def spool_rows(connection: Connection, *, resource: Resource, path: Path) -> None:
    """Write the current rows to a file (`read_spooled`)."""
    await copy_to_file(
        connection,
        f"SELECT {_texts(resource, 't')}, t.{VERSION_COLUMN} FROM {table_of(resource.code)} t",
        path=path,
    )


def _texts(resource: Resource, row: str) -> str:
    return ", ".join(text_of(item, f"{row}.{quote_name(item.name)}") for item in resource.items)


async def load_versions(connection: Connection, *, code: str) -> list[LakeVersion]:
    """Load the versions that can be read from a table, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM subscriptions.lake_version WHERE resource_code = $1 ORDER BY version", code
    )
    return [_version(row) for row in rows]


async def load_needed_after(connection: Connection, *, resource_code: str) -> int | None:
    """Load the version up to which a followed table has read the change log; None without a table."""
    found: int | None = await connection.fetchval(
        "SELECT s.version FROM subscriptions.lake_state s LEFT JOIN subscriptions.lake_choice c"
        " USING (resource_code) WHERE s.resource_code = $1 AND c.is_followed IS DISTINCT FROM false",
        resource_code,
    )
    return found


def _state(row: asyncpg.Record) -> LakeState:
    return LakeState(
        resource_code=row["resource_code"],
        version=row["version"],
        delta_version=row["delta_version"],
        rows=row["rows"],
        written_at=row["written_at"],
        tended_at=row["tended_at"],
        vacuumed_until=row["vacuumed_until"],
        trouble=row["trouble"],
        failures=row["failures"],
    )


def _version(row: asyncpg.Record) -> LakeVersion:
    return LakeVersion(
        version=row["version"],
        delta_version=row["delta_version"],
        changed_rows=row["changed_rows"],
        has_changes=row["has_changes"],
        committed_at=row["committed_at"],
        written_at=row["written_at"],
    )
