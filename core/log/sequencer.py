"""Giving leaves their place in the tree, off the request path.

One process at a time holds the sequencer's lock. In one transaction it takes leaves off the queue, numbers
them in the chains of their subjects, appends them to the tree, writes the subtrees that became complete, and
signs the new head. A kill -9 at any moment leaves all of that or nothing: no gap, no fork, no lost leaf.

It never continues a head that is not its own: the last head must bear the log's signature, its root must be
that of the stored tree, and the tree must not be shorter than what this hub has signed (the anchor).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from core.database import Connection, Database
from core.errors import ShuzhengError, Unavailable
from core.log import store
from core.log.anchor import Anchor
from core.log.chain import Link, build_entry
from core.log.heads import HeadKeys, HeadVerifier, broken_log
from core.log.model import ChainLink, Checkpoint, Pending
from signing.merkle.proofs import NodeId, plan_root
from signing.merkle.tree import Frontier

logger = logging.getLogger("shuzheng.log")

MAX_LEAVES_PER_ROUND: Final = 4096
THREAD_FROM_LEAVES: Final = 256


class Sequencer:
    """Integrates pending leaves every `interval_s` seconds while `run` runs."""

    def __init__(
        self,
        *,
        database: Database,
        heads: HeadKeys,
        interval_s: float,
        now: Callable[[], datetime],
        anchor: Anchor | None = None,
    ) -> None:
        self._database = database
        self._heads = heads
        self._interval_s = interval_s
        self._now = now
        self._anchor = Anchor(None) if anchor is None else anchor

    async def run(self) -> None:
        """Integrate until cancelled. A database that is down is waited for."""
        while True:
            try:
                while await self.integrate_once() == MAX_LEAVES_PER_ROUND:
                    pass
            except Unavailable:
                logger.warning("the database does not answer; the log's sequencer waits")
            except ShuzhengError as error:
                logger.error("the log's sequencer signs nothing: %s", error.detail)
            except Exception as error:
                logger.error("a round of the log's sequencer failed: %s", type(error).__name__)
            await asyncio.sleep(self._interval_s)

    async def integrate_once(self) -> int:
        """Integrate up to MAX_LEAVES_PER_ROUND leaves; return how many. 0 where another process is at it.

        Raises Conflict where the stored tree is not the one that was signed.
        """
        async with self._database.transaction() as connection:
            if not await store.try_lock_sequencer(connection):
                return 0
            pending = await store.take_pending(connection, limit=MAX_LEAVES_PER_ROUND)
            if not pending:
                return 0
            checkpoint = await self._append(connection, pending)
        self._anchor.keep(checkpoint.note)
        return len(pending)

    async def _append(self, connection: Connection, pending: Sequence[Pending]) -> Checkpoint:
        suite = self._heads.suite
        await store.verify_tree(connection, origin=self._heads.origin, hash_suite=str(suite))
        frontier = await load_frontier(connection, heads=self._heads.verifier, anchor=self._anchor)
        subjects = list({subject for each in pending for subject in each.subjects})
        chain_heads = await store.load_chain_heads(connection, subjects=subjects) if subjects else {}
        first = frontier.size
        if len(pending) > THREAD_FROM_LEAVES:
            appended = await asyncio.to_thread(append_leaves, frontier, pending, chain_heads)
        else:
            appended = append_leaves(frontier, pending, chain_heads)
        entries = [
            (first + n, each.leaf_id, leaf_hash)
            for n, (each, leaf_hash) in enumerate(zip(pending, appended.leaf_hashes, strict=True))
        ]
        await store.save_entries(connection, entries=entries)
        await store.save_nodes(connection, nodes=appended.nodes)
        if appended.links:
            await store.save_chain(connection, links=appended.links)
        checkpoint = await asyncio.to_thread(
            self._heads.sign, frontier.size, frontier.root(), self._now(), previous_size=first
        )
        await store.save_checkpoint(connection, checkpoint=checkpoint)
        return checkpoint


class Appended:
    """What appending a batch made: tree hashes, complete subtrees above the leaves, places in chains."""

    __slots__ = ("leaf_hashes", "links", "nodes")

    def __init__(self) -> None:
        self.leaf_hashes: list[bytes] = []
        self.nodes: list[tuple[int, int, bytes]] = []
        self.links: list[ChainLink] = []


def append_leaves(
    frontier: Frontier, pending: Sequence[Pending], chain_heads: dict[bytes, tuple[int, bytes]]
) -> Appended:
    """Append leaves to `frontier`, numbering them in their subjects' chains from `chain_heads` on."""
    appended = Appended()
    heads = dict(chain_heads)
    leaf_hash_of = frontier.suite.leaf_hash
    for leaf_index, each in enumerate(pending, start=frontier.size):
        leaf_hash = each.leaf_hash
        if each.subjects:
            assert each.body is not None
            links = [_next_link(heads.get(subject)) for subject in each.subjects]
            leaf_hash = leaf_hash_of(build_entry(each.body, links))
            for subject, link in zip(each.subjects, links, strict=True):
                heads[subject] = (link.number, leaf_hash)
                appended.links.append(
                    ChainLink(subject_hmac=subject, number=link.number, leaf_index=leaf_index)
                )
        appended.leaf_hashes.append(leaf_hash)
    appended.nodes = complete_nodes(frontier, appended.leaf_hashes)
    return appended


