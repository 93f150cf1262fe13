"""The Merkle tree of RFC 9162 2.1: a frontier to append with, and a whole tree in memory for batches.

`Frontier` keeps only the roots of the perfect subtrees along the right edge (one for each bit set in the
size), which is all that appending needs. `MerkleTree` keeps every node and serves proofs at once; it is
meant for the thousands of leaves of a batch. Logs of millions keep tiles (`signing.merkle.tiles`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Self

from signing.errors import DecodeError
from signing.merkle.hashing import HASH_BYTES, HashSuite
from signing.merkle.proofs import (
    MAX_TREE_SIZE,
    NodeId,
    Proof,
    consistency_proof,
    fold_right,
    inclusion_proof,
    root,
)

_FRONTIER_MAGIC: Final = {HashSuite.SM3: b"SZMF\x01\x01", HashSuite.SHA256: b"SZMF\x01\x02"}
_MAGIC_BYTES: Final = 6
_SIZE_BYTES: Final = 8


class Frontier:
    """The right edge of a tree: enough to append leaves and to tell the root, in O(log n) space.

    Not safe for use by several threads at once.
    """

    __slots__ = ("_nodes", "_size", "_suite")

    def __init__(self, suite: HashSuite = HashSuite.SM3) -> None:
        self._suite = suite
        self._size = 0
        self._nodes: list[bytes] = []

    @classmethod
    def from_nodes(cls, suite: HashSuite, size: int, nodes: Sequence[bytes]) -> Self:
        """Restore a frontier from the perfect subtrees that cover `size` leaves, largest first.

        These are the nodes of `plan_root(size)`. Raises DecodeError where their number or length is off.
        """
        if not 0 <= size <= MAX_TREE_SIZE or len(nodes) != size.bit_count():
            message = "A frontier has one hash for each bit set in its size."
            raise DecodeError(message)
        if any(len(node) != HASH_BYTES for node in nodes):
            message = f"Every hash of a frontier is {HASH_BYTES} bytes long."
            raise DecodeError(message)
        frontier = cls(suite)
        frontier._size = size
        frontier._nodes = list(nodes)
        return frontier

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raise DecodeError for anything else."""
        suites = [suite for suite, magic in _FRONTIER_MAGIC.items() if data.startswith(magic)]
        header = _MAGIC_BYTES + _SIZE_BYTES
        if not suites or len(data) < header or (len(data) - header) % HASH_BYTES:
            message = "These bytes are not a serialised frontier."
            raise DecodeError(message)
        size = int.from_bytes(data[_MAGIC_BYTES:header], "big")
        nodes = [data[at : at + HASH_BYTES] for at in range(header, len(data), HASH_BYTES)]
        return cls.from_nodes(suites[0], size, nodes)

    @property
    def suite(self) -> HashSuite:
        """The hash function of the tree."""
        return self._suite

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """The perfect subtrees that cover the tree, largest first."""
        return tuple(self._nodes)

    def append(self, leaf_hash: bytes) -> None:
        """Append one leaf hash (32 bytes)."""
        self.extend((leaf_hash,))

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Append leaf hashes in order; amortised one node hash for each."""
        node_hash = self._suite.node_hash
        nodes, size = self._nodes, self._size
        for leaf_hash in leaf_hashes:
            node = leaf_hash
            carry = size
            while carry & 1:
                node = node_hash(nodes.pop(), node)
                carry >>= 1
            nodes.append(node)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """Compute the root over all leaves so far."""
        return fold_right(self._suite, self._nodes) if self._nodes else self._suite.empty_root

    def copy(self) -> Frontier:
        """Return an independent frontier of the same tree."""
        return Frontier.from_nodes(self._suite, self._size, self._nodes)

    def to_bytes(self) -> bytes:
        """Serialise: a magic that names the hash, the size (8 bytes, big-endian), the hashes."""
        return _FRONTIER_MAGIC[self._suite] + self._size.to_bytes(_SIZE_BYTES, "big") + b"".join(self._nodes)


class MerkleTree:
    """A whole tree in memory, built at once from its leaf hashes; a `NodeSource`."""

    __slots__ = ("_levels", "_suite")

    def __init__(self, leaf_hashes: Iterable[bytes], *, suite: HashSuite = HashSuite.SM3) -> None:
        self._suite = suite
        self._levels = [list(leaf_hashes)]
        self._build_up_from(0)

    @classmethod
    def of_entries(cls, entries: Iterable[bytes], *, suite: HashSuite = HashSuite.SM3) -> Self:
        """Hash entries to leaves and build their tree."""
        return cls(map(suite.leaf_hash, entries), suite=suite)

    @property
    def suite(self) -> HashSuite:
        """The hash function of the tree."""
        return self._suite

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0])

    @property
    def levels(self) -> Sequence[Sequence[bytes]]:
        """The perfect subtrees by level: `levels[l][i]` is node (l, i)."""
        return self._levels

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Append leaf hashes, hashing only what they complete."""
        self._levels[0].extend(leaf_hashes)
        self._build_up_from(0)

    def read_nodes(self, nodes: Sequence[NodeId], /) -> list[bytes]:
        """Return the hashes of perfect subtrees, in the order asked for."""
        return [self._levels[node.level][node.index] for node in nodes]

    def root(self, size: int | None = None) -> bytes:
        """Compute the root, or the root that the tree had at an earlier size."""
        return root(self._suite, self, size=self.size if size is None else size)

    def inclusion_proof(self, index: int, size: int | None = None) -> Proof:
        """Build the inclusion proof of a leaf, in the tree as it is or was at an earlier size."""
        return inclusion_proof(self._suite, self, index=index, size=self.size if size is None else size)

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> Proof:
        """Build the proof that the tree continues what it was at `old_size`."""
        size = self.size if new_size is None else new_size
        return consistency_proof(self._suite, self, old_size=old_size, new_size=size)

    def _build_up_from(self, level: int) -> None:
        node_hash = self._suite.node_hash
        while len(self._levels[level]) > 1:
            below = self._levels[level]
            if level + 1 == len(self._levels):
                self._levels.append([])
            above = self._levels[level + 1]
            start, end = 2 * len(above), len(below) & ~1
            above.extend(map(node_hash, below[start:end:2], below[start + 1 : end : 2]))
            level += 1
