"""Inclusion and consistency proofs: which nodes they need, how they are put together, how they are checked.

A node is named by (level, index): the root of the perfect subtree over the leaves
[index · 2^level, (index + 1) · 2^level). A proof is planned first, from sizes alone: the plan names the
nodes. Whoever keeps the tree (memory, tiles, a database, synchronously or not) reads those nodes in one
go and hands them to `ProofPlan.assemble`. A tree of ten million leaves needs at most some thirty nodes.

Source: RFC 9162 2.1.3 (inclusion), 2.1.4 (consistency).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hmac import compare_digest
from typing import Final, Protocol

from signing.merkle.errors import ProofRefused, TreeRangeError
from signing.merkle.hashing import HASH_BYTES, HashSuite

MAX_TREE_SIZE: Final = 2**63 - 1

Proof = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NodeId:
    """The root of a perfect subtree: 2^level leaves, the index-th such subtree from the left."""

    level: int
    index: int


class NodeSource(Protocol):
    """Whatever can read the hashes of perfect subtrees of one tree."""

    def read_nodes(self, nodes: Sequence[NodeId], /) -> Sequence[bytes]:
        """Return the 32-byte hashes of `nodes`, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPlan:
    """The nodes that a proof is made of.

    Each term is one hash of the proof: one perfect subtree, or several from left to right (levels
    falling) that are folded from the right, which is how the ragged right edge of a tree hashes.
    """

    terms: tuple[tuple[NodeId, ...], ...]

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """All nodes to be read, in the order of the terms."""
        return tuple(node for term in self.terms for node in term)

    def assemble(self, suite: HashSuite, hashes: Mapping[NodeId, bytes]) -> Proof:
        """Put the proof together from the hashes of `self.nodes`."""
        return tuple(fold_right(suite, [hashes[node] for node in term]) for term in self.terms)

    def read(self, suite: HashSuite, source: NodeSource) -> Proof:
        """Read the nodes from `source`, all in one call, and put the proof together."""
        nodes = self.nodes
        return self.assemble(suite, dict(zip(nodes, source.read_nodes(nodes), strict=True)))


def fold_right(suite: HashSuite, hashes: Sequence[bytes]) -> bytes:
    """Hash perfect subtrees of falling size, left to right, to the root over all of them."""
    node_hash = suite.node_hash
    return reduce(lambda right, left: node_hash(left, right), reversed(hashes))


def plan_root(size: int) -> ProofPlan:
    """Plan the root of the tree of `size` leaves (at least one): a proof of one term."""
    _check_range(size, low=1)
    return ProofPlan(terms=(_cover(0, size),))


def plan_inclusion(index: int, size: int) -> ProofPlan:
    """Plan the inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162 2.1.3.1)."""
    _check_range(size, low=1)
    _check_range(index, low=0, high=size - 1)
    return ProofPlan(terms=tuple(_cover(*span) for span in _inclusion_spans(index, 0, size)))


def plan_consistency(old_size: int, new_size: int) -> ProofPlan:
    """Plan the proof that the first `old_size` leaves of the larger tree are the smaller tree.

    Raises TreeRangeError unless 0 ≤ old_size ≤ new_size. The proof from the empty tree, and from a tree to
    itself, has no terms. Source: RFC 9162 2.1.4.1.
    """
    _check_range(new_size, low=0)
    _check_range(old_size, low=0, high=new_size)
    if old_size in {0, new_size}:
        return ProofPlan(terms=())
    return ProofPlan(terms=tuple(_cover(*span) for span in _consistency_spans(old_size, new_size)))


def inclusion_proof(suite: HashSuite, source: NodeSource, *, index: int, size: int) -> Proof:
    """Build the inclusion proof of leaf `index` in the tree of `size` leaves."""
    return plan_inclusion(index, size).read(suite, source)


def consistency_proof(suite: HashSuite, source: NodeSource, *, old_size: int, new_size: int) -> Proof:
    """Build the consistency proof between two sizes of one tree."""
    return plan_consistency(old_size, new_size).read(suite, source)


