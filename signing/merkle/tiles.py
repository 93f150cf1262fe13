"""Tiles: the tree cut into files of up to 256 hashes, after C2SP tlog-tiles, for SM3 and SHA-256 alike.

The n-th tile at level l holds the roots of the perfect subtrees (8·l, 256·n + i), i from 0 to 255. Levels in
between are hashed again from the tile when a proof needs them. A tile never changes once it is full, so it
can be cached for ever. Everything here is pure: `TileEdge` says what to write for appended leaves, and
`TileNodes` reads proofs out of tiles that the caller fetched.

Source: C2SP tlog-tiles, "Merkle Tree" and "Log entries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from signing.errors import DecodeError, EncodeError
from signing.merkle.hashing import HASH_BYTES, HashSuite
from signing.merkle.proofs import MAX_TREE_SIZE, NodeId, fold_right, plan_root

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_TILE_LEVEL: Final = 63
MAX_ENTRY_BYTES: Final = 0xFFFF

_N: Final = r"(?P<n>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<w>[1-9][0-9]{0,2}))?"
_TILE_PATH: Final = re.compile(rf"tile/(?P<l>0|[1-9][0-9]?)/{_N}", re.ASCII)
_BUNDLE_PATH: Final = re.compile(rf"tile/entries/{_N}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TileId:
    """One tile: its level, its index from the left, and how many hashes it holds (256 when full)."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The tile's path below the log's prefix, such as `tile/0/x001/234.p/17`."""
        return f"tile/{self.level}/{_encode_index(self.index, self.width)}"


@dataclass(frozen=True, slots=True)
class BundleId:
    """One entry bundle: the entries under the level-0 tile of the same index and width."""

    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The bundle's path below the log's prefix, such as `tile/entries/000`."""
        return f"tile/entries/{_encode_index(self.index, self.width)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile and its bytes: `id.width` hashes of 32 bytes one after another."""

    id: TileId
    data: bytes


def parse_tile_path(path: str) -> TileId:
    """Read a tile's path; raise DecodeError for any spelling but the one that C2SP prescribes."""
    match = _TILE_PATH.fullmatch(path)
    if match is None or int(match["l"]) > MAX_TILE_LEVEL:
        message = "A tile's path reads tile/<level>/<index>, with .p/<width> where it is partial."
        raise DecodeError(message)
    return TileId(int(match["l"]), *_decode_index(match))


def parse_bundle_path(path: str) -> BundleId:
    """Read an entry bundle's path; raise DecodeError for any spelling but the prescribed one."""
    match = _BUNDLE_PATH.fullmatch(path)
    if match is None:
        message = "An entry bundle's path reads tile/entries/<index>, with .p/<width> where it is partial."
        raise DecodeError(message)
    return BundleId(*_decode_index(match))


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile holds in the tree of `size` leaves: 0 (absent) to 256 (full)."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - TILE_WIDTH * index))


def list_tiles(size: int) -> Iterator[TileId]:
    """List every tile of the tree of `size` leaves, level by level, left to right."""
    return list_new_tiles(0, size)


def list_new_tiles(old_size: int, new_size: int) -> Iterator[TileId]:
    """List the tiles that growing from `old_size` to `new_size` leaves writes: completed or widened."""
    for level in range(MAX_TILE_LEVEL + 1):
        old, new = old_size >> (TILE_HEIGHT * level), new_size >> (TILE_HEIGHT * level)
        if new == 0:
            return
        if old == new:
            continue
        for index in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
            yield TileId(level, index, tile_width(level, index, new_size))


def list_new_bundles(old_size: int, new_size: int) -> Iterator[BundleId]:
    """List the entry bundles that growing from `old_size` to `new_size` leaves writes."""
    for tile in list_new_tiles(old_size, new_size):
        if tile.level:
            return
        yield BundleId(tile.index, tile.width)


