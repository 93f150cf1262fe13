"""SQL of the self-check: everything that the log's tables hold, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Connection
from core.log.model import Checkpoint
from core.log.store import read_checkpoint

CHECK_LOCK = 0x5348555A43484B  # "SHUZCHK"


async def begin_snapshot(connection: Connection) -> None:
    """Make all reads of the transaction see one state."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


async def load_tree(connection: Connection) -> asyncpg.Record | None:
    """Load which tree this is."""
    return await connection.fetchrow("SELECT origin, hash_suite FROM core.log_tree")


async def load_entries(connection: Connection, *, after: int, limit: int) -> list[asyncpg.Record]:
    """Load entries above the index `after` with their leaves (None where gone) and drops, by index."""
    return await connection.fetch(
        "SELECT e.leaf_index, e.leaf_id, e.leaf_hash AS entry_hash, l.*, d.dropped_with"
        " FROM core.log_entry e LEFT JOIN core.log_leaf l ON l.id = e.leaf_id"
        " LEFT JOIN core.log_drop d ON d.leaf_index = e.leaf_index"
        " WHERE e.leaf_index > $1 ORDER BY e.leaf_index LIMIT $2",
        after,
        limit,
    )


async def load_links(connection: Connection, *, first: int, last: int) -> list[asyncpg.Record]:
    """Load the places in chains of the leaves from `first` to `last`, with each one's predecessor."""
    return await connection.fetch(
        "SELECT c.leaf_index, c.subject_hmac, c.number, p.leaf_index AS previous_index,"
        " e.leaf_hash AS previous_hash FROM core.log_chain c"
        " LEFT JOIN core.log_chain p ON p.subject_hmac = c.subject_hmac AND p.number = c.number - 1"
        " LEFT JOIN core.log_entry e ON e.leaf_index = p.leaf_index"
        " WHERE c.leaf_index BETWEEN $1 AND $2 ORDER BY c.leaf_index",
        first,
        last,
    )


async def load_nodes_between(connection: Connection, *, level: int, first: int, end: int) -> dict[int, bytes]:
    """Load the nodes of one level with an index from `first` up to, not including, `end`."""
    rows = await connection.fetch(
        "SELECT node_index, hash FROM core.log_node"
        " WHERE level = $1 AND node_index >= $2 AND node_index < $3",
        level,
        first,
        end,
    )
    return {row["node_index"]: row["hash"] for row in rows}


async def load_nodes_outside(connection: Connection, *, tree_size: int) -> list[tuple[int, int]]:
    """Load the places of nodes that a tree of `tree_size` leaves does not have."""
    rows = await connection.fetch(
        "SELECT level, node_index FROM core.log_node WHERE level NOT BETWEEN 1 AND 62 OR node_index < 0"
        " OR node_index >= $1::bigint >> least(greatest(level, 1), 62) LIMIT 1000",
        tree_size,
    )
    return [(row["level"], row["node_index"]) for row in rows]


async def load_checkpoints(connection: Connection, *, after: int, up_to: int) -> list[Checkpoint]:
    """Load the heads of trees above `after` and up to `up_to` leaves."""
    rows = await connection.fetch(
        "SELECT * FROM core.log_checkpoint WHERE tree_size > $1 AND tree_size <= $2 ORDER BY tree_size",
        after,
        up_to,
    )
    return [read_checkpoint(row) for row in rows]


async def load_checkpoints_outside(connection: Connection, *, tree_size: int) -> list[int]:
    """Load the sizes of heads that belong to no stored tree."""
    rows = await connection.fetch(
        "SELECT tree_size FROM core.log_checkpoint WHERE tree_size > $1 OR tree_size <= 0 LIMIT 1000",
        tree_size,
    )
    return [row["tree_size"] for row in rows]


async def load_unplaced(connection: Connection) -> list[asyncpg.Record]:
    """Load leaves that have no place in the tree, with their row of the queue (None where there is none)."""
    return await connection.fetch(
        "SELECT l.*, p.leaf_id AS queued, p.recorded_at AS queued_at FROM core.log_leaf l"
        " LEFT JOIN core.log_pending p ON p.leaf_id = l.id"
        " WHERE NOT EXISTS (SELECT FROM core.log_entry e WHERE e.leaf_id = l.id)"
    )


async def load_stray_pending(connection: Connection) -> list[asyncpg.Record]:
    """Load rows of the queue whose leaf is gone or has its place already."""
    return await connection.fetch(
        "SELECT p.leaf_id, p.recorded_at, l.id IS NOT NULL AS is_there FROM core.log_pending p"
        " LEFT JOIN core.log_leaf l ON l.id = p.leaf_id"
        " WHERE l.id IS NULL OR EXISTS (SELECT FROM core.log_entry e WHERE e.leaf_id = p.leaf_id)"
    )


