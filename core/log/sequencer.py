"""Giving leaves their place in the tree, off the request path.

One process at a time holds the sequencer's lock. In one transaction it takes leaves off the queue, appends
them to the tree, writes the subtrees that became complete, and signs the new head. A kill -9 at any
moment leaves all of that or nothing: no gap, no fork, no lost leaf.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from core.database import Connection, Database
from core.errors import Unavailable
from core.log import store
from core.log.model import Checkpoint
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import NodeId, plan_root
from signing.merkle.tree import Frontier

logger = logging.getLogger("shuzheng.log")

SUITE = HashSuite.SM3
MAX_LEAVES_PER_ROUND = 4096
Sign = Callable[[int, bytes], str]


class Sequencer:
    """Integrates pending leaves every `interval_s` seconds while `run` runs.

    `sign_head(tree_size, root_hash)` returns the signed note of a head.
    """

    def __init__(
        self, *, database: Database, sign_head: Sign, interval_s: float, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._sign_head = sign_head
        self._interval_s = interval_s
        self._now = now

    async def run(self) -> None:
        """Integrate until cancelled. A database that is down is waited for."""
        while True:
            try:
                while await self.integrate_once() == MAX_LEAVES_PER_ROUND:
                    pass
            except Unavailable:
                logger.warning("the database does not answer; the log's sequencer waits")
            except Exception as error:
                logger.error("a round of the log's sequencer failed: %s", type(error).__name__)
            await asyncio.sleep(self._interval_s)

    async def integrate_once(self) -> int:
        """Integrate up to MAX_LEAVES_PER_ROUND leaves; return how many. 0 where another process is at it."""
        async with self._database.transaction() as connection:
            if not await store.try_lock_sequencer(connection):
                return 0
            pending = await store.take_pending(connection, limit=MAX_LEAVES_PER_ROUND)
            if not pending:
                return 0
            await self._append(connection, pending)
            return len(pending)

    async def _append(self, connection: Connection, pending: Sequence[tuple[UUID, bytes]]) -> None:
        latest = await store.load_latest_checkpoint(connection)
        size = 0 if latest is None else latest.tree_size
        frontier = Frontier.from_nodes(SUITE, size, await read_nodes(connection, _edge(size)))
        entries = [(size + n, leaf_id, leaf_hash) for n, (leaf_id, leaf_hash) in enumerate(pending)]
        nodes = complete_nodes(frontier, [leaf_hash for _, _, leaf_hash in entries])
        await store.save_entries(connection, entries=entries)
        await store.save_nodes(connection, nodes=nodes)
        root_hash = frontier.root()
        note = await asyncio.to_thread(self._sign_head, frontier.size, root_hash)
        checkpoint = Checkpoint(
            tree_size=frontier.size, root_hash=root_hash, note=note, signed_at=self._now()
        )
        await store.save_checkpoint(connection, checkpoint=checkpoint)


def _edge(size: int) -> tuple[NodeId, ...]:
    return plan_root(size).nodes if size else ()


async def read_nodes(connection: Connection, nodes: Sequence[NodeId]) -> list[bytes]:
    """Read the hashes of perfect subtrees, in the order asked for."""
    found = await store.load_nodes(connection, places=[(node.level, node.index) for node in nodes])
    return [found[node.level, node.index] for node in nodes]


def complete_nodes(frontier: Frontier, leaf_hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """Append `leaf_hashes` to `frontier`; return the subtrees above the leaves that became complete.

    Each is (level, index within the level, hash), level 1 and up.
    """
    made = []
    for leaf_hash in leaf_hashes:
        position = frontier.size
        node = leaf_hash
        edge = list(frontier.nodes)
        level = 0
        while position >> level & 1:
            node = SUITE.node_hash(edge.pop(), node)
            level += 1
            made.append((level, position >> level, node))
        frontier.append(leaf_hash)
    return made