def _next_link(head: tuple[int, bytes] | None) -> Link:
    return Link(number=1, previous=None) if head is None else Link(number=head[0] + 1, previous=head[1])


async def load_frontier(connection: Connection, *, heads: HeadVerifier, anchor: Anchor) -> Frontier:
    """Load the edge of the stored tree, once it is seen to be the one that was signed last.

    Raises Conflict otherwise; then `shuzheng log verify` names the rows.
    """
    kept = anchor.load(heads)
    latest = await store.load_latest_checkpoint(connection)
    if latest is None:
        anchor.verify_continued(kept, size=0, root=heads.suite.empty_root)
        return Frontier(heads.suite)
    signed = heads.verify(latest.note)
    frontier = Frontier.from_nodes(
        heads.suite, signed.size, await read_nodes(connection, plan_root(signed.size).nodes)
    )
    if frontier.root() != signed.root:
        msg = f"the stored tree of {signed.size} leaves is not the one that was signed"
        raise broken_log(msg)
    anchor.verify_continued(kept, size=signed.size, root=signed.root)
    return frontier


async def read_nodes(connection: Connection, nodes: Sequence[NodeId]) -> list[bytes]:
    """Read the hashes of perfect subtrees, in the order asked for. Raises Conflict where one is gone."""
    found = await store.load_nodes(connection, places=[(node.level, node.index) for node in nodes])
    try:
        return [found[node.level, node.index] for node in nodes]
    except KeyError as missing:
        msg = f"the node {missing.args[0]} (level, index) of the tree is missing"
        raise broken_log(msg) from missing


def complete_nodes(frontier: Frontier, leaf_hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """Append `leaf_hashes` to `frontier`; return the subtrees above the leaves that became complete.

    Each is (level, index within the level, hash), level 1 and up, level by level.
    """
    suite, first = frontier.suite, frontier.size
    node_hash = suite.node_hash
    levels = [bit for bit in reversed(range(first.bit_length())) if first >> bit & 1]
    edge = dict(zip(levels, frontier.nodes, strict=True))
    made: list[tuple[int, int, bytes]] = []
    level, start, hashes = 0, first, list(leaf_hashes)
    while hashes:
        if start & 1:
            hashes.insert(0, edge[level])
            start -= 1
        pairs = len(hashes) // 2
        above = list(map(node_hash, hashes[0 : 2 * pairs : 2], hashes[1 : 2 * pairs : 2]))
        level, start = level + 1, start // 2
        made += [(level, start + n, node) for n, node in enumerate(above)]
        hashes = above
    frontier.extend(leaf_hashes)
    return made
