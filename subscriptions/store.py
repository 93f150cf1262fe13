"""All SQL of subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.catalogue.store import changes_of, table_of
from exchange.evolution.model import Follower
from subscriptions.model import Change, Operation, Position, Standing, Subscription

LIST_LIMIT = 1000


async def begin_snapshot(connection: Connection) -> None:
    """Let all statements of this transaction see the database as of one moment."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def save_subscription(connection: Connection, *, subscription: Subscription) -> None:
    """Insert a subscription."""
    await connection.execute(
        "INSERT INTO subscriptions.subscription (id, grant_id, resource_code, organisation_code,"
        " snapshot_version, acked_version, acked_sequence, acked_cursor, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        subscription.id,
        subscription.grant_id,
        subscription.resource_code,
        subscription.organisation_code,
        subscription.snapshot_version,
        subscription.acknowledged.version,
        subscription.acknowledged.sequence,
        subscription.acknowledged_cursor,
        subscription.created_at,
    )


async def load_subscription(
    connection: Connection, *, subscription_id: UUID, for_update: bool = False
) -> Subscription | None:
    """Load a subscription, locked until the transaction ends if asked; None where there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM subscriptions.subscription WHERE id = $1" + (" FOR UPDATE" if for_update else ""),
        subscription_id,
    )
    return None if row is None else _subscription(row)


async def load_followers(connection: Connection, resource_code: str) -> list[Follower]:
    """Load the subscriptions to a resource, oldest first."""
    rows = await connection.fetch(
        "SELECT id, grant_id, organisation_code FROM subscriptions.subscription WHERE resource_code = $1"
        " ORDER BY created_at, id",
        resource_code,
    )
    return [
        Follower(
            id=row["id"],
            grant_id=row["grant_id"],
            organisation_code=OrganisationCode(row["organisation_code"]),
        )
        for row in rows
    ]


async def load_standings(connection: Connection, *, organisation_code: str, at: datetime) -> list[Standing]:
    """Load an organisation's subscriptions with their lag, oldest first."""
    rows = await connection.fetch(
        "SELECT s.*, r.current_version,"
        " g.revoked_at IS NULL AND g.valid_from <= $2 AND g.valid_until > $2"
        " AS is_granted FROM subscriptions.subscription s"
        " JOIN exchange.resource r ON r.code = s.resource_code"
        " JOIN exchange.grant_ g ON g.id = s.grant_id WHERE s.organisation_code = $1"
        " ORDER BY s.created_at, s.id LIMIT $3",
        organisation_code,
        at,
        LIST_LIMIT,
    )
    return [
        Standing(
            subscription=_subscription(row),
            current_version=row["current_version"],
            is_granted=row["is_granted"],
        )
        for row in rows
    ]


async def save_acknowledgement(
    connection: Connection,
    *,
    subscription_id: UUID,
    position: Position,
    cursor: str,
    acknowledged_at: datetime,
) -> None:
    """Record how far a subscription has been acknowledged."""
    await connection.execute(
        "UPDATE subscriptions.subscription SET acked_version = $2, acked_sequence = $3, acked_cursor = $4,"
        " acked_at = $5 WHERE id = $1",
        subscription_id,
        position.version,
        position.sequence,
        cursor,
        acknowledged_at,
    )


async def load_current_version(connection: Connection, *, resource_code: str) -> int:
    """Load the number of the resource's newest version."""
    return int(
        await connection.fetchval(
            "SELECT current_version FROM exchange.resource WHERE code = $1", resource_code
        )
    )


async def load_needed_after(connection: Connection, *, resource_code: str) -> int | None:
    """Load the version up to which all subscribers in force have read; None where there are none."""
    found: int | None = await connection.fetchval(
        "SELECT min(s.acked_version) FROM subscriptions.subscription s"
        " JOIN exchange.grant_ g ON g.id = s.grant_id"
        " WHERE s.resource_code = $1 AND g.revoked_at IS NULL AND g.valid_until > now()",
        resource_code,
    )
    return found


async def change_exists(connection: Connection, *, resource_code: str, position: Position) -> bool:
    """Tell whether the change log has a change at `position`."""
    changes = changes_of(resource_code)
    return bool(
        await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {changes} WHERE _version = $1 AND _sequence = $2)",
            position.version,
            position.sequence,
        )
    )


