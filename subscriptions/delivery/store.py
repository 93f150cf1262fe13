"""All SQL of deliveries."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Connection
from subscriptions.delivery.model import Delivery
from subscriptions.model import Position


async def save_delivery(connection: Connection, *, delivery: Delivery) -> None:
    """Insert a delivery."""
    await connection.execute(
        "INSERT INTO subscriptions.delivery (id, consumer_id, form, from_cursor, to_cursor, from_version,"
        " from_sequence, to_version, to_sequence, rows, bytes, manifest, receipt, delivered_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        delivery.id,
        delivery.consumer_id,
        delivery.form,
        delivery.from_cursor,
        delivery.to_cursor,
        delivery.first.version,
        delivery.first.sequence,
        delivery.last.version,
        delivery.last.sequence,
        delivery.rows,
        delivery.size_bytes,
        delivery.manifest,
        delivery.receipt,
        delivery.delivered_at,
    )


async def load_delivery(connection: Connection, *, consumer_id: UUID, delivery_id: UUID) -> Delivery | None:
    """Load a consumer's delivery; None where it has none of that id."""
    row = await connection.fetchrow(
        "SELECT * FROM subscriptions.delivery WHERE id = $1 AND consumer_id = $2", delivery_id, consumer_id
    )
    return None if row is None else _delivery(row)


async def load_deliveries(
    connection: Connection, *, consumer_id: UUID, before: datetime | None, limit: int
) -> list[Delivery]:
    """Load a consumer's deliveries before a moment, the newest first."""
    rows = await connection.fetch(
        "SELECT * FROM subscriptions.delivery WHERE consumer_id = $1"
        " AND ($2::timestamptz IS NULL OR delivered_at < $2) ORDER BY delivered_at DESC, id LIMIT $3",
        consumer_id,
        before,
        limit,
    )
    return [_delivery(row) for row in rows]


async def load_some(
    connection: Connection, *, consumer_id: UUID, delivery_ids: Collection[UUID]
) -> dict[UUID, Delivery]:
    """Load those of a consumer's deliveries by id."""
    rows = await connection.fetch(
        "SELECT * FROM subscriptions.delivery WHERE consumer_id = $1 AND id = ANY($2)",
        consumer_id,
        list(delivery_ids),
    )
    return {row["id"]: _delivery(row) for row in rows}


async def acknowledge_up_to(
    connection: Connection, *, consumer_id: UUID, position: Position, at: datetime
) -> int:
    """Mark the deliveries that end at or before a place as acknowledged; return how many those were."""
    done = await connection.execute(
        "UPDATE subscriptions.delivery SET acknowledged_at = $4 WHERE consumer_id = $1"
        " AND acknowledged_at IS NULL AND (to_version, to_sequence) <= ($2, $3)",
        consumer_id,
        position.version,
        position.sequence,
        at,
    )
    return int(done.rpartition(" ")[2])


async def save_countersignature(
    connection: Connection, *, delivery_id: UUID, signature: bytes, credential_id: UUID
) -> None:
    """Keep the subscriber's signature."""
    await connection.execute(
        "UPDATE subscriptions.delivery SET countersignature = $2, credential_id = $3 WHERE id = $1",
        delivery_id,
        signature,
        credential_id,
    )


async def acknowledge_one(connection: Connection, *, delivery_id: UUID, at: datetime) -> None:
    """Mark one delivery as acknowledged: the target that it was brought to took it."""
    await connection.execute(
        "UPDATE subscriptions.delivery SET acknowledged_at = $2 WHERE id = $1", delivery_id, at
    )


async def take_old_deliveries(connection: Connection, *, before: datetime, limit: int) -> list[Delivery]:
    """Delete deliveries from before a moment, the oldest first, and return them."""
    rows = await connection.fetch(
        "DELETE FROM subscriptions.delivery d USING (SELECT id FROM subscriptions.delivery"
        " WHERE delivered_at < $1 ORDER BY delivered_at LIMIT $2 FOR UPDATE SKIP LOCKED) o"
        " WHERE d.id = o.id RETURNING d.*",
        before,
        limit,
    )
    return [_delivery(row) for row in rows]


async def delete_old_letters(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete dead letters that were taken at last before a moment; return how many."""
    done = await connection.execute(
        "DELETE FROM subscriptions.dead_letter d USING (SELECT id FROM subscriptions.dead_letter"
        " WHERE redriven_at < $1 ORDER BY redriven_at LIMIT $2 FOR UPDATE SKIP LOCKED) o WHERE d.id = o.id",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(
        id=row["id"],
        consumer_id=row["consumer_id"],
        form=row["form"],
        from_cursor=row["from_cursor"],
        to_cursor=row["to_cursor"],
        first=Position(version=row["from_version"], sequence=row["from_sequence"]),
        last=Position(version=row["to_version"], sequence=row["to_sequence"]),
        rows=row["rows"],
        size_bytes=row["bytes"],
        manifest=row["manifest"],
        receipt=row["receipt"],
        delivered_at=row["delivered_at"],
        acknowledged_at=row["acknowledged_at"],
        countersignature=row["countersignature"],
        credential_id=row["credential_id"],
    )
