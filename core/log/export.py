"""Exporting the log for the archives: signed, restorable, and verifiable by whoever holds it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from core.caller import Caller
from core.database import Connection, Database
from core.errors import Unavailable
from core.log import archive, store, store_check, store_export, store_proofs, store_witness
from core.log.archive import ArchiveWriter, Manifest
from core.log.heads import HeadKeys
from core.log.model import Checkpoint, Event
from core.log.writer import LogWriter
from signing import sm3
from signing.merkle.tiles import MAX_TILE_LEVEL, TILE_HEIGHT, TILE_WIDTH, BundleId, TileId, tile_width
from signing.x509.certificate import Certificate
from signing.x509.pem import build_pem

TILES_AT_A_TIME: Final = 16

SignManifest = Callable[[bytes], Awaitable[bytes]]
LoadCertificates = Callable[[], Awaitable[list[Certificate]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was exported."""

    path: Path
    tree_size: int
    manifest_sm3: str


class ExportService:
    """Writes exports. `sign` returns a receipt over a manifest; `certificates` the chain to verify with."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        heads: HeadKeys,
        sign: SignManifest,
        certificates: LoadCertificates,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._heads = heads
        self._sign = sign
        self._certificates = certificates
        self._now = now

    async def export(self, path: Path, *, caller: Caller | None) -> Exported:
        """Export the tree of the newest head into a new file. Raises FileExistsError, or Unavailable."""
        writer = await asyncio.to_thread(ArchiveWriter, path)
        try:
            async with self._database.transaction() as connection:
                await store_check.begin_snapshot(connection)
                latest = await store.load_latest_checkpoint(connection)
                if latest is None:
                    msg = "the log has no signed head yet; there is nothing to export"
                    raise Unavailable(msg)
                await self._write_tree(connection, writer, latest.tree_size)
                await self._write_beside(connection, writer, latest)
        except BaseException:
            writer.abandon()
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        manifest = Manifest(
            origin=self._heads.origin,
            suite=self._heads.suite,
            tree_size=latest.tree_size,
            root=latest.root_hash,
            exported_at=self._now().isoformat(),
            files=writer.files,
        ).to_bytes()
        writer.close(manifest, await self._sign(manifest))
        done = Exported(path=path, tree_size=latest.tree_size, manifest_sm3=sm3.digest(manifest).hex())
        async with self._database.transaction() as connection:
            await self._log.append(
                connection,
                event=Event.LOG_EXPORTED,
                caller=caller,
                details={"tree_size": done.tree_size, "manifest_sm3": done.manifest_sm3},
            )
        return done

    async def _write_tree(self, connection: Connection, writer: ArchiveWriter, size: int) -> None:
        for first in range(0, -(-size // TILE_WIDTH), TILES_AT_A_TIME):
            count = min(TILES_AT_A_TIME * TILE_WIDTH, size - first * TILE_WIDTH)
            rows = await store_proofs.load_entry_bytes(connection, first=first * TILE_WIDTH, count=count)
            await asyncio.to_thread(_write_bundles, writer, first, rows)
        for level in range(1, MAX_TILE_LEVEL + 1):
            nodes = size >> (TILE_HEIGHT * level)
            for index in range(-(-nodes // TILE_WIDTH)):
                width = tile_width(level, index, size)
                hashes = await store_proofs.load_tile_hashes(
                    connection, level=TILE_HEIGHT * level, first=TILE_WIDTH * index, count=width
                )
                writer.write(TileId(level, index, width).path, b"".join(hashes))

    async def _write_beside(self, connection: Connection, writer: ArchiveWriter, latest: Checkpoint) -> None:
        lines = await store_witness.load_cosignature_lines(connection, tree_size=latest.tree_size)
        writer.write(archive.CHECKPOINT, (latest.note + "".join(lines)).encode())
        heads = await store_check.load_checkpoints(connection, after=0, up_to=latest.tree_size)
        writer.write_lines(archive.CHECKPOINTS, ({"note": head.note} for head in heads))
        writer.write_lines(
            archive.DROPPED, await store_export.load_dropped_lines(connection, tree_size=latest.tree_size)
        )
        writer.write_lines(
            archive.WITNESSES,
            (
                {"name": each.name, "verifier_key": each.verifier_key, "is_retired": each.is_retired}
                for each in await store_witness.load_witnesses(connection)
            ),
        )
        cosignatures = await store_check.load_rows(connection, table="log_cosignature")
        writer.write_lines(archive.COSIGNATURES, map(dict, cosignatures))
        stamps = await store_check.load_rows(connection, table="log_time_stamp")
        writer.write_lines(
            archive.TIME_STAMPS,
            (
                {"tree_size": row["tree_size"], "token": base64.b64encode(row["token"]).decode()}
                for row in stamps
            ),
        )
        certificates = await self._certificates()
        pem = "".join(build_pem("CERTIFICATE", certificate.der) for certificate in certificates)
        writer.write(archive.CERTIFICATES, pem.encode())


def _write_bundles(
    writer: ArchiveWriter, first_tile: int, rows: list[tuple[int, bytes, bytes | None]]
) -> None:
    for start in range(0, len(rows), TILE_WIDTH):
        piece = rows[start : start + TILE_WIDTH]
        index = first_tile + start // TILE_WIDTH
        writer.write(TileId(0, index, len(piece)).path, b"".join(leaf_hash for _, leaf_hash, _ in piece))
        entries = [entry or b"" for _, _, entry in piece]
        bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        writer.write(BundleId(index, len(piece)).path, bundle)
