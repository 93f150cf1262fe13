"""SQL of retention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Connection
from core.log.model import Event

# Tables of the log are checked against these, so they outlive retention.
KEPT_EVENTS = (
    Event.WITNESS_REGISTERED,
    Event.WITNESS_RETIRED,
    Event.CHECKPOINT_COSIGNED,
    Event.CHECKPOINT_TIME_STAMPED,
    Event.PAYLOADS_DROPPED,
    Event.LOG_CHECKED,
    Event.ROWS_RECORDED,
    Event.ROWS_ADOPTED,
)


async def load_droppable(connection: Connection, *, before: datetime, limit: int) -> list[int]:
    """Load the places of up to `limit` leaves recorded before a moment, in the order of the tree."""
    rows = await connection.fetch(
        "SELECT e.leaf_index FROM core.log_leaf l JOIN core.log_entry e ON e.leaf_id = l.id"
        " WHERE l.recorded_at < $1 AND l.event <> ALL($2::text[]) ORDER BY e.leaf_index LIMIT $3",
        before,
        [str(event) for event in KEPT_EVENTS],
        limit,
    )
    return [row["leaf_index"] for row in rows]


async def load_places(connection: Connection, *, indexes: Sequence[int]) -> list[asyncpg.Record]:
    """Load leaf ids and places in chains, in the order of the digest of a retention act."""
    return await connection.fetch(
        "SELECT e.leaf_index, e.leaf_id, c.subject_hmac, c.number FROM core.log_entry e"
        " LEFT JOIN core.log_chain c ON c.leaf_index = e.leaf_index"
        " WHERE e.leaf_index = ANY($1::bigint[]) ORDER BY e.leaf_index, c.subject_hmac",
        indexes,
    )


async def drop_leaves(connection: Connection, *, indexes: Sequence[int], dropped_with: UUID) -> None:
    """Delete the payloads of leaves and note with which act."""
    await connection.execute(
        "WITH dropped AS (INSERT INTO core.log_drop (leaf_index, dropped_with)"
        " SELECT i, $2 FROM unnest($1::bigint[]) AS i RETURNING leaf_index)"
        " DELETE FROM core.log_leaf l USING core.log_entry e, dropped d"
        " WHERE e.leaf_index = d.leaf_index AND l.id = e.leaf_id",
        indexes,
        dropped_with,
    )
