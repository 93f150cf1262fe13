"""The first half of the self-check: every leaf, entry, chain, node and head, in the order of the tree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from core.database import Connection
from core.log import store_check
from core.log.chain import Link, build_entry
from core.log.findings import Findings
from core.log.heads import HeadVerifier
from core.log.leaf_body import read_body
from core.log.model import Checkpoint
from core.log.sequencer import complete_nodes
from core.log.store import LEAF_COLUMNS, leaf_row, read_subjects
from signing.errors import ShuzhengError
from signing.merkle.hashing import HashSuite
from signing.merkle.tree import Frontier

CHUNK_LEAVES: Final = 4096


class TreeCheck:
    """Walks through the tree, recomputing it. `frontier` is the tree as it should be, so far."""

    def __init__(self, *, heads: HeadVerifier, findings: Findings) -> None:
        self._heads = heads
        self._findings = findings
        self.frontier = Frontier(heads.suite)
        self.leaves = 0
        self.checkpoints = 0
        self._checked_size = 0

    async def run(self, connection: Connection) -> None:
        """Check everything that has a place, on a connection whose transaction is one snapshot."""
        after = -1
        while chunk := await store_check.load_entries(connection, after=after, limit=CHUNK_LEAVES):
            after = chunk[-1]["leaf_index"]
            links = await store_check.load_links(connection, first=chunk[0]["leaf_index"], last=after)
            first = self.frontier.size
            hashes = await asyncio.to_thread(self._check_leaves, chunk, links)
            heads = await store_check.load_checkpoints(connection, after=first, up_to=first + len(hashes))
            nodes = await asyncio.to_thread(self._grow, hashes, heads)
            await self._check_nodes(connection, nodes)
        size = self.frontier.size
        for level, index in await store_check.load_nodes_outside(connection, tree_size=size):
            self._findings.add("log_node", f"level={level} node_index={index}", "the tree has no such node")
        for tree_size in await store_check.load_checkpoints_outside(connection, tree_size=size):
            self._findings.add(
                "log_checkpoint", f"tree_size={tree_size}", f"the stored tree has {size} leaves only"
            )
        if self._checked_size != size:
            self._findings.add("log_checkpoint", f"tree_size={size}", "the head of the whole tree is missing")

    def _check_leaves(self, chunk: Sequence[asyncpg.Record], links: Sequence[asyncpg.Record]) -> list[bytes]:
        """Check a piece; return the tree hash of each entry as it should be."""
        by_leaf: dict[int, list[asyncpg.Record]] = {}
        for link in links:
            by_leaf.setdefault(link["leaf_index"], []).append(link)
        hashes = []
        expected = self.frontier.size
        for row in chunk:
            index = row["leaf_index"]
            while expected < index:
                self._findings.add("log_entry", f"leaf_index={expected}", "the entry is missing")
                hashes.append(b"\0" * 32)
                expected += 1
            if index < expected:
                self._findings.add("log_entry", f"leaf_index={index}", "no tree has such an index")
                continue
            hashes.append(self._check_entry(row, by_leaf.get(index, [])))
            expected += 1
        return hashes

    def _check_entry(self, row: asyncpg.Record, links: Sequence[asyncpg.Record]) -> bytes:
        entry_hash: bytes = row["entry_hash"]
        place = f"leaf_index={row['leaf_index']}"
        if row["id"] is None:
            if row["dropped_with"] is None:
                self._findings.add("log_leaf", f"id={row['leaf_id']} ({place})", "the leaf is missing")
            self._check_unlinked(links)
            return entry_hash
        self.leaves += 1
        if not check_leaf(row, suite=self._heads.suite, findings=self._findings):
            return entry_hash
        ordered = self._check_links(row, links)
        if ordered is None:
            return entry_hash
        made = self._heads.suite.leaf_hash(build_entry(row["body"], ordered))
        if made != entry_hash:
            self._findings.add("log_entry", place, "leaf_hash is not the hash of leaf and chain")
        return made

    def _check_unlinked(self, links: Sequence[asyncpg.Record]) -> None:
        """Check the places in chains of a leaf that is gone: their order, since nothing else can be known."""
        for link in links:
            if not _is_linked(link):
                self._findings.add("log_chain", _name_link(link), "it is not the next of its chain")

    def _check_links(self, row: asyncpg.Record, links: Sequence[asyncpg.Record]) -> list[Link] | None:
        subjects = read_subjects(row)
        found = {link["subject_hmac"]: link for link in links}
        is_right = len(found) == len(links)
        for link in links:
            if link["subject_hmac"] not in subjects or not _is_linked(link):
                is_right = False
                problem = "the leaf there is not about this subject, or not the next of its chain"
                self._findings.add("log_chain", _name_link(link), problem)
        for subject in subjects:
            if subject not in found:
                is_right = False
                where = f"subject_hmac={subject.hex()} leaf_index={row['leaf_index']}"
                self._findings.add("log_chain", where, "the leaf's place in the chain is missing")
        if not is_right:
            return None
        return [
            Link(number=found[each]["number"], previous=found[each]["previous_hash"]) for each in subjects
        ]

    def _grow(
        self, hashes: Sequence[bytes], heads: Sequence[Checkpoint]
    ) -> dict[int, list[tuple[int, bytes]]]:
        """Append to the tree, stopping at every signed head to compare; return the new nodes by level."""
        made: dict[int, list[tuple[int, bytes]]] = {}
        first, at = self.frontier.size, 0
        for head in (*heads, None):
            end = len(hashes) if head is None else head.tree_size - first
            for level, index, node in complete_nodes(self.frontier, hashes[at:end]):
                made.setdefault(level, []).append((index, node))
            at = end
            if head is not None:
                self._check_head(head)
        return made

    def _check_head(self, head: Checkpoint) -> None:
        row = f"tree_size={head.tree_size}"
        self.checkpoints += 1
        add = self._findings.add
        if head.root_hash != self.frontier.root():
            since = f"from leaf {self._checked_size} on"
            add("log_checkpoint", row, f"root_hash is not the root of the stored tree ({since})")
        try:
            signed = self._heads.read(head.note)
        except ShuzhengError as wrong:
            add("log_checkpoint", row, f"note: {wrong.detail}")
        else:
            if (signed.size, signed.root) != (head.tree_size, head.root_hash):
                add("log_checkpoint", row, "note signs another size or root than the row has")
            if signed.signed_at != head.signed_at:
                add("log_checkpoint", row, "signed_at is not the signed time")
            if signed.previous_size != self._checked_size:
                missing = f"a head of {signed.previous_size} leaves was signed before this one"
                add("log_checkpoint", f"tree_size={signed.previous_size}", f"the head is missing: {missing}")
        self._checked_size = head.tree_size

    async def _check_nodes(
        self, connection: Connection, made: Mapping[int, Sequence[tuple[int, bytes]]]
    ) -> None:
        for level, nodes in made.items():
            first, end = nodes[0][0], nodes[-1][0] + 1
            stored = await store_check.load_nodes_between(connection, level=level, first=first, end=end)
            for index, node in nodes:
                if stored.get(index) != node:
                    problem = (
                        "the node is missing" if index not in stored else "hash is not that of its children"
                    )
                    self._findings.add("log_node", f"level={level} node_index={index}", problem)


def check_leaf(row: asyncpg.Record, *, suite: HashSuite, findings: Findings) -> bool:
    """Compare a leaf's columns with its body and its hash; tell whether body and hash agree."""
    where = f"id={row['id']}"
    body: str = row["body"]
    agrees = bool(suite.leaf_hash(body.encode()) == row["leaf_hash"])
    if not agrees:
        findings.add("log_leaf", where, "leaf_hash is not the hash of body")
    try:
        values = leaf_row(read_body(body, leaf_hash=row["leaf_hash"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        findings.add("log_leaf", where, "body is not the body of a leaf")
        return False
    for name, value in zip(LEAF_COLUMNS, values, strict=True):
        if row[name] != value:
            findings.add("log_leaf", where, f"{name} is not what the body says")
            agrees = agrees and name not in {"subject_hmac", "subjects"}
    return agrees


def _is_linked(link: asyncpg.Record) -> bool:
    if link["number"] == 1:
        return bool(link["previous_index"] is None)
    return bool(link["previous_hash"] is not None and link["previous_index"] < link["leaf_index"])


def _name_link(link: asyncpg.Record) -> str:
    return f"subject_hmac={link['subject_hmac'].hex()} number={link['number']}"
