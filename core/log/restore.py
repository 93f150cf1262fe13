"""Restoring a log from a verified export into tables that hold none."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import Connection, Database
from core.errors import Conflict
from core.log import archive, store, store_export
from core.log.archive import ArchiveReader, Manifest
from core.log.chain import split_entry
from core.log.export_check import ArchivedLeaf, read_leaves
from core.log.heads import HeadVerifier
from core.log.leaf_body import read_body
from core.log.model import ChainLink, Leaf
from core.log.sequencer import complete_nodes
from signing.merkle.tree import Frontier


async def restore_log(
    database: Database, reader: ArchiveReader, manifest: Manifest, *, heads: HeadVerifier
) -> None:
    """Restore an export that `ExportCheck` found whole, all or nothing.

    Raises Conflict where the log's tables hold anything but leaves that wait for their place; of those, the
    ones that the export holds take their place in it.
    """
    async with database.transaction() as connection:
        await store.lock_sequencer(connection)
        if filled := await store_export.find_filled_tables(connection):
            msg = f"a log is restored where there is none; these tables hold rows: {', '.join(filled)}"
            raise Conflict(msg)
        await store.verify_tree(connection, origin=manifest.origin, hash_suite=str(manifest.suite))
        frontier = Frontier(manifest.suite)
        dropped = {line["index"]: line for line in reader.read_lines(archive.DROPPED)}
        for bundle in await asyncio.to_thread(lambda: list(read_leaves(reader, manifest))):
            await _restore_bundle(connection, frontier, bundle, dropped)
        await _restore_beside(connection, reader, heads)
        await store_export.insert_rows(
            connection,
            table="log_drop",
            rows=[(index, UUID(line["act"])) for index, line in dropped.items()],
        )


async def _restore_bundle(
    connection: Connection,
    frontier: Frontier,
    bundle: Sequence[ArchivedLeaf],
    dropped: dict[int, dict[str, Any]],
) -> None:
    leaves: list[Leaf] = []
    links: list[ChainLink] = []
    entries: list[tuple[int, UUID, bytes]] = []
    for each in bundle:
        if each.entry is None:
            line = dropped[each.leaf_index]
            leaf_id = UUID(line["id"])
            placed = [(bytes.fromhex(subject), int(number)) for subject, number in line["chain"]]
        else:
            body, found = split_entry(each.entry)
            leaf = read_body(body, leaf_hash=frontier.suite.leaf_hash(body.encode()))
            leaves.append(leaf)
            leaf_id = leaf.id
            placed = [(subject, link.number) for subject, link in zip(leaf.subjects, found, strict=True)]
        entries.append((each.leaf_index, leaf_id, each.leaf_hash))
        links += [
            ChainLink(subject_hmac=subject, number=number, leaf_index=each.leaf_index)
            for subject, number in placed
        ]
    await store_export.unqueue(connection, leaf_ids=[leaf.id for leaf in leaves])
    await store.copy_leaves(connection, leaves=leaves)
    await store.save_entries(connection, entries=entries)
    await store.save_chain(connection, links=links)
    await store.save_nodes(
        connection, nodes=complete_nodes(frontier, [leaf_hash for _, _, leaf_hash in entries])
    )


async def _restore_beside(connection: Connection, reader: ArchiveReader, heads: HeadVerifier) -> None:
    rows: list[tuple[int, bytes, str, datetime]] = []
    for line in reader.read_lines(archive.CHECKPOINTS):
        head = heads.read(line["note"])
        rows.append((head.size, head.root, line["note"], head.signed_at))
    await store_export.insert_rows(connection, table="log_checkpoint", rows=rows)
    await store_export.insert_rows(
        connection,
        table="log_witness",
        rows=[
            (line["name"], line["verifier_key"], line["is_retired"])
            for line in reader.read_lines(archive.WITNESSES)
        ],
    )
    await store_export.insert_rows(
        connection,
        table="log_cosignature",
        rows=[
            (line["tree_size"], line["witness"], line["line"])
            for line in reader.read_lines(archive.COSIGNATURES)
        ],
    )
    await store_export.insert_rows(
        connection,
        table="log_time_stamp",
        rows=[
            (line["tree_size"], base64.b64decode(line["token"]))
            for line in reader.read_lines(archive.TIME_STAMPS)
        ],
    )
