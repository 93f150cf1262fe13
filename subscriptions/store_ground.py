"""The one statement that every call to a subscription begins with."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import asyncpg

from core.database import Connection

GROUND: Final = (
    "SELECT r.*, g.*, s.id AS subscription_id, s.organisation_code AS subscriber_code, s.kind,"
    " s.created_at AS subscribed_at, c.id AS consumer_id, c.name, c.snapshot_version, c.acked_version,"
    " c.acked_sequence, c.acked_cursor, c.acked_epoch, c.acked_at, c.paused_at, c.pause_reason,"
    " c.created_at AS consumer_created_at,"
    " (SELECT count(*)::text || '/' || sum(i.xmin::text::bigint)::text FROM exchange.resource_item i"
    "  WHERE i.resource_code = r.code) AS fingerprint,"
    " (SELECT array_agg(k.relname::text) FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid"
    "  WHERE i.inhparent = to_regclass(format('data.%I', r.code || '__changes'))"
    "  AND NOT i.inhdetachpending) AS partitions,"
    " (SELECT jsonb_agg(jsonb_build_array(m.item, m.service_item, m.mask))"
    "  FROM exchange.mask_rule m WHERE m.resource_code = r.code) AS mask_rules,"
    " (SELECT jsonb_agg(jsonb_build_array(f.row_filter, f.until_version) ORDER BY f.epoch)"
    "  FROM subscriptions.filter_change f WHERE f.grant_id = g.id) AS past_filters"
    " FROM subscriptions.subscription s JOIN exchange.grant_ g ON g.id = s.grant_id"
    " LEFT JOIN exchange.resource r ON r.code = g.resource_code AND r.state IN ('published', 'recalled')"
    " LEFT JOIN subscriptions.consumer c ON c.subscription_id = s.id AND c.name = $2"
    " WHERE s.id = $1"
)


async def load_ground(
    connection: Connection, *, subscription_id: UUID, consumer: str
) -> asyncpg.Record | None:
    """Load a subscription, its consumer of that name, its grant and its resource; None without subscription.

    `fingerprint` changes with every change of the resource's items; `partitions` are those of its change log.
    """
    return await connection.fetchrow(GROUND, subscription_id, consumer)


async def lock_consumer(connection: Connection, *, subscription_id: UUID, consumer: str) -> None:
    """Hold a consumer until the transaction ends, so that its place is read and moved by one at a time."""
    await connection.execute(
        "SELECT FROM subscriptions.consumer WHERE subscription_id = $1 AND name = $2 FOR UPDATE",
        subscription_id,
        consumer,
    )
