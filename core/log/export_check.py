"""Verifying an export of the log, offline, with the CA certificate alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.log import archive
from core.log.archive import ArchiveReader, Manifest
from core.log.chain import split_entry
from core.log.findings import CheckReport, Findings
from core.log.heads import HeadVerifier
from core.log.leaf_body import read_body
from core.log.trust import LogTrust
from signing import sm3
from signing.errors import ShuzhengError
from signing.merkle.receipts import verify_receipt
from signing.merkle.tiles import (
    TILE_WIDTH,
    BundleId,
    TileEdge,
    TileId,
    list_tiles,
    parse_entry_bundle,
    parse_tile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedLeaf:
    """One leaf of an export; `entry` is None where its payload was dropped."""

    leaf_index: int
    leaf_hash: bytes
    entry: bytes | None


def read_leaves(reader: ArchiveReader, manifest: Manifest) -> Iterator[list[ArchivedLeaf]]:
    """Read all leaves, a bundle at a time. Raises DecodeError."""
    for index in range(-(-manifest.tree_size // TILE_WIDTH)):
        width = min(TILE_WIDTH, manifest.tree_size - TILE_WIDTH * index)
        hashes = parse_tile(reader.read(TileId(0, index, width).path), width)
        entries = parse_entry_bundle(reader.read(BundleId(index, width).path), width)
        yield [
            ArchivedLeaf(leaf_index=TILE_WIDTH * index + n, leaf_hash=leaf_hash, entry=entry or None)
            for n, (leaf_hash, entry) in enumerate(zip(hashes, entries, strict=True))
        ]


class ExportCheck:
    """Checks one export. `heads` is what its heads verified with, once `run` has passed step 2."""

    def __init__(self, path: Path, *, trust: LogTrust, now: Callable[[], datetime]) -> None:
        self._reader = ArchiveReader(path)
        self._trust = trust
        self._now = now
        self._findings = Findings()
        self._chains: dict[bytes, tuple[int, bytes]] = {}

    @property
    def reader(self) -> ArchiveReader:
        """The export."""
        return self._reader

    def run(self) -> tuple[CheckReport, Manifest, HeadVerifier]:
        """Check everything; report, whatever is found. Raises DecodeError where it cannot be read at all.

        1. The hub signed the manifest, with a certificate that leads to the trusted root; every file has its
        digest, none is missing or too much. 2. The log's keys are certified. 3. Each entry has the hash in
        its tile, and follows its subjects' chains; dropped ones are listed. 4. The tiles are those of the
        entries. 5. Each head bears the log's signature, has the root of the tree of its size, and names the
        head before.
        """
        manifest_bytes = self._reader.read(archive.MANIFEST)
        manifest = Manifest.parse(manifest_bytes)
        self._check_manifest(manifest, manifest_bytes)
        heads = self._trust.build_verifier(
            origin=manifest.origin,
            suite=manifest.suite,
            certificates_pem=self._reader.read(archive.CERTIFICATES),
        )
        edge, leaves = self._check_leaves(manifest)
        checked = self._check_heads(manifest, heads, edge)
        if edge.root() != manifest.root:
            self._add(archive.MANIFEST, "root is not the root of the entries")
        report = CheckReport(
            checked_at=self._now(),
            tree_size=manifest.tree_size,
            root_hash=edge.root(),
            leaves=leaves,
            heads=checked,
            findings=tuple(self._findings.found),
            findings_count=self._findings.count,
        )
        return report, manifest, heads

    def _add(self, name: str, problem: str) -> None:
        self._findings.add_file(name, problem)

    def _check_manifest(self, manifest: Manifest, data: bytes) -> None:
        try:
            verify_receipt(self._reader.read(archive.RECEIPT), trust=self._trust.receipts(), payload=data)
        except ShuzhengError as wrong:
            self._add(archive.RECEIPT, wrong.detail)
        present = self._reader.names - {archive.MANIFEST, archive.RECEIPT}
        for name in sorted(present ^ set(manifest.files)):
            self._add(name, "the file is not in the manifest" if name in present else "the file is missing")
        for name in sorted(present & set(manifest.files)):
            if sm3.digest(self._reader.read(name)).hex() != manifest.files[name]:
                self._add(name, "the file has not the digest of the manifest")

    def _check_leaves(self, manifest: Manifest) -> tuple[TileEdge, int]:
        dropped = {line["index"]: line for line in self._reader.read_lines(archive.DROPPED)}
        edge = TileEdge(manifest.suite)
        wanted = {tile.path for tile in list_tiles(manifest.tree_size)}
        self._roots = {0: manifest.suite.empty_root}
        self._sizes = self._read_sizes()
        leaves = 0
        for bundle in read_leaves(self._reader, manifest):
            for leaf in bundle:
                leaves += leaf.entry is not None
                self._check_leaf(leaf, manifest, dropped.get(leaf.leaf_index))
            self._extend(edge, [leaf.leaf_hash for leaf in bundle], wanted)
        return edge, leaves

    def _read_sizes(self) -> list[int]:
        sizes = []
        for line in self._reader.read_lines(archive.CHECKPOINTS):
            parts = str(line.get("note", "")).split("\n")
            sizes.append(int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else -1)
        return sizes

    def _extend(self, edge: TileEdge, hashes: list[bytes], wanted: set[str]) -> None:
        """Append a bundle, stopping at the size of every head to note the root there."""
        first, at = edge.size, 0
        stops = sorted({size for size in self._sizes if first < size <= first + len(hashes)})
        for stop in (*stops, first + len(hashes)):
            for tile in edge.extend(hashes[at : stop - first]):
                if tile.id.path in wanted and self._reader.read(tile.id.path) != tile.data:
                    self._add(tile.id.path, "the tile is not that of the entries")
            at = stop - first
            self._roots[stop] = edge.root()

    def _check_leaf(self, leaf: ArchivedLeaf, manifest: Manifest, dropped: dict[str, object] | None) -> None:
        where = f"leaf_index={leaf.leaf_index}"
        if leaf.entry is None:
            if dropped is None:
                self._add(where, "the entry is missing and not listed as dropped")
            else:
                self._follow_dropped(leaf, dropped)
            return
        if dropped is not None:
            self._add(where, "the leaf is listed as dropped and is there")
        if manifest.suite.leaf_hash(leaf.entry) != leaf.leaf_hash:
            self._add(where, "the entry has not the hash in its tile")
            return
        try:
            body, links = split_entry(leaf.entry)
            subjects = read_body(body, leaf_hash=leaf.leaf_hash).subjects
        except (ValueError, KeyError, TypeError):
            self._add(where, "the entry is not the entry of a leaf")
            return
        for subject, link in zip(subjects, links, strict=False):
            number, previous = self._chains.get(subject, (0, None))
            if (link.number, link.previous) != (number + 1, previous):
                self._add(where, f"the chain of the subject {subject.hex()} has a gap or a fork here")
            self._chains[subject] = (link.number, leaf.leaf_hash)
        if len(subjects) != len(links):
            self._add(where, "the entry has not one link for each subject")

    def _follow_dropped(self, leaf: ArchivedLeaf, dropped: dict[str, object]) -> None:
        chain = dropped["chain"]
        assert isinstance(chain, list)
        for subject_hex, number in chain:
            self._chains[bytes.fromhex(subject_hex)] = (int(number), leaf.leaf_hash)

    def _check_heads(self, manifest: Manifest, heads: HeadVerifier, edge: TileEdge) -> int:
        previous = 0
        notes = [str(line.get("note", "")) for line in self._reader.read_lines(archive.CHECKPOINTS)]
        for place, note in enumerate(notes, start=1):
            where = f"{archive.CHECKPOINTS} line {place}"
            try:
                head = heads.read(note)
            except ShuzhengError as wrong:
                self._add(where, wrong.detail)
                continue
            if self._roots.get(head.size) != head.root:
                self._add(where, f"the head of {head.size} leaves has not the root of the entries")
            if head.previous_size != previous:
                self._add(where, f"the head of {head.previous_size} leaves before it is missing")
            previous = head.size
        try:
            newest = heads.read(self._reader.read(archive.CHECKPOINT).decode())
            if (newest.size, newest.root) != (manifest.tree_size, edge.root()):
                self._add(archive.CHECKPOINT, "the head is not that of the whole tree")
        except (ShuzhengError, UnicodeDecodeError):
            self._add(archive.CHECKPOINT, "the head does not verify")
        return len(notes)
