"""Tiles after C2SP tlog-tiles: paths, which tiles an append writes, and proofs read out of tiles."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.errors import DecodeError, EncodeError
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import (
    MAX_TREE_SIZE,
    NodeId,
    consistency_proof,
    inclusion_proof,
    plan_inclusion,
    root,
)
from signing.merkle.tiles import (
    BundleId,
    FetchingTileNodes,
    TileEdge,
    TileId,
    TileNodes,
    build_entry_bundle,
    list_edge_tiles,
    list_new_bundles,
    list_new_tiles,
    list_tiles,
    list_tiles_of_nodes,
    parse_bundle_path,
    parse_entry_bundle,
    parse_tile,
    parse_tile_path,
)
from signing.merkle.tree import MerkleTree

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))
BOTH = pytest.mark.parametrize("suite", list(HashSuite))


def leaves_of(suite: HashSuite, size: int) -> list[bytes]:
    return [suite.leaf_hash(n.to_bytes(4, "big")) for n in range(size)]


def model_tile(tree: MerkleTree, tile: TileId) -> bytes:
    """The tile by its definition: the roots of 256**level leaves each."""
    first = tile.index * 256
    nodes = [NodeId(8 * tile.level, first + n) for n in range(tile.width)]
    return b"".join(tree.read_nodes(nodes))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileId(0, 0), "tile/0/000"),
        (TileId(0, 1234067), "tile/0/x001/x234/067"),
        (TileId(1, 999), "tile/1/999"),
        (TileId(1, 1000), "tile/1/x001/000"),
        (TileId(63, 5, 255), "tile/63/005.p/255"),
        (TileId(2, 0, 1), "tile/2/000.p/1"),
    ],
)
def test_tile_path_reads_as_c2sp_prescribes(tile: TileId, path: str) -> None:
    assert tile.path == path
    assert parse_tile_path(path) == tile


@given(
    level=st.integers(0, 63),
    index=st.integers(0, MAX_TREE_SIZE),
    width=st.integers(1, 256),
)
@settings(max_examples=100, deadline=None)
def test_tile_and_bundle_paths_round_trip(level: int, index: int, width: int) -> None:
    assert parse_tile_path(TileId(level, index, width).path) == TileId(level, index, width)
    assert parse_bundle_path(BundleId(index, width).path) == BundleId(index, width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0/0", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/001",
        "tile/0/000/001",
        "tile/0/x001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/01", "tile/0/001.p/999",
        "/tile/0/000", "tile/0/000/", "tile/0/000\n", "tile/0/٠٠٠", "tile/entries/000", "tile/0/x1/000",
        "tile/0/../000",
        "tile/0/" + "x999/" * 9 + "999",
    ],
)  # fmt: skip
def test_tile_path_spelt_otherwise_is_refused(path: str) -> None:
    with pytest.raises(DecodeError):
        parse_tile_path(path)


@pytest.mark.parametrize(
    "path", ["tile/entries/0", "tile/0/000", "tile/entries/x000/000", "tile/entries/000.p/256"]
)
def test_bundle_path_spelt_otherwise_is_refused(path: str) -> None:
    with pytest.raises(DecodeError):
        parse_bundle_path(path)


@given(path=st.from_regex(r"tile/(entries|[0-9]{1,3})/[x0-9/]{0,80}(\.p/[0-9]{0,4})?") | st.text())
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_path_parses_to_itself_or_is_refused(path: str) -> None:
    for parse in (parse_tile_path, parse_bundle_path):
        try:
            parsed = parse(path)
        except DecodeError:
            continue
        assert parsed.path == path


def test_tiles_of_seventy_thousand_leaves_are_those_of_the_specification() -> None:
    tiles = list(list_tiles(70_000))
    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert [tile for tile in tiles if tile.width < 256] == [
        TileId(0, 273, 112),
        TileId(1, 1, 17),
        TileId(2, 0, 1),
    ]
    assert list_edge_tiles(70_000) == (TileId(0, 273, 112), TileId(1, 1, 17), TileId(2, 0, 1))
    assert list(list_tiles(256)) == [TileId(0, 0, 256), TileId(1, 0, 1)]
    assert list(list_tiles(0)) == []


@BOTH
@pytest.mark.parametrize(
    "steps", [[1, 254, 1, 1, 255, 700], [256, 256, 1], [0, 3, 0], [70_000], [65_535, 1, 1]]
)
def test_edge_grown_in_steps_writes_the_tiles_of_the_definition(suite: HashSuite, steps: list[int]) -> None:
    leaves = leaves_of(suite, sum(steps))
    tree = MerkleTree(leaves, suite=suite)
    edge, size = TileEdge(suite), 0
    for step in steps:
        written = edge.extend(leaves[size : size + step])
        assert [tile.id for tile in written] == list(list_new_tiles(size, size + step))
        size += step
        assert all(tile.data == model_tile(tree, tile.id) for tile in written)
        assert edge.size == size
        assert edge.root() == tree.root(size)


@given(steps=st.lists(st.integers(0, 600), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_written_tiles_are_complete_for_every_proof(steps: list[int]) -> None:
    suite = HashSuite.SM3
    leaves = leaves_of(suite, sum(steps))
    tree, store, edge = MerkleTree(leaves), {}, TileEdge()
    for step in steps:
        for tile in edge.extend(leaves[edge.size : edge.size + step]):
            store[tile.id] = tile.data
        for tile in list_edge_tiles(edge.size):
            assert tile in store
    size = edge.size
    assert {tile: store[tile] for tile in list_tiles(size)} == {
        tile: model_tile(tree, tile) for tile in list_tiles(size)
    }


@BOTH
@given(size=st.integers(1, 3000), data=st.data())
@settings(max_examples=40, deadline=None)
def test_proofs_read_from_tiles_equal_those_of_the_whole_tree(
    suite: HashSuite, size: int, data: st.DataObject
) -> None:
    leaves = leaves_of(suite, size)
    tree = MerkleTree(leaves, suite=suite)
    tiles = {tile.id: tile.data for tile in TileEdge(suite).extend(leaves)}
    fetched: list[TileId] = []

    def fetch(tile: TileId) -> bytes:
        fetched.append(tile)
        return tiles[tile]

    source = FetchingTileNodes(suite, size, fetch)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    assert inclusion_proof(suite, source, index=index, size=size) == tree.inclusion_proof(index)
    assert len(fetched) == len(set(fetched)) <= 4
    assert consistency_proof(suite, source, old_size=old, new_size=size) == tree.consistency_proof(old)
    assert root(suite, source, size=size) == tree.root()


def test_plan_names_the_few_tiles_a_proof_in_ten_million_leaves_needs() -> None:
    size = 10_000_000
    tiles = list_tiles_of_nodes(plan_inclusion(7_654_321, size).nodes, size)
    assert len(tiles) <= 6
    assert {tile.level for tile in tiles} == {0, 1, 2}


def test_full_tile_stands_in_for_the_partial_one_of_an_older_tree() -> None:
    leaves = leaves_of(HashSuite.SM3, 512)
    tree = MerkleTree(leaves)
    tiles = {tile.id: tile.data for tile in TileEdge().extend(leaves)}
    source = TileNodes(HashSuite.SM3, 300, tiles)
    assert inclusion_proof(HashSuite.SM3, source, index=280, size=300) == tree.inclusion_proof(280, 300)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 65_536, 65_537, 70_000])
def test_edge_restored_from_its_tiles_continues_the_same_tree(size: int) -> None:
    suite = HashSuite.SM3
    leaves = leaves_of(suite, size + 300)
    edge = TileEdge(suite)
    edge.extend(leaves[:size])
    restored = TileEdge.from_tiles(suite, size, edge.tiles())
    assert restored.root() == edge.root()
    assert restored.extend(leaves[size:]) == edge.extend(leaves[size:])
    assert restored.root() == edge.root()


def test_edge_with_a_tile_missing_or_cut_short_is_refused() -> None:
    edge = TileEdge()
    edge.extend(leaves_of(HashSuite.SM3, 300))
    tiles = edge.tiles()
    for tile in list(tiles):
        with pytest.raises(DecodeError):
            TileEdge.from_tiles(HashSuite.SM3, 300, {k: v for k, v in tiles.items() if k != tile})
        with pytest.raises(DecodeError):
            TileEdge.from_tiles(HashSuite.SM3, 300, tiles | {tile: tiles[tile][:-32]})


def test_proof_from_missing_or_too_narrow_tiles_is_refused() -> None:
    leaves = leaves_of(HashSuite.SM3, 300)
    with pytest.raises(DecodeError):
        inclusion_proof(HashSuite.SM3, TileNodes(HashSuite.SM3, 300, {}), index=1, size=300)
    narrow = {TileId(0, 0, 100): b"".join(leaves[:100]), TileId(0, 1, 44): b"".join(leaves[256:])}
    with pytest.raises(DecodeError):
        inclusion_proof(HashSuite.SM3, TileNodes(HashSuite.SM3, 300, narrow), index=1, size=300)


@pytest.mark.parametrize(("length", "width"), [(0, 0), (32, 2), (33, 1), (257 * 32, 257)])
def test_tile_of_wrong_length_is_refused(length: int, width: int) -> None:
    with pytest.raises(DecodeError):
        parse_tile(b"\x00" * length, width)


def test_new_bundles_follow_level_zero_tiles() -> None:
    assert list(list_new_bundles(200, 600)) == [BundleId(0), BundleId(1), BundleId(2, 88)]
    assert list(list_new_bundles(256, 256)) == []


@given(entries=st.lists(st.binary(max_size=300), min_size=1, max_size=256))
@settings(max_examples=60, deadline=None)
def test_entry_bundle_round_trips(entries: list[bytes]) -> None:
    assert parse_entry_bundle(build_entry_bundle(entries), len(entries)) == entries


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]])
def test_entry_bundle_beyond_its_limits_cannot_be_built(entries: Sequence[bytes]) -> None:
    with pytest.raises(EncodeError):
        build_entry_bundle(entries)


@given(data=st.binary(max_size=600), width=st.integers(0, 300))
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_bytes_parse_as_entry_bundle_or_are_refused(data: bytes, width: int) -> None:
    try:
        entries = parse_entry_bundle(data, width)
    except DecodeError:
        return
    assert len(entries) == width
    assert b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries) == data
