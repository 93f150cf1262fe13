"""The format of an export of the log: a zip of the static tree of C2SP tlog-tiles, and what lies beside it.

    checkpoint               the newest head, with its cosignatures
    tile/…, tile/entries/…   the tree; an entry whose payload was dropped is empty in its bundle
    checkpoints.jsonl        every head: its note
    dropped.jsonl            dropped leaves: index, id, act, places in chains
    witnesses.jsonl, cosignatures.jsonl, time-stamps.jsonl
    certificates.pem         the log's signing certificates, newest first, then the issuing authority's
    manifest.json            format, origin, hash, tree_size, root, exported_at, and SM3 of every file
    manifest.receipt         the hub's signature over the manifest (`signing.merkle.receipts`)

Unzipped, other tools for tile logs read it. It verifies offline with the CA certificate alone.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json, parse_json
from signing.errors import DecodeError
from signing.merkle.hashing import HashSuite

EXPORT_FORMAT: Final = "shuzheng-log-export/1"
MANIFEST: Final = "manifest.json"
RECEIPT: Final = "manifest.receipt"
CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints.jsonl"
DROPPED: Final = "dropped.jsonl"
WITNESSES: Final = "witnesses.jsonl"
COSIGNATURES: Final = "cosignatures.jsonl"
TIME_STAMPS: Final = "time-stamps.jsonl"
CERTIFICATES: Final = "certificates.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export says it holds; `files` are their SM3 digests in hex."""

    origin: str
    suite: HashSuite
    tree_size: int
    root: bytes
    exported_at: str
    files: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Write the manifest as canonical JSON."""
        document: dict[str, JsonValue] = {
            "format": EXPORT_FORMAT,
            "origin": self.origin,
            "hash": str(self.suite),
            "tree_size": self.tree_size,
            "root": self.root.hex(),
            "exported_at": self.exported_at,
            "files": dict(self.files),
        }
        return build_canonical_json(document)

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read a manifest; raise DecodeError."""
        document = parse_json(data)
        try:
            assert isinstance(document, dict)
            if document["format"] != EXPORT_FORMAT:
                msg = f"Only exports of the format {EXPORT_FORMAT} can be read here."
                raise DecodeError(msg)
            files = document["files"]
            assert isinstance(files, dict)
            return cls(
                origin=str(document["origin"]),
                suite=HashSuite(str(document["hash"])),
                tree_size=int(str(document["tree_size"])),
                root=bytes.fromhex(str(document["root"])),
                exported_at=str(document["exported_at"]),
                files={str(name): str(digest) for name, digest in files.items()},
            )
        except (KeyError, ValueError, AssertionError) as wrong:
            msg = "The manifest of the export is malformed."
            raise DecodeError(msg) from wrong


class ArchiveWriter:
    """Writes the files of an export into a zip, digesting each."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "x", compression=zipfile.ZIP_DEFLATED, compresslevel=6)
        self.files: dict[str, str] = {}

    def write(self, name: str, data: bytes) -> None:
        """Write one file. Hashes do not compress, so tiles are stored as they are."""
        is_hashes = name.startswith("tile/") and not name.startswith("tile/entries/")
        self._zip.writestr(name, data, zipfile.ZIP_STORED if is_hashes else zipfile.ZIP_DEFLATED)
        self.files[name] = sm3.digest(data).hex()

    def write_lines(self, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Write one JSON object a line."""
        lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
        self.write(name, "".join(lines).encode())

    def close(self, manifest: bytes, receipt: bytes) -> None:
        """Write the manifest and its receipt, and close the file."""
        self._zip.writestr(MANIFEST, manifest)
        self._zip.writestr(RECEIPT, receipt)
        self._zip.close()

    def abandon(self) -> None:
        """Close a file that will not be finished."""
        self._zip.close()


class ArchiveReader:
    """Reads an export. Raises DecodeError for a file that is no zip, or has no such part."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as wrong:
            msg = "The export is not a readable zip file."
            raise DecodeError(msg) from wrong

    @property
    def names(self) -> set[str]:
        """The names of all files."""
        return set(self._zip.namelist())

    def read(self, name: str) -> bytes:
        """Read one file; raise DecodeError where it is missing or broken."""
        try:
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as wrong:
            msg = f"The export has no readable file {name}."
            raise DecodeError(msg) from wrong
        except Exception as wrong:  # zlib.error derives from Exception alone
            msg = f"The file {name} of the export is damaged."
            raise DecodeError(msg) from wrong

    def read_lines(self, name: str) -> list[dict[str, Any]]:
        """Read a file of JSON lines; raise DecodeError."""
        try:
            return [json.loads(line) for line in self.read(name).decode().splitlines()]
        except ValueError as wrong:
            msg = f"The file {name} of the export is not JSON lines."
            raise DecodeError(msg) from wrong

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
