"""Holding a hub to what it signed: a statement about a subject, counted again in an export of the log."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.log.archive import DROPPED, ArchiveReader, Manifest
from core.log.chain import split_entry
from core.log.export_check import ArchivedLeaf, read_leaves
from core.log.leaf_body import read_body
from core.log.model import Event
from core.log.subject_proof import Statement
from signing.merkle.errors import ProofRefused
from signing.merkle.tree import Frontier

READ_IN_MASS = frozenset({Event.CHANGES_READ, Event.SHARE_READ})


def verify_statement_in_export(statement: Statement, path: Path, manifest: Manifest) -> None:
    """Recount a statement in an export that was verified before; raise ProofRefused where the hub lied.

    1. The export holds the tree that the statement is about. 2. So many leaves of it are about the subject,
    and the last is the one named. 3. So many are in the chain of each resource named as read in mass. 4. No
    feed or share was read of a resource that is not named. Entries that retention dropped are counted by
    their places in chains, which the export lists.
    """
    if statement.tree_size > manifest.tree_size:
        msg = (
            f"The export is older than the statement: it has {manifest.tree_size} leaves, not"
            f" {statement.tree_size}."
        )
        raise ProofRefused(msg)
    recount = _Recount(path, manifest, size=statement.tree_size)
    if recount.frontier.root() != statement.root:
        msg = "The statement is about another tree than the export's."
        raise ProofRefused(msg)
    if (recount.leaves[statement.subject_hmac], recount.last.get(statement.subject_hmac)) != (
        statement.leaves,
        statement.last_leaf_hash,
    ):
        msg = (
            f"The hub signed that {statement.leaves} leaves are about this subject; the log holds"
            f" {recount.leaves[statement.subject_hmac]}, or another last one."
        )
        raise ProofRefused(msg)
    for each in statement.mass_readings:
        if recount.leaves[each.chain] != each.leaves:
            msg = (
                f"The hub signed that the resource {each.resource} was read in mass {each.leaves} times; the"
                f" log holds {recount.leaves[each.chain]} such readings."
            )
            raise ProofRefused(msg)
    if left_out := recount.fed - {each.resource for each in statement.mass_readings}:
        msg = f"The hub left readings in mass out of its statement: {', '.join(sorted(left_out))}."
        raise ProofRefused(msg)


class _Recount:
    """Counts the leaves of each chain in the first `size` leaves of an export."""

    def __init__(self, path: Path, manifest: Manifest, *, size: int) -> None:
        reader = ArchiveReader(path)
        self.frontier = Frontier(manifest.suite)
        self.leaves: Counter[bytes] = Counter()
        self.last: dict[bytes, bytes] = {}
        self.fed: set[str] = set()
        self._dropped = {line["index"]: line["chain"] for line in reader.read_lines(DROPPED)}
        for bundle in read_leaves(reader, manifest):
            inside = [leaf for leaf in bundle if leaf.leaf_index < size]
            self.frontier.extend([leaf.leaf_hash for leaf in inside])
            for leaf in inside:
                self._count(leaf)
        reader.close()

    def _count(self, leaf: ArchivedLeaf) -> None:
        if leaf.entry is None:
            subjects = [bytes.fromhex(chain) for chain, _ in self._dropped.get(leaf.leaf_index, ())]
        else:
            read = read_body(split_entry(leaf.entry)[0], leaf_hash=leaf.leaf_hash)
            subjects = list(read.subjects)
            if read.event in READ_IN_MASS and read.resource_code is not None and subjects:
                self.fed.add(read.resource_code)
        for subject in subjects:
            self.leaves[subject] += 1
            self.last[subject] = leaf.leaf_hash
