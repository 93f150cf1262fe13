"""SQL of exporting and restoring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from core.database import Connection

_TABLES = (
    "log_entry",
    "log_node",
    "log_checkpoint",
    "log_chain",
    "log_tree",
    "log_witness",
    "log_cosignature",
    "log_time_stamp",
    "log_drop",
)
_COLUMNS = {
    "log_checkpoint": ("tree_size", "root_hash", "note", "signed_at"),
    "log_witness": ("name", "verifier_key", "is_retired"),
    "log_cosignature": ("tree_size", "witness", "line"),
    "log_time_stamp": ("tree_size", "token"),
    "log_drop": ("leaf_index", "dropped_with"),
}


async def load_dropped_lines(connection: Connection, *, tree_size: int) -> list[dict[str, object]]:
    """Load dropped leaves with their ids, acts and places in chains, in the order of the tree."""
    rows = await connection.fetch(
        "SELECT d.leaf_index, e.leaf_id, d.dropped_with, c.subject_hmac, c.number FROM core.log_drop d"
        " JOIN core.log_entry e ON e.leaf_index = d.leaf_index"
        " LEFT JOIN core.log_chain c ON c.leaf_index = d.leaf_index"
        " WHERE d.leaf_index < $1 ORDER BY d.leaf_index, c.subject_hmac",
        tree_size,
    )
    lines: dict[int, dict[str, object]] = {}
    for row in rows:
        line = lines.setdefault(
            row["leaf_index"],
            {
                "index": row["leaf_index"],
                "id": str(row["leaf_id"]),
                "act": str(row["dropped_with"]),
                "chain": [],
            },
        )
        if row["subject_hmac"] is not None:
            chain = line["chain"]
            assert isinstance(chain, list)
            chain.append([row["subject_hmac"].hex(), row["number"]])
    return list(lines.values())


async def find_filled_tables(connection: Connection) -> list[str]:
    """Name the tables of the log that hold rows (leaves that wait for their place do not count)."""
    filled = [
        table for table in _TABLES if await connection.fetchval(f"SELECT EXISTS (SELECT FROM core.{table})")
    ]
    stray = "SELECT EXISTS (SELECT FROM core.log_leaf l LEFT JOIN core.log_pending p ON p.leaf_id = l.id"
    if await connection.fetchval(f"{stray} WHERE p.leaf_id IS NULL)"):
        filled.append("log_leaf")
    return filled


async def insert_rows(connection: Connection, *, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Insert rows of one of the small tables, by COPY."""
    await connection.copy_records_to_table(
        table, schema_name="core", columns=list(_COLUMNS[table]), records=rows
    )


async def unqueue(connection: Connection, *, leaf_ids: Sequence[UUID]) -> None:
    """Take leaves off the queue and out of the leaves: they come again out of an export."""
    await connection.execute("DELETE FROM core.log_pending WHERE leaf_id = ANY($1::uuid[])", leaf_ids)
    await connection.execute("DELETE FROM core.log_leaf WHERE id = ANY($1::uuid[])", leaf_ids)
