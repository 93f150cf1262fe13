"""All SQL of the log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import Purpose
from core.database import Connection
from core.log.model import Checkpoint, Event, Leaf

SEQUENCER_LOCK = 0x5348555A4C4F47  # "SHUZLOG"


async def save_leaf(
    connection: Connection,
    *,
    leaf_id: UUID,
    recorded_at: datetime,
    event: Event,
    organisation_code: str,
    system_id: UUID | None,
    purpose: Purpose | None,
    resource_code: str | None,
    grant_id: UUID | None,
    certificate_id: str | None,
    subject_hmac: bytes | None,
    body: str,
    leaf_hash: bytes,
) -> None:
    """Insert a leaf and queue it for the sequencer, in one round trip."""
    await connection.execute(
        "WITH leaf AS (INSERT INTO core.log_leaf"
        " (id, recorded_at, event, organisation_code, system_id, operator,"
        " service_item, case_number, on_behalf_of, resource_code, grant_id, certificate_id, subject_hmac,"
        " body, leaf_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " RETURNING id)"
        " INSERT INTO core.log_pending (leaf_id) SELECT id FROM leaf",
        leaf_id,
        recorded_at,
        event,
        organisation_code,
        system_id,
        purpose and purpose.operator,
        purpose and purpose.service_item,
        purpose and purpose.case_number,
        purpose and purpose.on_behalf_of,
        resource_code,
        grant_id,
        certificate_id,
        subject_hmac,
        body,
        leaf_hash,
    )


_LEAVES = "SELECT l.*, e.leaf_index FROM core.log_leaf l LEFT JOIN core.log_entry e ON e.leaf_id = l.id"


async def load_case(connection: Connection, *, case_number: str, organisation_code: str | None) -> list[Leaf]:
    """Load the leaves of one case in the order of time; of one organisation only where it is named."""
    rows = await connection.fetch(
        f"{_LEAVES} WHERE l.case_number = $1 AND ($2::text IS NULL OR l.organisation_code = $2)"
        " ORDER BY l.recorded_at, l.id",
        case_number,
        organisation_code,
    )
    return [_leaf(row) for row in rows]


async def load_leaf(connection: Connection, *, leaf_id: UUID) -> Leaf | None:
    """Load one leaf; None where there is none."""
    row = await connection.fetchrow(f"{_LEAVES} WHERE l.id = $1", leaf_id)
    return None if row is None else _leaf(row)


def _leaf(row: asyncpg.Record) -> Leaf:
    return Leaf(
        id=row["id"],
        recorded_at=row["recorded_at"],
        event=Event(row["event"]),
        organisation_code=row["organisation_code"],
        operator=row["operator"],
        service_item=row["service_item"],
        case_number=row["case_number"],
        resource_code=row["resource_code"],
        grant_id=row["grant_id"],
        certificate_id=row["certificate_id"],
        details=json.loads(row["body"]).get("details", {}),
        body=row["body"],
        leaf_hash=row["leaf_hash"],
        leaf_index=row["leaf_index"],
    )


async def try_lock_sequencer(connection: Connection) -> bool:
    """Take the sequencer's lock until the transaction ends; False where another process holds it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", SEQUENCER_LOCK))


async def take_pending(connection: Connection, *, limit: int) -> list[tuple[UUID, bytes]]:
    """Take up to `limit` committed leaves off the queue, oldest first: (leaf id, leaf hash)."""
    rows = await connection.fetch(
        "WITH taken AS (DELETE FROM core.log_pending WHERE position IN"
        " (SELECT position FROM core.log_pending ORDER BY position LIMIT $1) RETURNING position, leaf_id)"
        " SELECT t.leaf_id, l.leaf_hash FROM taken t JOIN core.log_leaf l ON l.id = t.leaf_id"
        " ORDER BY t.position",
        limit,
    )
    return [(row["leaf_id"], row["leaf_hash"]) for row in rows]


async def save_entries(connection: Connection, *, entries: Sequence[tuple[int, UUID, bytes]]) -> None:
    """Insert sequenced leaves: (leaf index, leaf id, leaf hash)."""
    await connection.copy_records_to_table(
        "log_entry", schema_name="core", columns=["leaf_index", "leaf_id", "leaf_hash"], records=entries
    )


async def save_nodes(connection: Connection, *, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    """Insert complete subtrees above the leaves: (level, index within the level, hash)."""
    await connection.copy_records_to_table(
        "log_node", schema_name="core", columns=["level", "node_index", "hash"], records=nodes
    )


async def load_nodes(
    connection: Connection, *, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """Load complete subtrees by (level, index); level 0 are the leaves themselves."""
    rows = await connection.fetch(
        "WITH wanted AS (SELECT * FROM unnest($1::int[], $2::bigint[]) AS w(level, node_index))"
        " SELECT level, node_index, hash FROM core.log_node JOIN wanted USING (level, node_index)"
        " UNION ALL SELECT 0, leaf_index, leaf_hash FROM core.log_entry"
        " WHERE leaf_index IN (SELECT node_index FROM wanted WHERE level = 0)",
        [level for level, _ in places],
        [index for _, index in places],
    )
    return {(row["level"], row["node_index"]): row["hash"] for row in rows}


async def save_checkpoint(connection: Connection, *, checkpoint: Checkpoint) -> None:
    """Insert a signed head."""
    await connection.execute(
        "INSERT INTO core.log_checkpoint (tree_size, root_hash, note, signed_at) VALUES ($1, $2, $3, $4)",
        checkpoint.tree_size,
        checkpoint.root_hash,
        checkpoint.note,
        checkpoint.signed_at,
    )


async def load_latest_checkpoint(connection: Connection) -> Checkpoint | None:
    """Load the newest signed head; None before the first."""
    row = await connection.fetchrow("SELECT * FROM core.log_checkpoint ORDER BY tree_size DESC LIMIT 1")
    if row is None:
        return None
    return Checkpoint(
        tree_size=row["tree_size"], root_hash=row["root_hash"], note=row["note"], signed_at=row["signed_at"]
    )
