"""All SQL of subscriptions and their consumers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from exchange.access.model import RowFilterJson
from exchange.evolution.model import Follower
from subscriptions.model import Consumer, Kind, PastFilter, Position, Standing, Subscription

LIST_LIMIT = 1000


# All statements of a reading transaction see the database as of one moment. Compiling a page's query costs
# more time than a page gains by it; with the index of the change log nothing need be sorted that lies beyond
# the page, which its estimates do not tell it; and one page is not worth several processes.
BEGIN_READING: Final = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL jit = off; SET LOCAL enable_sort = off;"
    " SET LOCAL max_parallel_workers_per_gather = 0"
)


async def save_subscription(connection: Connection, *, subscription: Subscription) -> None:
    """Insert a subscription."""
    await connection.execute(
        "INSERT INTO subscriptions.subscription (id, grant_id, resource_code, organisation_code, kind,"
        " created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        subscription.id,
        subscription.grant_id,
        subscription.resource_code,
        subscription.organisation_code,
        subscription.kind,
        subscription.created_at,
    )


async def load_subscription(connection: Connection, *, subscription_id: UUID) -> Subscription | None:
    """Load a subscription; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM subscriptions.subscription WHERE id = $1", subscription_id)
    return None if row is None else read_subscription(row)


async def save_consumer(connection: Connection, *, consumer: Consumer) -> bool:
    """Insert a consumer; False, and nothing inserted, where the subscription has one of that name."""
    done = await connection.execute(
        "INSERT INTO subscriptions.consumer (id, subscription_id, name, snapshot_version, acked_version,"
        " acked_sequence, acked_cursor, created_at, acked_epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (subscription_id, name) DO NOTHING",
        consumer.id,
        consumer.subscription_id,
        consumer.name,
        consumer.snapshot_version,
        consumer.acknowledged.version,
        consumer.acknowledged.sequence,
        consumer.acknowledged_cursor,
        consumer.created_at,
        consumer.acknowledged_epoch,
    )
    return done.endswith(" 1")


async def load_consumer(
    connection: Connection, *, subscription_id: UUID, name: str, for_update: bool = False
) -> Consumer | None:
    """Load a consumer, locked until the transaction ends if asked; None where there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM subscriptions.consumer WHERE subscription_id = $1 AND name = $2"
        + (" FOR UPDATE" if for_update else ""),
        subscription_id,
        name,
    )
    return None if row is None else read_consumer(row)


async def count_consumers(connection: Connection, *, subscription_id: UUID) -> int:
    """Count the consumers of a subscription."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM subscriptions.consumer WHERE subscription_id = $1", subscription_id
        )
    )


async def delete_consumer(connection: Connection, *, consumer_id: UUID) -> None:
    """Delete a consumer with its deliveries."""
    await connection.execute("DELETE FROM subscriptions.consumer WHERE id = $1", consumer_id)


async def save_place(
    connection: Connection, *, consumer_id: UUID, position: Position, epoch: int, cursor: str, at: datetime
) -> None:
    """Record how far a consumer has acknowledged."""
    await connection.execute(
        "UPDATE subscriptions.consumer SET acked_version = $2, acked_sequence = $3, acked_cursor = $4,"
        " acked_at = $5, acked_epoch = $6 WHERE id = $1",
        consumer_id,
        position.version,
        position.sequence,
        cursor,
        at,
        epoch,
    )


async def move_consumer(
    connection: Connection,
    *,
    consumer_id: UUID,
    position: Position,
    epoch: int,
    cursor: str,
    snapshot_version: int | None,
) -> None:
    """Put a consumer somewhere else in the feed."""
    await connection.execute(
        "UPDATE subscriptions.consumer SET acked_version = $2, acked_sequence = $3, acked_cursor = $4,"
        " snapshot_version = $5, acked_epoch = $6 WHERE id = $1",
        consumer_id,
        position.version,
        position.sequence,
        cursor,
        snapshot_version,
        epoch,
    )


async def load_past_filters(connection: Connection, *, grant_id: UUID) -> tuple[PastFilter, ...]:
    """Load the row filters that a grant had before its present one, by epoch."""
    rows = await connection.fetch(
        "SELECT row_filter, until_version FROM subscriptions.filter_change WHERE grant_id = $1"
        " ORDER BY epoch",
        grant_id,
    )
    return read_past_filters([(row["row_filter"], row["until_version"]) for row in rows])