def list_edge_tiles(size: int) -> tuple[TileId, ...]:
    """List the partial tiles along the right edge, by level: what `TileEdge.from_tiles` needs."""
    edge = []
    for level in range(MAX_TILE_LEVEL + 1):
        count = size >> (TILE_HEIGHT * level)
        if count == 0:
            break
        if count % TILE_WIDTH:
            edge.append(TileId(level, count // TILE_WIDTH, count % TILE_WIDTH))
    return tuple(edge)


def tile_of_node(node: NodeId, size: int) -> TileId:
    """Name the tile from which a node is computed, as wide as it is in the tree of `size` leaves."""
    level, rest = divmod(node.level, TILE_HEIGHT)
    index = (node.index << rest) // TILE_WIDTH
    return TileId(level, index, tile_width(level, index, size))


def list_tiles_of_nodes(nodes: Iterable[NodeId], size: int) -> tuple[TileId, ...]:
    """Name the tiles that a proof plan's nodes are computed from, each once."""
    return tuple(dict.fromkeys(tile_of_node(node, size) for node in nodes))


class TileEdge:
    """The partial tiles along the right edge: the state to append with when a log is kept in tiles.

    At most 255 hashes a level. Not safe for use by several threads at once.
    """

    __slots__ = ("_levels", "_size", "_suite")

    def __init__(self, suite: HashSuite = HashSuite.SM3) -> None:
        self._suite = suite
        self._size = 0
        self._levels: list[list[bytes]] = []

    @classmethod
    def from_tiles(cls, suite: HashSuite, size: int, tiles: Mapping[TileId, bytes]) -> TileEdge:
        """Restore the edge of the tree of `size` leaves from the tiles of `list_edge_tiles(size)`.

        Raises DecodeError where a tile is missing or has another width. The caller compares `root()` with
        its checkpoint: that proves the tiles right.
        """
        edge = cls(suite)
        edge._size = size
        for tile in list_edge_tiles(size):
            while len(edge._levels) <= tile.level:
                edge._levels.append([])
            if tile not in tiles:
                message = f"Tile {tile.path} is missing."
                raise DecodeError(message)
            edge._levels[tile.level] = parse_tile(tiles[tile], tile.width)
        return edge

    @property
    def suite(self) -> HashSuite:
        """The hash function of the tree."""
        return self._suite

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[Tile]:
        """Append leaf hashes; return the tiles to be written, those of `list_new_tiles`, in its order.

        Each tile appears once, in its widest state. A partial tile supersedes the narrower one of the same
        index, which may be deleted once no checkpoint needs it.
        """
        written: list[Tile] = []
        hashes: Sequence[bytes] = leaf_hashes
        before = self._size
        self._size += len(leaf_hashes)
        level = 0
        while hashes:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._extend_level(level, before >> (TILE_HEIGHT * level), hashes, written)
            level += 1
        return written

    def root(self) -> bytes:
        """Compute the root over all leaves so far."""
        if self._size == 0:
            return self._suite.empty_root
        nodes = plan_root(self._size).nodes
        edge = TileNodes(self._suite, self._size, self.tiles())
        return fold_right(self._suite, edge.read_nodes(nodes))

    def tiles(self) -> dict[TileId, bytes]:
        """Return the partial tiles along the edge."""
        return {tile: b"".join(self._levels[tile.level]) for tile in list_edge_tiles(self._size)}

    def _extend_level(
        self, level: int, count: int, hashes: Sequence[bytes], written: list[Tile]
    ) -> list[bytes]:
        """Append to one level; collect its tiles in `written`; return the roots of those now full."""
        pending = [*self._levels[level], *hashes]
        first = count // TILE_WIDTH
        carried = []
        for start in range(0, len(pending), TILE_WIDTH):
            chunk = pending[start : start + TILE_WIDTH]
            tile = TileId(level, first + start // TILE_WIDTH, len(chunk))
            written.append(Tile(id=tile, data=b"".join(chunk)))
            if len(chunk) == TILE_WIDTH:
                carried.append(_perfect_root(self._suite, chunk))
        self._levels[level] = pending[len(pending) - len(pending) % TILE_WIDTH :]
        return carried


class TileNodes:
    """A `NodeSource` over tiles of one tree that were fetched beforehand (see `list_tiles_of_nodes`).

    A tile that is wider than the tree of `size` leaves needs may stand in for the partial one.
    """

    __slots__ = ("_size", "_suite", "_tiles")

    def __init__(self, suite: HashSuite, size: int, tiles: Mapping[TileId, bytes]) -> None:
        self._suite = suite
        self._size = size
        self._tiles = {(tile.level, tile.index): parse_tile(data, tile.width) for tile, data in tiles.items()}

    def read_nodes(self, nodes: Sequence[NodeId], /) -> list[bytes]:
        """Compute the hashes of perfect subtrees from the tiles; raise DecodeError where one is missing."""
        return [self._read_node(node) for node in nodes]

    def _read_node(self, node: NodeId) -> bytes:
        tile = tile_of_node(node, self._size)
        level, rest = divmod(node.level, TILE_HEIGHT)
        start = (node.index << rest) % TILE_WIDTH
        hashes = self._tiles.get((level, tile.index), [])[start : start + (1 << rest)]
        if len(hashes) != 1 << rest:
            message = f"Tile {tile.path} is missing or too narrow."
            raise DecodeError(message)
        return _perfect_root(self._suite, hashes)


class FetchingTileNodes:
    """A `NodeSource` that fetches tiles one by one through a function, and keeps those of one call."""

    __slots__ = ("_fetch", "_size", "_suite")

    def __init__(self, suite: HashSuite, size: int, fetch: Callable[[TileId], bytes]) -> None:
        self._suite = suite
        self._size = size
        self._fetch = fetch

    def read_nodes(self, nodes: Sequence[NodeId], /) -> list[bytes]:
        """Fetch the tiles of `nodes`, each once, and compute the hashes from them."""
        tiles = {tile: self._fetch(tile) for tile in list_tiles_of_nodes(nodes, self._size)}
        return TileNodes(self._suite, self._size, tiles).read_nodes(nodes)


def parse_tile(data: bytes, width: int) -> list[bytes]:
    """Split a tile into its hashes; raise DecodeError unless it holds exactly `width` of them."""
    if not 1 <= width <= TILE_WIDTH or len(data) != width * HASH_BYTES:
        message = f"A tile {width} hashes wide has {width * HASH_BYTES} bytes; this one has {len(data)}."
        raise DecodeError(message)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def build_entry_bundle(entries: Sequence[bytes]) -> bytes:
    """Concatenate 1 to 256 entries, each after its length (two bytes, big-endian).

    Raises EncodeError for an entry above 65,535 bytes, which the format cannot carry.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        message = f"An entry bundle holds 1 to {TILE_WIDTH} entries."
        raise EncodeError(message)
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        message = f"A log entry has at most {MAX_ENTRY_BYTES} bytes."
        raise EncodeError(message)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_entry_bundle(data: bytes, width: int) -> list[bytes]:
    """Split an entry bundle; raise DecodeError unless it holds exactly `width` whole entries."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) <= width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            message = "The entry bundle ends in the middle of an entry."
            raise DecodeError(message)
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width or at != len(data):
        message = f"The entry bundle does not hold exactly {width} entries."
        raise DecodeError(message)
    return entries


def _perfect_root(suite: HashSuite, hashes: Sequence[bytes]) -> bytes:
    """Hash 2^k nodes of one level to their root."""
    node_hash = suite.node_hash
    while len(hashes) > 1:
        hashes = list(map(node_hash, hashes[::2], hashes[1::2]))
    return hashes[0]


def _encode_index(index: int, width: int) -> str:
    """Write an index as x001/x234/067, with the width where the tile is partial."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(reversed(groups)) + suffix


def _decode_index(match: re.Match[str]) -> tuple[int, int]:
    """Read index and width out of a matched path; refuse leading zero groups and impossible numbers."""
    groups = match["n"]
    index = int(groups.replace("x", "").replace("/", "")) if len(groups) <= 40 else MAX_TREE_SIZE + 1
    width = TILE_WIDTH if match["w"] is None else int(match["w"])
    padded = len(groups) > 3 and groups.startswith("x000")
    if padded or index > MAX_TREE_SIZE or (match["w"] is not None and width >= TILE_WIDTH):
        message = "The path of a tile or entry bundle has an index or a width that cannot be."
        raise DecodeError(message)
    return index, width
