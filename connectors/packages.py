"""Signed packages for gaps that only files cross, in one direction (网闸).

A package is a ZIP archive without compression: `manifest.json` (connector, epoch, number, operation, rows,
SHA-256 of the rows), `rows.arrow` (an Arrow IPC stream), and `manifest.sig` (SM2 over the manifest, r ‖ s).
Numbers have no gaps, so that a package that was lost, held back or brought in twice is noticed.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc as pa_ipc

from connectors.errors import TerminalError
from connectors.keys import ClientKey, verify_with_gmssl
from connectors.model import Operation, Parcel

SUFFIX: Final = ".szp"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
ROWS: Final = "rows.arrow"
FORMAT: Final = "shuzheng-package-1"
MAX_MANIFEST_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(
    r"(?P<connector>[a-z0-9._-]+)\.(?P<epoch>[0-9a-f]{12})\.(?P<number>[1-9][0-9]*)\.szp"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageName:
    """What the name of a package says; the manifest must say the same."""

    path: Path
    connector: str
    epoch: str
    number: int


def write_package(parcel: Parcel, path: Path, key: ClientKey) -> None:
    """Write a parcel as a package."""
    manifest = json.dumps(_describe(parcel), ensure_ascii=False, sort_keys=True).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(MANIFEST, manifest)
        archive.writestr(SIGNATURE, key.sign(manifest))
        archive.write(parcel.path, ROWS)


def _describe(parcel: Parcel) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "key": parcel.key,
        "operation": parcel.operation.value,
        "rows": parcel.rows,
        "sha256": parcel.digest,
    }


def list_packages(folder: Path, connector: str) -> list[PackageName]:
    """List the packages of a connector that have come, by number."""
    found = []
    for path in folder.glob(f"{connector}.*{SUFFIX}"):
        named = _NAME.fullmatch(path.name)
        if named and named["connector"] == connector:
            number = int(named["number"])
            found.append(PackageName(path=path, connector=connector, epoch=named["epoch"], number=number))
    return sorted(found, key=lambda package: (package.number, package.epoch))


def verify_package(package: PackageName, public_key: bytes) -> Operation:
    """Return the operation of a package that is as its sender signed it. Raises TerminalError, OSError."""
    try:
        with zipfile.ZipFile(package.path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError
            with archive.open(MANIFEST) as opened:
                manifest = opened.read(MAX_MANIFEST_BYTES)
            signature = archive.read(SIGNATURE)
            _verify_manifest(package, manifest, signature, public_key)
            told = json.loads(manifest)
            with archive.open(ROWS) as rows:
                digest = hashlib.file_digest(rows, "sha256").hexdigest()  # type: ignore[arg-type]
            if told["format"] != FORMAT or told["sha256"] != digest:
                raise ValueError
            return Operation(told["operation"])
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as wrong:
        msg = f"the package {package.path.name} is damaged or no package; ask for it anew"
        raise TerminalError(msg) from wrong


def _verify_manifest(package: PackageName, manifest: bytes, signature: bytes, public_key: bytes) -> None:
    if not verify_with_gmssl(public_key, manifest, signature):
        msg = f"the signature of the package {package.path.name} is not of the sender's key"
        raise TerminalError(msg)
    if json.loads(manifest).get("key") != f"{package.connector}.{package.epoch}.{package.number}":
        msg = f"the package {package.path.name} has the name of another"
        raise TerminalError(msg)


def read_rows(package: PackageName) -> Iterator[pa.RecordBatch]:
    """Read the rows of a package, a batch at a time."""
    with zipfile.ZipFile(package.path) as archive, archive.open(ROWS) as rows:
        yield from pa_ipc.open_stream(rows)


def read_schema(package: PackageName) -> pa.Schema:
    """Read the columns of a package."""
    with zipfile.ZipFile(package.path) as archive, archive.open(ROWS) as rows:
        return pa_ipc.open_stream(rows).schema