def read_past_filters(rows: Sequence[tuple[RowFilterJson, int]]) -> tuple[PastFilter, ...]:
    """Read the former row filters of a grant."""
    return tuple(PastFilter(row_filter=written, until_version=until) for written, until in rows)


async def load_epoch(connection: Connection, *, grant_id: UUID) -> int:
    """Count the changes of a grant's row filter."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM subscriptions.filter_change WHERE grant_id = $1", grant_id
        )
    )


async def save_pause(
    connection: Connection, *, consumer_id: UUID, paused_at: datetime | None, reason: str | None
) -> None:
    """Pause a consumer, or (None) let it go on."""
    await connection.execute(
        "UPDATE subscriptions.consumer SET paused_at = $2, pause_reason = $3 WHERE id = $1",
        consumer_id,
        paused_at,
        reason,
    )


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


async def load_standings(
    connection: Connection,
    *,
    organisation_code: str | None,
    subscription_id: UUID | None = None,
    at: datetime,
) -> list[Standing]:
    """Load consumers with their lag, the oldest subscription first; of one organisation, or (None) of all."""
    rows = await connection.fetch(
        "SELECT s.*, c.id AS consumer_id, c.name, c.snapshot_version, c.acked_version, c.acked_sequence,"
        " c.acked_cursor, c.acked_epoch, c.acked_at, c.paused_at, c.pause_reason,"
        " c.created_at AS consumer_created_at,"
        " r.current_version,"
        " g.revoked_at IS NULL AND g.valid_from <= $2 AND g.valid_until > $2 AS is_granted,"
        " coalesce(v.rows, 0) AS lag_rows, v.since"
        " FROM subscriptions.subscription s JOIN subscriptions.consumer c ON c.subscription_id = s.id"
        " JOIN exchange.resource r ON r.code = s.resource_code"
        " JOIN exchange.grant_ g ON g.id = s.grant_id"
        " LEFT JOIN LATERAL (SELECT sum(inserted_rows + updated_rows + deleted_rows)::bigint AS rows,"
        "  min(committed_at) AS since FROM exchange.version v"
        "  WHERE v.resource_code = s.resource_code AND v.version >= c.acked_version"
        "  AND v.version > coalesce(c.snapshot_version, -1)) v ON true"
        " WHERE ($1::text IS NULL OR s.organisation_code = $1) AND ($4::uuid IS NULL OR s.id = $4)"
        " ORDER BY s.created_at, s.id, c.created_at, c.name LIMIT $3",
        organisation_code,
        at,
        LIST_LIMIT,
        subscription_id,
    )
    return [
        Standing(
            subscription=read_subscription(row),
            consumer=read_consumer(row, id_column="consumer_id", created_column="consumer_created_at"),
            current_version=row["current_version"],
            is_granted=row["is_granted"],
            lag_rows=row["lag_rows"],
            behind_since=row["since"],
        )
        for row in rows
    ]


async def load_needed_after(connection: Connection, *, resource_code: str) -> int | None:
    """Load the version up to which all consumers in force have read; None where there are none."""
    found: int | None = await connection.fetchval(
        "SELECT min(c.acked_version) - 1 FROM subscriptions.subscription s"
        " JOIN subscriptions.consumer c ON c.subscription_id = s.id"
        " JOIN exchange.grant_ g ON g.id = s.grant_id"
        " WHERE s.resource_code = $1 AND g.revoked_at IS NULL AND g.valid_until > now()",
        resource_code,
    )
    return found


def read_subscription(row: asyncpg.Record) -> Subscription:
    """Read a subscription out of its row."""
    return Subscription(
        id=row["id"],
        grant_id=row["grant_id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        kind=Kind(row["kind"]),
        created_at=row["created_at"],
    )


def read_consumer(
    row: asyncpg.Record, *, id_column: str = "id", created_column: str = "created_at"
) -> Consumer:
    """Read a consumer out of its row."""
    return Consumer(
        id=row[id_column],
        subscription_id=row["id"] if id_column == "consumer_id" else row["subscription_id"],
        name=row["name"],
        snapshot_version=row["snapshot_version"],
        acknowledged=Position(version=row["acked_version"], sequence=row["acked_sequence"]),
        acknowledged_cursor=row["acked_cursor"],
        created_at=row[created_column],
        acknowledged_epoch=row["acked_epoch"],
        acknowledged_at=row["acked_at"],
        paused_at=row["paused_at"],
        pause_reason=row["pause_reason"],
    )
