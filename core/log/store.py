"""SQL of the log's writing: leaves and their queue, places in tree and chains, nodes, signed heads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from uuid import UUID

import asyncpg

from core.database import Connection
from core.database.writes import Writes
from core.errors import Conflict
from core.log.model import ChainLink, Checkpoint, Leaf, Pending

SEQUENCER_LOCK = 0x5348555A4C4F47  # "SHUZLOG"
LEAF_COLUMNS = (
    "id",
    "recorded_at",
    "event",
    "organisation_code",
    "system_id",
    "operator",
    "service_item",
    "case_number",
    "on_behalf_of",
    "owner_code",
    "resource_code",
    "grant_id",
    "certificate_id",
    "subject_hmac",
    "subjects",
    "body",
    "leaf_hash",
)
MAX_IN_STATEMENT: Final = 24  # beyond, COPY takes less time than a statement so long


_HAS_TOUCHED: Final = "coalesce(current_setting('shuzheng.touched_rows', true), '') <> ''"
_QUEUE: Final = "INSERT INTO core.log_pending (recorded_at, leaf_id) SELECT recorded_at, id FROM leaf"


@lru_cache(maxsize=1000)
def _insert_leaves(number: int, after: int) -> str:
    """Write the statement that inserts so many leaves, whose values come after so many others."""
    width = len(LEAF_COLUMNS)
    rows = ", ".join(
        f"({', '.join(f'${after + row * width + place + 1}' for place in range(width))})"
        for row in range(number)
    )
    return f"INSERT INTO core.log_leaf ({', '.join(LEAF_COLUMNS)}) VALUES {rows} RETURNING recorded_at, id"


def leaf_row(leaf: Leaf) -> tuple[object, ...]:
    """List a leaf's values in the order of LEAF_COLUMNS."""
    return (
        leaf.id,
        leaf.recorded_at,
        str(leaf.event),
        leaf.organisation_code,
        leaf.system_id,
        leaf.operator,
        leaf.service_item,
        leaf.case_number,
        leaf.on_behalf_of,
        leaf.owner_code,
        leaf.resource_code,
        leaf.grant_id,
        leaf.certificate_id,
        leaf.subjects[0] if len(leaf.subjects) == 1 else None,
        list(leaf.subjects) if len(leaf.subjects) > 1 else None,
        leaf.body,
        leaf.leaf_hash,
    )


async def save_leaves(connection: Connection, *, leaves: Sequence[Leaf]) -> bool:
    """Insert leaves and queue them for the sequencer: a few in one round trip, many by COPY.

    Tells whether the transaction touched rows that a leaf has yet to record.
    """
    if 1 <= len(leaves) <= MAX_IN_STATEMENT:
        values = [value for leaf in leaves for value in leaf_row(leaf)]
        written = f"WITH leaf AS ({_insert_leaves(len(leaves), 0)}) {_QUEUE} RETURNING {_HAS_TOUCHED}"
        return bool(await connection.fetchval(written, *values))
    await copy_leaves(connection, leaves=leaves)
    await connection.copy_records_to_table(
        "log_pending",
        schema_name="core",
        columns=["recorded_at", "leaf_id"],
        records=[(leaf.recorded_at, leaf.id) for leaf in leaves],
    )
    return await has_touched_rows(connection)


async def has_touched_rows(connection: Connection) -> bool:
    """Tell whether the transaction touched rows that a leaf has yet to record."""
    return bool(await connection.fetchval(f"SELECT {_HAS_TOUCHED}"))


def write_leaves(writes: Writes, *, leaves: Sequence[Leaf]) -> int:
    """Write the insertion of a few leaves among other writes, of which none may touch recorded rows.

    Returns the place of what `save_leaves` tells.
    """
    assert 1 <= len(leaves) <= MAX_IN_STATEMENT
    writes.add("leaf", _insert_leaves(len(leaves), len(writes.parameters)))
    writes.add("queued", _QUEUE)
    for leaf in leaves:
        writes.parameters += leaf_row(leaf)
    return writes.ask(_HAS_TOUCHED)


async def copy_leaves(connection: Connection, *, leaves: Sequence[Leaf]) -> None:
    """Insert leaves alone, by COPY."""
    await connection.copy_records_to_table(
        "log_leaf", schema_name="core", columns=list(LEAF_COLUMNS), records=map(leaf_row, leaves)
    )


async def try_lock_sequencer(connection: Connection) -> bool:
    """Take the sequencer's lock until the transaction ends; False where another process holds it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", SEQUENCER_LOCK))


async def lock_sequencer(connection: Connection) -> None:
    """Wait for the sequencer's lock and hold it until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", SEQUENCER_LOCK)