def root(suite: HashSuite, source: NodeSource, *, size: int) -> bytes:
    """Compute the root of the tree of `size` leaves from its perfect subtrees."""
    return suite.empty_root if size == 0 else plan_root(size).read(suite, source)[0]


def verify_inclusion(
    suite: HashSuite, *, leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf stands at `index` in the tree of `size` leaves with this root.

    Raises ProofRefused otherwise. Source: RFC 9162 2.1.3.2.
    """
    if not 0 <= index < size <= MAX_TREE_SIZE:
        message = "The leaf index lies outside the tree; take index and size from the same receipt."
        raise ProofRefused(message)
    _check_hashes((leaf_hash, root, *proof))
    node_hash = suite.node_hash
    position, last, result = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofRefused(_WRONG_LENGTH)
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofRefused(_WRONG_LENGTH)
    if not compare_digest(result, root):
        raise ProofRefused(_WRONG_ROOT)


def verify_consistency(
    suite: HashSuite,
    *,
    old_size: int,
    old_root: bytes,
    new_size: int,
    new_root: bytes,
    proof: Sequence[bytes],
) -> None:
    """Check that the larger tree continues the smaller one: nothing altered, nothing left out.

    Raises ProofRefused otherwise. Every tree continues the empty tree, whose root must be the hash of
    nothing. Source: RFC 9162 2.1.4.2.
    """
    if not 0 <= old_size <= new_size <= MAX_TREE_SIZE:
        message = "The older tree is larger than the newer one; give the sizes in order of age."
        raise ProofRefused(message)
    _check_hashes((old_root, new_root, *proof))
    if old_size in {0, new_size}:
        if proof:
            raise ProofRefused(_WRONG_LENGTH)
        if not compare_digest(old_root, new_root if old_size == new_size else suite.empty_root):
            raise ProofRefused(_WRONG_ROOT)
        return
    old_result, new_result = _replay_consistency(suite, old_size, old_root, new_size, proof)
    if not (compare_digest(old_result, old_root) and compare_digest(new_result, new_root)):
        raise ProofRefused(_WRONG_ROOT)


_WRONG_LENGTH: Final = "The proof has the wrong number of hashes for this place in a tree of this size."
_WRONG_ROOT: Final = "The proof does not lead to the given root; the leaf, the proof or the root was altered."


def _replay_consistency(
    suite: HashSuite, old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Compute both roots from the proof; an old tree that is perfect starts from its own root."""
    node_hash = suite.node_hash
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        raise ProofRefused(_WRONG_LENGTH)
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_result = new_result = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofRefused(_WRONG_LENGTH)
        if position & 1 or position == last:
            old_result, new_result = node_hash(sibling, old_result), node_hash(sibling, new_result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_result = node_hash(new_result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofRefused(_WRONG_LENGTH)
    return old_result, new_result


def _cover(start: int, end: int) -> tuple[NodeId, ...]:
    """Split leaves [start, end) into perfect subtrees, left to right.

    `start` must be a multiple of the least power of two that is not below end - start, as the starts of
    RFC 9162's subtrees are; then the levels fall strictly.
    """
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(NodeId(level, start >> level))
        start += 1 << level
    return tuple(nodes)


def _split(start: int, end: int) -> int:
    """Return where RFC 9162 divides [start, end): after the largest power of two below its length."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _inclusion_spans(index: int, start: int, end: int) -> list[tuple[int, int]]:
    """List the siblings on the way from the leaf up to the root, lowest first."""
    spans = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def _consistency_spans(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """List the subtrees of the proof, lowest first; the old root itself is left out where it is one."""
    spans = []
    start, end = 0, new_size
    while end != old_size:
        middle = _split(start, end)
        if old_size <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:
        spans.append((start, end))
    return spans[::-1]


def _check_range(value: int, *, low: int, high: int = MAX_TREE_SIZE) -> None:
    if not low <= value <= high:
        message = f"{value} lies outside the tree; a number from {low} to {high} is possible here."
        raise TreeRangeError(message)


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        message = f"Every hash of a proof is {HASH_BYTES} bytes long; one is not."
        raise ProofRefused(message)
