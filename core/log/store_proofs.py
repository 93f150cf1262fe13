"""SQL of proofs and tiles: entries and nodes by their place."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from core.database import Connection
from core.log.chain import Link, build_entry
from core.log.store import read_subjects

_ENTRIES = (
    "SELECT e.leaf_index, e.leaf_hash, l.body, l.subject_hmac, l.subjects FROM core.log_entry e"
    " LEFT JOIN core.log_leaf l ON l.id = e.leaf_id"
)


async def load_tile_hashes(connection: Connection, *, level: int, first: int, count: int) -> list[bytes]:
    """Load `count` hashes of one level (0: the entries) from index `first` on, as far as there are any."""
    query = (
        "SELECT leaf_hash AS hash FROM core.log_entry WHERE leaf_index >= $1 AND leaf_index < $2"
        " ORDER BY leaf_index"
        if level == 0
        else "SELECT hash FROM core.log_node WHERE node_index >= $1 AND node_index < $2 AND level = $3"
        " ORDER BY node_index"
    )
    arguments = (first, first + count) if level == 0 else (first, first + count, level)
    return [row["hash"] for row in await connection.fetch(query, *arguments)]


async def load_entry_bytes(
    connection: Connection, *, first: int, count: int
) -> list[tuple[int, bytes, bytes | None]]:
    """Load entries from index `first` on: (index, tree hash, entry); None where its payload was dropped."""
    rows = await connection.fetch(
        f"{_ENTRIES} WHERE e.leaf_index >= $1 AND e.leaf_index < $2 ORDER BY e.leaf_index",
        first,
        first + count,
    )
    return await _build_entries(connection, rows)


async def load_entries_at(
    connection: Connection, *, indexes: Sequence[int]
) -> list[tuple[int, bytes, bytes | None]]:
    """Load entries at ascending indexes, as `load_entry_bytes`."""
    rows = await connection.fetch(
        f"{_ENTRIES} WHERE e.leaf_index = ANY($1::bigint[]) ORDER BY e.leaf_index", indexes
    )
    return await _build_entries(connection, rows)


async def _build_entries(
    connection: Connection, rows: Sequence[asyncpg.Record]
) -> list[tuple[int, bytes, bytes | None]]:
    about_subjects = [
        row["leaf_index"] for row in rows if row["subject_hmac"] is not None or row["subjects"] is not None
    ]
    links = await _load_links(connection, indexes=about_subjects)
    found = []
    for row in rows:
        several = read_subjects(row)
        placed = links.get(row["leaf_index"], {})
        entry = None
        if row["body"] is not None and all(subject in placed for subject in several):
            entry = build_entry(row["body"], [placed[subject] for subject in several])
        found.append((row["leaf_index"], row["leaf_hash"], entry))
    return found


async def _load_links(connection: Connection, *, indexes: list[int]) -> dict[int, dict[bytes, Link]]:
    links: dict[int, dict[bytes, Link]] = {}
    if not indexes:
        return links
    rows = await connection.fetch(
        "SELECT c.leaf_index, c.subject_hmac, c.number, e.leaf_hash AS previous FROM core.log_chain c"
        " LEFT JOIN core.log_chain p ON p.subject_hmac = c.subject_hmac AND p.number = c.number - 1"
        " LEFT JOIN core.log_entry e ON e.leaf_index = p.leaf_index WHERE c.leaf_index = ANY($1::bigint[])",
        indexes,
    )
    for row in rows:
        link = Link(number=row["number"], previous=row["previous"])
        links.setdefault(row["leaf_index"], {})[row["subject_hmac"]] = link
    return links


async def load_chain_count(connection: Connection, *, subject_hmac: bytes, tree_size: int) -> int:
    """Load how many leaves of the tree of `tree_size` leaves are about a subject."""
    count: int | None = await connection.fetchval(
        "SELECT number FROM core.log_chain WHERE subject_hmac = $1 AND leaf_index < $2"
        " ORDER BY number DESC LIMIT 1",
        subject_hmac,
        tree_size,
    )
    return count or 0


async def load_chain_counts(
    connection: Connection, *, chains: Sequence[bytes], tree_size: int
) -> dict[bytes, int]:
    """Load the counts of several chains in the tree of `tree_size` leaves; empty ones are left out."""
    rows = await connection.fetch(
        "SELECT s.chain, c.number FROM unnest($1::bytea[]) AS s(chain) CROSS JOIN LATERAL"
        " (SELECT number FROM core.log_chain WHERE subject_hmac = s.chain AND leaf_index < $2"
        " ORDER BY number DESC LIMIT 1) c",
        chains,
        tree_size,
    )
    return {row["chain"]: row["number"] for row in rows}


async def load_chain_head(connection: Connection, *, subject_hmac: bytes, tree_size: int) -> bytes | None:
    """Load the tree hash of a subject's last leaf in the tree of `tree_size` leaves; None for none."""
    found: bytes | None = await connection.fetchval(
        "SELECT e.leaf_hash FROM core.log_chain c JOIN core.log_entry e ON e.leaf_index = c.leaf_index"
        " WHERE c.subject_hmac = $1 AND c.leaf_index < $2 ORDER BY c.number DESC LIMIT 1",
        subject_hmac,
        tree_size,
    )
    return found


async def load_chain_indexes(
    connection: Connection, *, subject_hmac: bytes, after: int, limit: int, tree_size: int
) -> list[tuple[int, int]]:
    """Load places of a subject's leaves above the number `after`: (number, leaf index)."""
    rows = await connection.fetch(
        "SELECT number, leaf_index FROM core.log_chain WHERE subject_hmac = $1 AND number > $2"
        " AND leaf_index < $4 ORDER BY number LIMIT $3",
        subject_hmac,
        after,
        limit,
        tree_size,
    )
    return [(row["number"], row["leaf_index"]) for row in rows]