async def verify_tree(connection: Connection, *, origin: str, hash_suite: str) -> None:
    """Record which tree this is at the first call; raise Conflict where it is another one later."""
    row = await connection.fetchrow("SELECT origin, hash_suite FROM core.log_tree")
    if row is None:
        await connection.execute(
            "INSERT INTO core.log_tree (origin, hash_suite) VALUES ($1, $2)", origin, hash_suite
        )
    elif (row["origin"], row["hash_suite"]) != (origin, hash_suite):
        msg = (
            f"the log in the database is {row['origin']} with {row['hash_suite']}; SHUZHENG_LOG_ORIGIN and"
            " SHUZHENG_LOG_HASH must stay what they were at the first leaf"
        )
        raise Conflict(msg)


async def take_pending(connection: Connection, *, limit: int) -> list[Pending]:
    """Take up to `limit` committed leaves off the queue, oldest first.

    A queued id without its leaf stays in the queue, where the self-check names it.
    """
    rows = await connection.fetch(
        "WITH chosen AS MATERIALIZED (SELECT p.recorded_at, p.leaf_id, l.leaf_hash, l.subject_hmac,"
        " l.subjects,"
        " CASE WHEN coalesce(l.subject_hmac, l.subjects[1]) IS NOT NULL THEN l.body END AS body"
        " FROM core.log_pending p JOIN core.log_leaf l ON l.id = p.leaf_id"
        " ORDER BY p.recorded_at, p.leaf_id LIMIT $1),"
        " taken AS (DELETE FROM core.log_pending p USING chosen c"
        " WHERE p.recorded_at = c.recorded_at AND p.leaf_id = c.leaf_id)"
        " SELECT leaf_id, leaf_hash, subject_hmac, subjects, body FROM chosen ORDER BY recorded_at, leaf_id",
        limit,
    )
    return [
        Pending(
            leaf_id=row["leaf_id"], leaf_hash=row["leaf_hash"], subjects=read_subjects(row), body=row["body"]
        )
        for row in rows
    ]


def read_subjects(row: asyncpg.Record) -> tuple[bytes, ...]:
    """Read the one or the several subjects of a leaf's row."""
    return (row["subject_hmac"],) if row["subject_hmac"] is not None else tuple(row["subjects"] or ())


async def load_chain_heads(
    connection: Connection, *, subjects: Sequence[bytes]
) -> dict[bytes, tuple[int, bytes]]:
    """Load how many leaves each subject has, and the tree hash of its last one."""
    rows = await connection.fetch(
        "SELECT s.subject_hmac, c.number, e.leaf_hash FROM unnest($1::bytea[]) AS s(subject_hmac)"
        " CROSS JOIN LATERAL (SELECT number, leaf_index FROM core.log_chain c"
        " WHERE c.subject_hmac = s.subject_hmac ORDER BY number DESC LIMIT 1) c"
        " JOIN core.log_entry e ON e.leaf_index = c.leaf_index",
        subjects,
    )
    return {row["subject_hmac"]: (row["number"], row["leaf_hash"]) for row in rows}


async def save_chain(connection: Connection, *, links: Sequence[ChainLink]) -> None:
    """Insert leaves' places in chains."""
    await connection.copy_records_to_table(
        "log_chain",
        schema_name="core",
        columns=["subject_hmac", "number", "leaf_index"],
        records=[(link.subject_hmac, link.number, link.leaf_index) for link in links],
    )


async def save_entries(connection: Connection, *, entries: Sequence[tuple[int, UUID, bytes]]) -> None:
    """Insert sequenced leaves: (leaf index, leaf id, tree hash)."""
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
        "SELECT n.level, n.node_index, n.hash FROM unnest($1::int[], $2::bigint[]) AS w(level, node_index)"
        " JOIN core.log_node n ON n.level = w.level AND n.node_index = w.node_index"
        " UNION ALL SELECT 0, leaf_index, leaf_hash FROM core.log_entry WHERE leaf_index = ANY($3::bigint[])",
        [level for level, _ in places if level],
        [index for level, index in places if level],
        [index for level, index in places if not level],
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
    return None if row is None else read_checkpoint(row)


def read_checkpoint(row: asyncpg.Record) -> Checkpoint:
    """Read a head from its row."""
    return Checkpoint(
        tree_size=row["tree_size"], root_hash=row["root_hash"], note=row["note"], signed_at=row["signed_at"]
    )
