"""All SQL of accounting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.database import Connection
from core.database.copying import copy_to_file
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.accounting.digest import RowsDigest
from exchange.accounting.model import Station, StationCount
from exchange.catalogue.model import Item, Resource
from exchange.catalogue.store import VERSION_COLUMN, changes_of, table_of
from exchange.publish.store_staging import text_of

LOCK_SPACE = 0x535A4143  # "SZAC"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """A SELECT of rows as canonical text, and its parameters."""

    sql: str
    parameters: tuple[object, ...] = ()


async def copy_rows(connection: Connection, query: RowQuery, *, path: Path) -> None:
    """Write the rows of a query to a file as CSV, null as nothing."""
    await copy_to_file(connection, query.sql, *query.parameters, path=path)


def select_current(resource: Resource, items: Sequence[Item], row_filter: RowFilter = ()) -> RowQuery:
    """Select the current rows, those of a row filter alone."""
    parameters: list[object] = []
    test = compile_row_filter(row_filter, row="t", parameters=parameters)
    return RowQuery(
        sql=f"SELECT {_texts(items, 't')} FROM {table_of(resource.code)} t WHERE {test}",
        parameters=tuple(parameters),
    )


def select_changed(resource: Resource, items: Sequence[Item], *, version: int, side: str) -> RowQuery:
    """Select what a version's change log added (`side` _after) or took away (_before).

    Out of an array a row comes unpacked; as it lies in the log, it would be unpacked anew for each item.
    """
    return RowQuery(
        sql=f"SELECT {_texts(items, '(s.r)')} FROM (SELECT (ARRAY[c.{side}])[1] AS r"
        f" FROM {changes_of(resource.code)} c WHERE c._version = $1 OFFSET 0) s"
        f" WHERE (s.r).{VERSION_COLUMN} IS NOT NULL",
        parameters=(version,),
    )


def _texts(items: Sequence[Item], row: str) -> str:
    return ", ".join(text_of(item, f"{row}.{quote_name(item.name)}") for item in items)


async def begin_snapshot(connection: Connection) -> None:
    """Let all statements of this transaction see the database as of one moment."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def load_current_version(connection: Connection, *, resource_code: str) -> int:
    """Load the number of the newest version."""
    return int(
        await connection.fetchval(
            "SELECT current_version FROM exchange.resource WHERE code = $1", resource_code
        )
    )


async def try_lock_accounting(connection: Connection, *, resource_code: str) -> bool:
    """Take a resource's accounting for this transaction; False where another hub has it."""
    return bool(
        await connection.fetchval(
            "SELECT pg_try_advisory_xact_lock($1, hashtext($2))", LOCK_SPACE, resource_code
        )
    )


async def load_unaccounted(connection: Connection, *, limit: int) -> list[tuple[str, int]]:
    """Load versions whose rows have not been counted yet, oldest first: (resource, version)."""
    rows = await connection.fetch(
        "SELECT v.resource_code, v.version FROM exchange.version v WHERE NOT EXISTS (SELECT FROM"
        " exchange.station_count s WHERE s.resource_code = v.resource_code AND s.version = v.version"
        " AND s.station = 'current') ORDER BY v.committed_at, v.version LIMIT $1",
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def save_count(
    connection: Connection, *, resource_code: str, version: int, station: Station, digest: RowsDigest
) -> None:
    """Keep rows and digest of a version at a station; what was counted first stays."""
    await connection.execute(
        "INSERT INTO exchange.station_count (resource_code, version, station, rows, sum)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        resource_code,
        version,
        station,
        digest.rows,
        digest.sum,
    )


async def load_count(
    connection: Connection, *, resource_code: str, version: int, station: Station
) -> RowsDigest | None:
    """Load the digest of a version at a station; None where it has not been counted."""
    row = await connection.fetchrow(
        "SELECT rows, sum FROM exchange.station_count"
        " WHERE resource_code = $1 AND version = $2 AND station = $3",
        resource_code,
        version,
        station,
    )
    return None if row is None else RowsDigest(rows=row["rows"], sum=row["sum"])


async def load_versions(
    connection: Connection, *, resource_code: str, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Load the accounting of the newest `limit` versions below `before`, newest first."""
    rows = await connection.fetch(
        "SELECT version, batch_id, mode, received_rows, accepted_rows, rejected_rows, flagged_rows,"
        " inserted_rows, updated_rows, unchanged_rows, deleted_rows, missing_rows, current_rows, committed_at"
        " FROM exchange.version WHERE resource_code = $1 AND ($2::bigint IS NULL OR version < $2)"
        " ORDER BY version DESC LIMIT $3",
        resource_code,
        before,
        limit,
    )
    return [dict(row) for row in rows]


async def load_counts(
    connection: Connection, *, resource_code: str, versions: Sequence[int]
) -> list[StationCount]:
    """Load the counts of some versions at every station."""
    rows = await connection.fetch(
        "SELECT version, station, rows, sum, counted_at FROM exchange.station_count"
        " WHERE resource_code = $1 AND version = ANY($2::bigint[])",
        resource_code,
        versions,
    )
    return [
        StationCount(
            version=row["version"],
            station=Station(row["station"]),
            digest=RowsDigest(rows=row["rows"], sum=row["sum"]),
            counted_at=row["counted_at"],
        )
        for row in rows
    ]