async def load_snapshot(
    connection: Connection,
    *,
    resource_code: str,
    version: int,
    key_items: Sequence[str],
    items: Sequence[str],
    row_filter: RowFilter,
    after_key: Sequence[object] | None,
    first_sequence: int,
    limit_rows: int,
) -> list[Change]:
    """Load rows as they were at `version`, by key after `after_key`, as inserts from `first_sequence` on.

    What has not changed since is read from the current rows; what has, from before its first later change.
    """
    parameters: list[object] = [version, limit_rows]
    table, changes = table_of(resource_code), changes_of(resource_code)
    passes = compile_row_filter(row_filter, row="(s.held)", parameters=parameters)
    later = ""
    keys = [f"(s.held).{quote_name(name)}" for name in key_items]
    if after_key is not None:
        first = len(parameters) + 1
        parameters += after_key
        places = ", ".join(f"${n}" for n in range(first, len(parameters) + 1))
        later = f" AND ({', '.join(keys)}) > ({places})"
    query = (
        f"SELECT {_select('(s.held)', key_items, 'k')}, {_select('(s.held)', items, 'i')} FROM ("
        f" SELECT d AS held FROM {table} d WHERE d._version <= $1 UNION ALL"
        f" SELECT f.held FROM (SELECT DISTINCT ON ({_either(key_items)}) c._before AS held FROM {changes} c"
        f" WHERE c._version > $1 ORDER BY {_either(key_items)}, c._version, c._sequence) f"
        f" WHERE f.held IS DISTINCT FROM NULL) s WHERE {passes}{later} ORDER BY {', '.join(keys)} LIMIT $2"
    )
    rows = await connection.fetch(query, *parameters)
    return [
        Change(
            position=Position(version=version, sequence=first_sequence + number),
            operation=Operation.INSERT,
            key=_values(row, key_items, "k"),
            row=_values(row, items, "i"),
        )
        for number, row in enumerate(rows)
    ]


async def load_changes(
    connection: Connection,
    *,
    resource_code: str,
    after: Position,
    to_version: int,
    key_items: Sequence[str],
    items: Sequence[str],
    row_filter: RowFilter,
    limit_rows: int,
) -> list[Change]:
    """Load the changes after `after`, up to `to_version`, as they look through items and row filter.

    A row that enters the filter is an insert, one that leaves it a delete; an update that touches none of
    the items, or a row outside the filter on both sides, is not seen at all.
    """
    parameters: list[object] = [after.version, after.sequence, to_version, limit_rows]
    was = compile_row_filter(row_filter, row="(c._before)", parameters=parameters)
    now = compile_row_filter(row_filter, row="(c._after)", parameters=parameters)
    differs = " OR ".join(
        f"(c._before).{quote_name(name)} IS DISTINCT FROM (c._after).{quote_name(name)}" for name in items
    )
    rows = await connection.fetch(
        "SELECT x.at_version, x.at_sequence, x.operation,"
        f" {_select('(x.shown)', key_items, 'k')}, {_select('(x.shown)', items, 'i')} FROM ("
        " SELECT c._version AS at_version, c._sequence AS at_sequence, CASE WHEN NOT c.was THEN 'insert'"
        " WHEN NOT c.now THEN 'delete' ELSE 'update' END AS operation,"
        " CASE WHEN c.now THEN c._after ELSE c._before END AS shown FROM ("
        f"  SELECT c.*, c._operation <> 'insert' AND {was} AS was, c._operation <> 'delete' AND {now} AS now"
        f"  FROM {changes_of(resource_code)} c WHERE c._version >= $1 AND c._version <= $3"
        "  AND (c._version, c._sequence) > ($1, $2)"
        f" ) c WHERE c.was <> c.now OR (c.was AND c.now AND ({differs}))"
        " ORDER BY c._version, c._sequence LIMIT $4) x ORDER BY x.at_version, x.at_sequence",
        *parameters,
    )
    return [
        Change(
            position=Position(version=row["at_version"], sequence=row["at_sequence"]),
            operation=Operation(row["operation"]),
            key=_values(row, key_items, "k"),
            row=None if row["operation"] == Operation.DELETE else _values(row, items, "i"),
        )
        for row in rows
    ]


def _either(key_items: Sequence[str]) -> str:
    """Write the key of a change, which stands in `_before`, in `_after`, or in both."""
    return ", ".join(
        f"coalesce((c._before).{quote_name(name)}, (c._after).{quote_name(name)})" for name in key_items
    )


def _select(row: str, names: Sequence[str], prefix: str) -> str:
    return ", ".join(f"{row}.{quote_name(name)} AS {prefix}{n}" for n, name in enumerate(names))


def _values(row: asyncpg.Record, names: Sequence[str], prefix: str) -> dict[str, object]:
    return {name: row[f"{prefix}{n}"] for n, name in enumerate(names)}


def _subscription(row: asyncpg.Record) -> Subscription:
    return Subscription(
        id=row["id"],
        grant_id=row["grant_id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        snapshot_version=row["snapshot_version"],
        acknowledged=Position(version=row["acked_version"], sequence=row["acked_sequence"]),
        acknowledged_cursor=row["acked_cursor"],
        created_at=row["created_at"],
        acknowledged_at=row["acked_at"],
    )
