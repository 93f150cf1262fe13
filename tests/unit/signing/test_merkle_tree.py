"""The Merkle tree against a slow recursive model written straight from the definitions of RFC 9162 2.1."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.errors import DecodeError, EvidenceRefused, SigningError
from signing.merkle.errors import ProofRefused, TreeRangeError
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import (
    MAX_TREE_SIZE,
    NodeId,
    plan_consistency,
    plan_inclusion,
    verify_consistency,
    verify_inclusion,
)
from signing.merkle.tree import Frontier, MerkleTree

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))
LARGEST_MODEL_TREE = 70
BOTH = pytest.mark.parametrize("suite", list(HashSuite))


def model_hash(suite: HashSuite, data: bytes) -> bytes:
    if suite is HashSuite.SHA256:
        return hashlib.sha256(data).digest()
    context = hashes.Hash(hashes.SM3())
    context.update(data)
    return context.finalize()


def model_root(suite: HashSuite, entries: list[bytes]) -> bytes:
    if not entries:
        return model_hash(suite, b"")
    if len(entries) == 1:
        return model_hash(suite, b"\x00" + entries[0])
    k = largest_power_below(len(entries))
    return model_hash(suite, b"\x01" + model_root(suite, entries[:k]) + model_root(suite, entries[k:]))


def model_inclusion(suite: HashSuite, m: int, entries: list[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = largest_power_below(len(entries))
    if m < k:
        return [*model_inclusion(suite, m, entries[:k]), model_root(suite, entries[k:])]
    return [*model_inclusion(suite, m - k, entries[k:]), model_root(suite, entries[:k])]


def model_consistency(suite: HashSuite, m: int, entries: list[bytes], *, known: bool = True) -> list[bytes]:
    if m == len(entries):
        return [] if known else [model_root(suite, entries)]
    k = largest_power_below(len(entries))
    if m <= k:
        return [*model_consistency(suite, m, entries[:k], known=known), model_root(suite, entries[k:])]
    return [*model_consistency(suite, m - k, entries[k:], known=False), model_root(suite, entries[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def entries_of(size: int) -> list[bytes]:
    return [f"entry {n}".encode() for n in range(size)]


def flip(data: bytes, bit: int) -> bytes:
    value = bytearray(data)
    value[bit // 8] ^= 1 << bit % 8
    return bytes(value)


@BOTH
def test_suite_hashes_prefixes_as_rfc_9162_says(suite: HashSuite) -> None:
    assert suite.digest(b"abc") == model_hash(suite, b"abc")
    assert suite.leaf_hash(b"abc") == model_hash(suite, b"\x00abc")
    assert suite.node_hash(b"l" * 32, b"r" * 32) == model_hash(suite, b"\x01" + b"l" * 32 + b"r" * 32)
    assert suite.empty_root == model_hash(suite, b"")


def test_sm3_suite_without_sm3_in_hashlib_uses_cryptography() -> None:
    code = (
        "import hashlib; hashlib.algorithms_available.discard('sm3')\n"
        "from signing.merkle import hashing as h\n"
        "assert h._maker(h.HashSuite.SM3) is h._prefixed_sm3_without_openssl\n"
        "print(h.HashSuite.SM3.node_hash(b'l' * 32, b'r' * 32).hex())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == HashSuite.SM3.node_hash(b"l" * 32, b"r" * 32).hex()


@BOTH
def test_root_of_every_size_agrees_with_model(suite: HashSuite) -> None:
    entries = entries_of(LARGEST_MODEL_TREE)
    tree = MerkleTree.of_entries(entries, suite=suite)
    frontier = Frontier(suite)
    for size in range(LARGEST_MODEL_TREE + 1):
        expected = model_root(suite, entries[:size])
        assert tree.root(size) == expected
        assert frontier.root() == expected
        assert frontier.size == size
        if size < LARGEST_MODEL_TREE:
            frontier.append(suite.leaf_hash(entries[size]))


def test_published_sha256_roots_of_rfc_6962_example_leaves_are_met() -> None:
    leaves = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]  # fmt: skip
    tree = MerkleTree.of_entries([bytes.fromhex(leaf) for leaf in leaves], suite=HashSuite.SHA256)
    assert tree.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@BOTH
def test_inclusion_proof_of_every_leaf_agrees_with_model_and_verifies(suite: HashSuite) -> None:
    entries = entries_of(LARGEST_MODEL_TREE // 2)
    tree = MerkleTree.of_entries(entries, suite=suite)
    for size in range(1, len(entries) + 1):
        for index in range(size):
            proof = tree.inclusion_proof(index, size)
            assert list(proof) == model_inclusion(suite, index, entries[:size])
            verify_inclusion(
                suite,
                leaf_hash=suite.leaf_hash(entries[index]),
                index=index,
                size=size,
                proof=proof,
                root=tree.root(size),
            )


@BOTH
def test_consistency_proof_of_every_pair_of_sizes_agrees_with_model_and_verifies(suite: HashSuite) -> None:
    entries = entries_of(LARGEST_MODEL_TREE // 2)
    tree = MerkleTree.of_entries(entries, suite=suite)
    for new_size in range(len(entries) + 1):
        for old_size in range(new_size + 1):
            proof = tree.consistency_proof(old_size, new_size)
            if old_size:
                assert list(proof) == model_consistency(suite, old_size, entries[:new_size])
            verify_consistency(
                suite,
                old_size=old_size,
                old_root=tree.root(old_size),
                new_size=new_size,
                new_root=tree.root(new_size),
                proof=proof,
            )


@given(size=st.integers(2, 200), data=st.data())
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_inclusion_with_any_flipped_bit_or_other_place_is_refused(size: int, data: st.DataObject) -> None:
    suite = data.draw(st.sampled_from(list(HashSuite)))
    tree = MerkleTree.of_entries(entries_of(size), suite=suite)
    index = data.draw(st.integers(0, size - 1))
    honest = {
        "leaf_hash": tree.read_nodes([NodeId(0, index)])[0],
        "index": index,
        "size": size,
        "proof": tree.inclusion_proof(index),
        "root": tree.root(),
    }
    verify_inclusion(suite, **honest)
    forged = honest | data.draw(st.sampled_from(inclusion_forgeries(honest, data)))
    with pytest.raises(ProofRefused):
        verify_inclusion(suite, **forged)


def inclusion_forgeries(honest: dict, data: st.DataObject) -> list[dict]:
    bit = data.draw(st.integers(0, 255))
    proof, index, size = honest["proof"], honest["index"], honest["size"]
    place = data.draw(st.integers(0, len(proof) - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    return [
        {"leaf_hash": flip(honest["leaf_hash"], bit)},
        {"root": flip(honest["root"], bit)},
        {"proof": (*proof[:place], flip(proof[place], bit), *proof[place + 1 :])},
        {"proof": proof[:-1]},
        {"proof": (*proof, b"\x00" * 32)},
        {"proof": (*proof[:place], proof[place][:31], *proof[place + 1 :])},
        {"proof": (*proof[:place], b"".join(proof[place:]))} if place < len(proof) - 1 else {"proof": ()},
        {"index": other},
        {"index": -1},
        {"index": size},
        {"size": 0},
        {"size": MAX_TREE_SIZE + 1},
    ]


@given(new_size=st.integers(2, 200), data=st.data())
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_consistency_with_any_flipped_bit_or_other_size_is_refused(
    new_size: int, data: st.DataObject
) -> None:
    suite = data.draw(st.sampled_from(list(HashSuite)))
    tree = MerkleTree.of_entries(entries_of(new_size), suite=suite)
    old_size = data.draw(st.integers(1, new_size - 1))
    proof = tree.consistency_proof(old_size)
    honest = {
        "old_size": old_size,
        "old_root": tree.root(old_size),
        "new_size": new_size,
        "new_root": tree.root(),
        "proof": proof,
    }
    verify_consistency(suite, **honest)
    bit = data.draw(st.integers(0, 255))
    place = data.draw(st.integers(0, len(proof) - 1))
    forged = honest | data.draw(
        st.sampled_from(
            [
                {"old_root": flip(honest["old_root"], bit)},
                {"new_root": flip(honest["new_root"], bit)},
                {"proof": (*proof[:place], flip(proof[place], bit), *proof[place + 1 :])},
                {"proof": proof[:-1]},
                {"proof": (*proof, b"\x00" * 32)},
                {"proof": ()},
                {"old_size": new_size + 1},
                {"old_size": new_size},
                {"old_size": 0},
                {"new_size": old_size},
            ]
        )
    )
    with pytest.raises(ProofRefused):
        verify_consistency(suite, **forged)


def test_consistency_from_rewritten_history_is_refused() -> None:
    suite = HashSuite.SM3
    entries = entries_of(40)
    old_root = MerkleTree.of_entries(entries[:25]).root()
    rewritten = MerkleTree.of_entries([*entries[:10], b"altered", *entries[11:]])
    with pytest.raises(ProofRefused):
        verify_consistency(
            suite,
            old_size=25,
            old_root=old_root,
            new_size=40,
            new_root=rewritten.root(),
            proof=rewritten.consistency_proof(25),
        )


def test_consistency_from_empty_tree_demands_the_empty_root() -> None:
    tree = MerkleTree.of_entries(entries_of(5))
    with pytest.raises(ProofRefused):
        verify_consistency(
            HashSuite.SM3, old_size=0, old_root=b"\x00" * 32, new_size=5, new_root=tree.root(), proof=()
        )


def test_consistency_of_equal_sizes_with_other_roots_is_refused() -> None:
    root = MerkleTree.of_entries(entries_of(5)).root()
    with pytest.raises(ProofRefused):
        verify_consistency(
            HashSuite.SM3, old_size=5, old_root=root, new_size=5, new_root=flip(root, 3), proof=()
        )


def test_inclusion_proof_of_sha256_tree_is_refused_under_sm3() -> None:
    tree = MerkleTree.of_entries(entries_of(9), suite=HashSuite.SHA256)
    with pytest.raises(ProofRefused):
        verify_inclusion(
            HashSuite.SM3,
            leaf_hash=tree.read_nodes([NodeId(0, 4)])[0],
            index=4,
            size=9,
            proof=tree.inclusion_proof(4),
            root=tree.root(),
        )


def test_inner_node_presented_as_leaf_is_refused() -> None:
    tree = MerkleTree.of_entries(entries_of(4))
    left, right = tree.read_nodes([NodeId(0, 0), NodeId(0, 1)])
    with pytest.raises(ProofRefused):
        verify_inclusion(
            HashSuite.SM3,
            leaf_hash=HashSuite.SM3.leaf_hash(left + right),
            index=0,
            size=2,
            proof=tree.inclusion_proof(0)[1:],
            root=tree.root(),
        )


@given(sizes=st.lists(st.integers(0, 90), max_size=6))
@settings(max_examples=60, deadline=None)
def test_tree_grown_in_steps_equals_tree_built_at_once(sizes: list[int]) -> None:
    leaves = [HashSuite.SM3.leaf_hash(entry) for entry in entries_of(sum(sizes))]
    grown, frontier, done = MerkleTree([]), Frontier(), 0
    for size in sizes:
        grown.extend(leaves[done : done + size])
        frontier.extend(leaves[done : done + size])
        done += size
    whole = MerkleTree(leaves)
    assert grown.levels == whole.levels
    assert grown.root() == whole.root() == frontier.root()


@BOTH
def test_frontier_serialised_and_parsed_continues_the_same_tree(suite: HashSuite) -> None:
    frontier = Frontier(suite)
    for size in range(40):
        restored = Frontier.parse(frontier.to_bytes())
        copied = frontier.copy()
        for each in (frontier, restored, copied):
            each.append(suite.leaf_hash(b"%d" % size))
        assert restored.to_bytes() == copied.to_bytes() == frontier.to_bytes()
        assert restored.root() == frontier.root()
        assert restored.suite is suite


def test_frontier_holds_no_more_than_one_hash_for_each_bit_of_its_size() -> None:
    frontier = Frontier()
    frontier.extend(HashSuite.SM3.leaf_hash(b"%d" % n) for n in range(1000))
    assert len(frontier.nodes) == (1000).bit_count()


@given(data=st.binary(max_size=200), prefix=st.sampled_from([b"", b"SZMF\x01\x01", b"SZMF\x01\x02"]))
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_frontier_of_any_bytes_parses_or_is_refused(data: bytes, prefix: bytes) -> None:
    try:
        frontier = Frontier.parse(prefix + data)
    except DecodeError:
        return
    assert frontier.to_bytes() == prefix + data


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5), (0, MAX_TREE_SIZE + 1)])
def test_inclusion_outside_the_tree_cannot_be_planned(index: int, size: int) -> None:
    with pytest.raises(TreeRangeError):
        plan_inclusion(index, size)


@pytest.mark.parametrize(("old", "new"), [(6, 5), (-1, 5), (1, MAX_TREE_SIZE + 1)])
def test_consistency_of_impossible_sizes_cannot_be_planned(old: int, new: int) -> None:
    with pytest.raises(TreeRangeError):
        plan_consistency(old, new)


@given(size=st.integers(1, MAX_TREE_SIZE), data=st.data())
@settings(max_examples=100, deadline=None)
def test_proof_plans_of_huge_trees_stay_logarithmic(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    plan = plan_inclusion(index, size)
    assert len(plan.terms) <= size.bit_length()
    assert len(plan.nodes) <= 2 * size.bit_length()
    covered = sum(1 << node.level for node in plan.nodes)
    assert covered == size - 1
    old = data.draw(st.integers(1, size))
    assert len(plan_consistency(old, size).terms) <= size.bit_length() + 1


def test_refusals_are_evidence_errors_and_range_errors_are_not() -> None:
    assert issubclass(ProofRefused, EvidenceRefused)
    assert issubclass(TreeRangeError, SigningError)
    assert not issubclass(TreeRangeError, EvidenceRefused)
