"""The rows of CSV, Excel and Parquet files as Arrow batches, a bounded part in memory at a time."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from connectors.errors import TerminalError
from connectors.sources.files.excel import read_sheet
from connectors.sources.files.model import FileOptions, Format

BLOCK_BYTES: Final = 16 * 1024 * 1024
MAX_HEADER_CHARACTERS: Final = 1024 * 1024
_ENDINGS: Final = {
    ".csv": Format.CSV,
    ".txt": Format.CSV,
    ".tsv": Format.CSV,
    ".xlsx": Format.EXCEL,
    ".xlsm": Format.EXCEL,
    ".xls": Format.EXCEL,
    ".ods": Format.EXCEL,
    ".parquet": Format.PARQUET,
}
_RAGGED: Final = re.compile(r"(?:Row #(?P<row>\d+): )?Expected (?P<wanted>\d+) columns, got (?P<got>\d+)")


def find_format(name: str, options: FileOptions) -> Format:
    """Return the format of a file. Raises TerminalError where neither option nor ending says it."""
    found = options.format or _ENDINGS.get(Path(name.lower().removesuffix(".gz")).suffix)
    if found is None:
        msg = f"{name}: the ending does not tell the format; narrow `pattern`, or give `format`"
        raise TerminalError(msg)
    return found


def read_file(path: Path, name: str, options: FileOptions) -> Iterator[pa.RecordBatch]:
    """Read a file's rows; one batch comes even where there are none, for its schema.

    Raises TerminalError that names the file, and the row where it is known, and no content.
    """
    form = find_format(name, options)
    try:
        if form is Format.PARQUET:
            yield from _read_parquet(path, options)
        elif form is Format.CSV:
            yield from _read_csv(path, name, options)
        else:
            yield from read_sheet(path, name, options)
    except (pa.ArrowException, UnicodeError, csv.Error, LookupError) as trouble:
        msg = f"{name}: {_explain(trouble)}"
        raise TerminalError(msg) from None
    except OSError as trouble:
        if trouble.errno is not None:  # the system's own; pyarrow gives none for what cannot be unpacked
            raise
        msg = f"{name}: it cannot be unpacked to its end; it is damaged, or was cut off on its way"
        raise TerminalError(msg) from None


def require_header(names: Sequence[str], name: str) -> list[str]:
    """Let a header pass whose columns have names, each another. Raises TerminalError."""
    found = [column.strip() for column in names]
    if not found or not all(found):
        msg = f"{name}: the header is missing, or one of its columns has no name"
        raise TerminalError(msg)
    if len(set(found)) < len(found):
        msg = f"{name}: two columns of the header have one name"
        raise TerminalError(msg)
    return found


def _explain(trouble: Exception) -> str:
    """Say what is wrong without the bytes that pyarrow quotes."""
    text = str(trouble)
    if found := _RAGGED.search(text):
        row = f"row {found['row']}" if found["row"] else "a row"
        return f"{row} has {found['got']} columns, the header has {found['wanted']}"
    if "straddling" in text:
        return f"a row is larger than {BLOCK_BYTES // 1024 // 1024} MiB, or a quotation mark is never closed"
    if isinstance(trouble, UnicodeError) or "UTF8" in text or "UTF-8" in text:
        return "the bytes are not of the encoding that `encoding` names; gb18030 is common"
    if isinstance(trouble, LookupError):
        return "`encoding` names no encoding that Python knows"
    return "it is damaged, or it is no file of this format"


def _read_csv(path: Path, name: str, options: FileOptions) -> Iterator[pa.RecordBatch]:
    header = _read_csv_header(path, name, options)
    names = require_header(header, name)
    schema = pa.schema([(column, pa.string()) for column in names])
    yield pa.RecordBatch.from_pylist([], schema=schema)
    with pa.input_stream(str(path), compression=_compression(name)) as opened:
        reader = pa_csv.open_csv(
            opened,
            read_options=pa_csv.ReadOptions(
                block_size=BLOCK_BYTES, encoding=options.encoding, use_threads=False
            ),
            parse_options=pa_csv.ParseOptions(delimiter=options.delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types={column: pa.string() for column in header},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        last = None
        for batch in reader:
            if batch.num_rows:
                last = batch.slice(batch.num_rows - 1)
            yield batch.rename_columns(names)
    _require_closed(path, name, last)


def _require_closed(path: Path, name: str, last: pa.RecordBatch | None) -> None:
    """Refuse a file whose last row swallowed the rest because a quotation mark was never closed.

    pyarrow takes the end of the file for the mark; such a file is one that was cut off.
    """
    if last is None:
        return
    quotes = 0
    with pa.input_stream(str(path), compression=_compression(name)) as opened:
        is_open = any("\n" in (cell.as_py() or "") for (cell,) in last.columns)
        if not is_open and _read_end(opened) == b"\n":
            return
    with pa.input_stream(str(path), compression=_compression(name)) as opened:
        while piece := opened.read(BLOCK_BYTES):
            quotes += piece.count(b'"')
    if quotes % 2:
        msg = f"{name}: a quotation mark is never closed; the file seems to be cut off"
        raise TerminalError(msg)


def _read_end(opened: Any) -> bytes:
    """Read the last byte of a stream."""
    end = b""
    while piece := opened.read(BLOCK_BYTES):
        end = piece[-1:]
    return end


def _read_csv_header(path: Path, name: str, options: FileOptions) -> list[str]:
    is_utf8 = options.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
    with (
        pa.input_stream(str(path), compression=_compression(name)) as opened,
        io.TextIOWrapper(opened, encoding="utf-8-sig" if is_utf8 else options.encoding, newline="") as text,
    ):
        lines = iter(lambda: text.readline(MAX_HEADER_CHARACTERS), "")
        return next(csv.reader(lines, delimiter=options.delimiter), [])


def _compression(name: str) -> str | None:
    return "gzip" if name.lower().endswith(".gz") else None


def _read_parquet(path: Path, options: FileOptions) -> Iterator[pa.RecordBatch]:
    with pa_parquet.ParquetFile(path) as file:
        yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow.remove_metadata())
        yield from file.iter_batches(batch_size=options.batch_rows)