async def load_stray_links(connection: Connection, *, tree_size: int) -> list[asyncpg.Record]:
    """Load rows of chains that point outside the tree."""
    return await connection.fetch(
        "SELECT subject_hmac, number, leaf_index FROM core.log_chain"
        " WHERE leaf_index < 0 OR leaf_index >= $1 OR number < 1 LIMIT 1000",
        tree_size,
    )


async def load_stray_drops(connection: Connection, *, tree_size: int) -> list[asyncpg.Record]:
    """Load drops that point outside the tree or at a leaf that is still there."""
    return await connection.fetch(
        "SELECT d.leaf_index, d.dropped_with, l.id AS still_there FROM core.log_drop d"
        " LEFT JOIN core.log_entry e ON e.leaf_index = d.leaf_index"
        " LEFT JOIN core.log_leaf l ON l.id = e.leaf_id"
        " WHERE e.leaf_index IS NULL OR d.leaf_index >= $1 OR l.id IS NOT NULL LIMIT 1000",
        tree_size,
    )


async def load_dropped(connection: Connection, *, dropped_with: UUID) -> list[asyncpg.Record]:
    """Load what one retention act dropped, with places in chains, in the order of its digest."""
    return await connection.fetch(
        "SELECT d.leaf_index, e.leaf_id, c.subject_hmac, c.number FROM core.log_drop d"
        " JOIN core.log_entry e ON e.leaf_index = d.leaf_index"
        " LEFT JOIN core.log_chain c ON c.leaf_index = d.leaf_index"
        " WHERE d.dropped_with = $1 ORDER BY d.leaf_index, c.subject_hmac",
        dropped_with,
    )


async def load_drop_acts(connection: Connection) -> list[UUID]:
    """Load the retention acts that the table of drops names."""
    return [r[0] for r in await connection.fetch("SELECT DISTINCT dropped_with FROM core.log_drop")]


async def load_rows(connection: Connection, *, table: str) -> list[asyncpg.Record]:
    """Load a whole small table of the log."""
    queries = {
        "log_witness": "SELECT * FROM core.log_witness ORDER BY name",
        "log_cosignature": "SELECT * FROM core.log_cosignature ORDER BY tree_size, witness",
        "log_time_stamp": "SELECT * FROM core.log_time_stamp ORDER BY tree_size",
    }
    return await connection.fetch(queries[table])


async def has_drops(connection: Connection) -> bool:
    """Tell whether retention ever dropped a payload."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM core.log_drop)"))


async def load_bodies_of_events(
    connection: Connection, *, events: Sequence[str], with_waiting: bool = False
) -> list[tuple[UUID, str]]:
    """Load the bodies of all leaves of some events, in the order of the tree.

    Those that wait for their place come last, and only `with_waiting`.
    """
    rows = await connection.fetch(
        "SELECT l.id, l.body FROM core.log_leaf l LEFT JOIN core.log_entry e ON e.leaf_id = l.id"
        " WHERE l.event = ANY($1::text[]) AND ($2 OR e.leaf_id IS NOT NULL) ORDER BY e.leaf_index, l.id",
        events,
        with_waiting,
    )
    return [(row["id"], row["body"]) for row in rows]


async def load_vouched_checkpoints(connection: Connection) -> list[Checkpoint]:
    """Load the heads that a witness or a time-stamp authority vouches for."""
    rows = await connection.fetch(
        "SELECT * FROM core.log_checkpoint WHERE tree_size IN"
        " (SELECT tree_size FROM core.log_cosignature UNION SELECT tree_size FROM core.log_time_stamp)"
    )
    return [read_checkpoint(row) for row in rows]


async def load_last_check(connection: Connection) -> datetime | None:
    """Load when the log was checked last, or its first leaf was written; None for a log without leaves."""
    found: datetime | None = await connection.fetchval(
        "SELECT coalesce((SELECT max(recorded_at) FROM core.log_leaf WHERE event = 'log.checked'),"
        " (SELECT min(recorded_at) FROM core.log_leaf))"
    )
    return found


async def load_check_bodies(connection: Connection, *, limit: int) -> list[str]:
    """Load the bodies of the newest checks' leaves, newest first."""
    rows = await connection.fetch(
        "SELECT body FROM core.log_leaf WHERE event = 'log.checked' ORDER BY recorded_at DESC LIMIT $1", limit
    )
    return [row["body"] for row in rows]


async def try_lock_check(connection: Connection) -> bool:
    """Take the lock of the self-check until the transaction ends; False where another process checks."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", CHECK_LOCK))
