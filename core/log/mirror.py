"""Verifying a hub's log from outside, over HTTP: the tree out of its tiles, and the leaves for an auditor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import httpx

from core.errors import Unavailable
from core.log.chain import split_entry
from core.log.findings import CheckReport, Findings
from core.log.heads import HeadVerifier
from core.log.leaf_body import read_body
from signing.errors import DecodeError
from signing.merkle.tiles import TILE_WIDTH, BundleId, TileEdge, TileId, parse_entry_bundle, parse_tile


class MirrorCheck:
    """Checks the log at `client`'s base URL; with an auditor's `token` the leaves too."""

    def __init__(
        self,
        *,
        client: httpx.Client,
        heads: HeadVerifier,
        token: str | None,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._heads = heads
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._with_leaves = token is not None
        self._with_chains = True
        self._now = now
        self._findings = Findings()
        self._chains: dict[bytes, tuple[int, bytes]] = {}

    def run(self) -> CheckReport:
        """Check the newest head; report, whatever is found. Raises Unavailable, or CheckpointRefused.

        1. The head bears the log's signature. 2. The tiles of hashes make a tree with its root. 3. With a
        token: each entry has the hash in its tile, and follows its subjects' chains. A bundle whose payloads
        retention dropped is passed over.
        """
        head = self._heads.read(self._get("checkpoint").decode())
        edge = TileEdge(self._heads.suite)
        leaves = 0
        for index in range(-(-head.size // TILE_WIDTH)):
            width = min(TILE_WIDTH, head.size - TILE_WIDTH * index)
            hashes = self._load_hashes(TileId(0, index, width))
            edge.extend(hashes)
            if self._with_leaves:
                leaves += self._check_bundle(BundleId(index, width), hashes)
        if edge.root() != head.root:
            self._findings.add_file("checkpoint", f"the tiles of {head.size} leaves have another root")
        return CheckReport(
            checked_at=self._now(),
            tree_size=head.size,
            root_hash=edge.root(),
            leaves=leaves,
            heads=1,
            findings=tuple(self._findings.found),
            findings_count=self._findings.count,
        )

    def _load_hashes(self, tile: TileId) -> list[bytes]:
        try:
            return parse_tile(self._get(tile.path), tile.width)
        except DecodeError as wrong:
            self._findings.add_file(tile.path, wrong.detail)
            return [bytes(32)] * tile.width

    def _check_bundle(self, bundle: BundleId, hashes: list[bytes]) -> int:
        answer = self._ask(bundle.path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            self._chains.clear()  # chains go through what is not there
            self._with_chains = False
            return 0
        try:
            entries = parse_entry_bundle(_require(answer), bundle.width)
        except DecodeError as wrong:
            self._findings.add_file(bundle.path, wrong.detail)
            return 0
        for place, (entry, leaf_hash) in enumerate(zip(entries, hashes, strict=True)):
            where = f"leaf_index={TILE_WIDTH * bundle.index + place}"
            if self._heads.suite.leaf_hash(entry) != leaf_hash:
                self._findings.add_file(where, "the entry has not the hash in its tile")
            elif self._with_chains:
                self._check_chain(where, entry, leaf_hash)
        return len(entries)

    def _check_chain(self, where: str, entry: bytes, leaf_hash: bytes) -> None:
        try:
            body, links = split_entry(entry)
            subjects = read_body(body, leaf_hash=leaf_hash).subjects
        except (ValueError, KeyError, TypeError):
            self._findings.add_file(where, "the entry is not the entry of a leaf")
            return
        for subject, link in zip(subjects, links, strict=False):
            number, previous = self._chains.get(subject, (0, None))
            if (link.number, link.previous) != (number + 1, previous):
                self._findings.add_file(where, f"the chain of the subject {subject.hex()} breaks here")
            self._chains[subject] = (link.number, leaf_hash)

    def _get(self, path: str) -> bytes:
        return _require(self._ask(path))

    def _ask(self, path: str) -> httpx.Response:
        try:
            return self._client.get(f"/v1/log/{path}", headers=self._headers)
        except httpx.HTTPError as trouble:
            msg = f"the hub does not answer ({type(trouble).__name__})"
            raise Unavailable(msg) from trouble


def _require(answer: httpx.Response) -> bytes:
    if answer.is_error:
        msg = f"the hub answered {answer.status_code} to {answer.request.url.path}"
        raise Unavailable(msg)
    return answer.content
