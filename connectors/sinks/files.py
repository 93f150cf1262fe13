"""What sinks of files share: a parcel becomes one file and, last, a manifest that says it is whole."""

from __future__ import annotations

import hashlib
import json
import tempfile
from abc import abstractmethod
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from pydantic import Field

from connectors.errors import TerminalError
from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.options import Options
from connectors.protocols import BaseSink


class FileFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    PARQUET = "parquet"


class FileSinkOptions(Options):
    """How files are written. CSV is UTF-8 after RFC 4180; null is an empty field, empty text is `""`."""

    format: FileFormat = Field(default=FileFormat.PARQUET, description="csv or parquet")


class FileSink(BaseSink):
    """Writes each parcel as a file whose name holds its number, operation and key, and a manifest beside it.

    The manifest `NAME.json` (rows, SHA-256, size, columns, operation) comes last: a file that has one is
    whole. Readers apply files in the order of their numbers; `snapshot` replaces everything before it.
    """

    def __init__(self, options: FileSinkOptions) -> None:
        self._format = options.format

    @property
    def capabilities(self) -> SinkCapabilities:
        """Files say what they are for; a parcel that comes again finds its manifest."""
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel. Raises TransientError, TerminalError."""
        name = name_file(parcel, self._format)
        if self.load(f"{name}.json") is None:
            with tempfile.TemporaryDirectory(prefix="shuzheng-") as folder:
                path = Path(folder) / "rows"
                write_rows(parcel, path, self._format)
                self.store(name, path)
                manifest = Path(folder) / "manifest"
                manifest.write_text(_describe(parcel, name, path), encoding="utf-8")
                self.store(f"{name}.json", manifest)
        return Receipt(accepted=parcel.rows, reference=name)

    @abstractmethod
    def load(self, name: str) -> bytes | None:
        """Return what is stored under a name; None where nothing is."""

    @abstractmethod
    def store(self, name: str, path: Path) -> None:
        """Store a file's bytes under a name, whole or not at all, in place of what was there."""


def name_file(parcel: Parcel, form: FileFormat) -> str:
    """Name a parcel's file; names order as parcels do, and one parcel always has the same."""
    mark = hashlib.sha256(parcel.key.encode()).hexdigest()[:12]
    return f"{parcel.number:010}.{parcel.operation}.{mark}.{form}"


def write_rows(parcel: Parcel, path: Path, form: FileFormat) -> None:
    """Write a parcel's rows into a file. Raises TerminalError for types that CSV cannot hold."""
    schema = parcel.read_schema()
    try:
        if form is FileFormat.PARQUET:
            with pa_parquet.ParquetWriter(path, schema, compression="zstd") as parquet:
                for batch in parcel.read():
                    parquet.write_batch(batch)
            return
        with pa_csv.CSVWriter(path, schema) as writer:
            for batch in parcel.read():
                writer.write_batch(batch)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        msg = f"{form} cannot hold columns of these types; map them to text, or write parquet"
        raise TerminalError(msg) from None


def _describe(parcel: Parcel, name: str, path: Path) -> str:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    manifest = {
        "file": name,
        "connector": parcel.connector,
        "number": parcel.number,
        "key": parcel.key,
        "operation": str(parcel.operation),
        "rows": parcel.rows,
        "size_bytes": path.stat().st_size,
        "sha256": digest,
        "columns": [{"name": field.name, "type": str(field.type)} for field in parcel.read_schema()],
    }
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
