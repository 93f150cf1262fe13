"""From the bytes of an upload to Arrow batches of text, in bounded memory, counting every row.

CSV comes in UTF-8 (with or without a byte order mark) or GB 18030, declared or detected; Parquet and Arrow
streams as they are. Rows that cannot be split into the header's cells are handed over apart, with their
numbers, so that no row is lost on the way.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from core.errors import BadInput, FieldError, SchemaViolation, UnsupportedContent
from exchange.catalogue.model import Resource
from exchange.publish.model import Reason, Reject, Upload

CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"
ARROW: Final = "application/vnd.apache.arrow.stream"
MEDIA_TYPES: Final = (CSV, PARQUET, ARROW)
BLOCK_BYTES: Final = 4 * 1024 * 1024
MAX_HEADER_BYTES: Final = 1024 * 1024
BATCH_ROWS: Final = 65_536
MAX_PENDING_MALFORMED: Final = 200_000
COMMON_HAN_SHARE: Final = 0.8
ROW_HEADER: Final = "_row"
LINE_HEADER: Final = "_line"
REASONS_HEADER: Final = "_reasons"
ADDED_HEADERS: Final = (ROW_HEADER, LINE_HEADER, REASONS_HEADER)
_UTF8_NAMES: Final = {"utf-8", "utf8", "utf-8-sig"}
_GB_NAMES: Final = {"gb18030", "gbk", "gb2312", "gb-18030"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBatch:
    """Rows of text, a column for each column of the file: `numbers` are their row numbers in the file."""

    numbers: Sequence[int] | NDArray[np.int64]
    columns: dict[str, pa.Array]
    malformed: tuple[Reject, ...] = ()


def open_upload(
    upload: Upload, resource: Resource, *, keys_only: bool = False
) -> tuple[dict[str, str], Iterator[DecodedBatch]]:
    """Open an upload for reading: (header → item name, batches). `keys_only` asks for the key items alone.

    Raises UnsupportedContent for bytes that are not of the declared kind, BadInput for an empty file, and
    SchemaViolation naming every column that is missing, unknown or there twice.
    """
    if upload.size_bytes == 0:
        msg = "the file is empty; it needs a header and rows"
        raise BadInput(msg)
    if upload.media_type == CSV:
        path = _to_utf8(upload)
        _require_closed_quotes(path)
        header = _read_header(path)
        return match_header(header, resource, keys_only=keys_only), _read_csv(path, header)
    try:
        names, batches = _open_columnar(upload)
    except (pa.ArrowInvalid, OSError) as trouble:
        msg = f"the body is not {upload.media_type}"
        raise UnsupportedContent(msg) from trouble
    return match_header(names, resource, keys_only=keys_only), batches


def match_header(header: Sequence[str], resource: Resource, *, keys_only: bool = False) -> dict[str, str]:
    """Match a file's columns, by item name or Chinese title, to the items: header → item name.

    The columns that the hub itself adds to a download of refused rows are passed over, so that a mended
    download can be sent again as it is.
    """
    by_title = {item.title: item.name for item in resource.items}
    matched: dict[str, str] = {}
    errors = []
    for position, column in enumerate(header):
        if column in ADDED_HEADERS:
            continue
        name = column if resource.item(column) else by_title.get(column)
        pointer = f"#column={position + 1}"
        if name is None:
            shown = column[:40] or "(empty)"
            errors.append(_column_error(pointer, "UNKNOWN-COLUMN", f"no item is named or titled {shown!r}"))
        elif name in matched.values():
            errors.append(_column_error(pointer, "DUPLICATE-COLUMN", f"the item {name} is in the file twice"))
        else:
            matched[column] = name
    found = set(matched.values())
    errors += [
        _column_error("#header", "MISSING-COLUMN", f"the column {item.name} ({item.title}) is missing")
        for item in resource.items
        if (item.is_key or (item.is_required and not keys_only)) and item.name not in found
    ]
    if errors:
        msg = "the file's columns do not fit the resource; nothing was changed"
        raise SchemaViolation(msg, errors=tuple(errors[:100]))
    return matched


def _column_error(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)


# ------------------------------------------------------------------------------------ encodings


def detect_encoding(path: Path, declared: str | None) -> str:
    """Tell the encoding of a text file: `utf-8` or `gb18030`. Raises UnsupportedContent for any other.

    GB 18030 gives a meaning to nearly any bytes, so a file that is only guessed to be in it must also look
    like Chinese: most of its characters beyond ASCII are in the common set of GB 2312.
    """
    name = None if declared is None else declared.strip().strip('"').lower()
    if name is not None and name not in _UTF8_NAMES | _GB_NAMES:
        msg = "a CSV file is read in UTF-8 or GB 18030; the charset declared is neither"
        raise UnsupportedContent(msg)
    if name in _UTF8_NAMES or (name is None and _decodes(path, "utf-8")):
        if name is not None and not _decodes(path, "utf-8"):
            msg = "the file was declared UTF-8 and is not; declare charset=gb18030 if it is that"
            raise UnsupportedContent(msg)
        return "utf-8"
    if _decodes(path, "gb18030") and (name is not None or _looks_chinese(path)):
        return "gb18030"
    msg = "the file is neither UTF-8 nor GB 18030; save it in one of them"
    raise UnsupportedContent(msg)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(BLOCK_BYTES):
            yield piece


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in _pieces(path):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _looks_chinese(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("gb18030")()
    text = decoder.decode(next(_pieces(path)))
    beyond = [character for character in text if ord(character) > 0x7F]
    common = sum(1 for character in beyond if _is_common(character))
    return common >= COMMON_HAN_SHARE * len(beyond)


def _is_common(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _to_utf8(upload: Upload) -> Path:
    """Return the path of the file in UTF-8 without a byte order mark: the upload's own where it is so."""
    encoding = detect_encoding(upload.path, upload.charset)
    with upload.path.open("rb") as file:
        marked = file.read(3) == codecs.BOM_UTF8
    if encoding == "utf-8" and not marked:
        return upload.path
    target = upload.path.with_suffix(".utf8")
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    with target.open("wb") as out:
        for piece in _pieces(upload.path):
            out.write(decoder.decode(piece).encode())
        out.write(decoder.decode(b"", final=True).encode())
    return target


# ------------------------------------------------------------------------------------------ CSV


def _require_closed_quotes(path: Path) -> None:
    """Refuse a file with an open quote, which would swallow the rows after it (RFC 4180 section 2)."""
    if sum(piece.count(b'"') for piece in _pieces(path)) % 2:
        msg = "a quote is opened and not closed; inside a quoted cell a quote is written twice"
        raise BadInput(msg)


def _read_header(path: Path) -> list[str]:
    with path.open("rb") as file:
        start = file.read(MAX_HEADER_BYTES).decode("utf-8", "ignore")
    try:
        header = next(csv.reader(io.StringIO(start, newline=None)), [])
    except csv.Error as trouble:
        msg = "the first line is not a CSV header"
        raise BadInput(msg) from trouble
    return [cell.strip() for cell in header]


class _MalformedRows:
    """Collects the rows that pyarrow could not split, with their numbers."""

    def __init__(self) -> None:
        self.pending: list[Reject] = []

    def __call__(self, row: pa_csv.InvalidRow) -> str:
        if len(self.pending) >= MAX_PENDING_MALFORMED:
            return "error"  # Rows like these come one after another: it is the separator that is wrong.
        number = int(row.number or 0)
        detail = f"the row has {row.actual_columns} cells; the header has {row.expected_columns}"
        self.pending.append(
            Reject(
                row_number=number - 1,  # pyarrow counts the header as row 1
                original={"": row.text},
                reasons=(Reason(item=None, code="CELL-COUNT", detail=detail),),
            )
        )
        return "skip"

    def take(self) -> tuple[Reject, ...]:
        taken, self.pending = tuple(self.pending), []
        return taken


def _read_csv(path: Path, header: Sequence[str]) -> Iterator[DecodedBatch]:
    malformed = _MalformedRows()
    skipped: set[int] = set()
    next_number = 1
    try:
        reader = pa_csv.open_csv(
            path,
            read_options=pa_csv.ReadOptions(
                block_size=BLOCK_BYTES, use_threads=False, column_names=list(header), skip_rows=1
            ),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=malformed),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in header},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        for batch in reader:
            taken = malformed.take()
            skipped |= {reject.row_number for reject in taken}
            numbers = _number_rows(next_number, batch.num_rows, skipped)
            next_number = int(numbers[-1]) + 1 if len(numbers) else next_number
            skipped = {number for number in skipped if number >= next_number}
            columns = dict(zip(header, batch.columns, strict=True))
            yield DecodedBatch(numbers=numbers, columns=columns, malformed=taken)
    except pa.ArrowInvalid as trouble:
        if "Empty CSV" in str(trouble) or _is_header_alone(path):
            return
        msg = f"the CSV cannot be read near data row {next_number}; look for a wrong separator or a huge cell"
        raise BadInput(msg) from trouble
    if rest := malformed.take():
        yield DecodedBatch(numbers=[], columns={}, malformed=rest)


def _number_rows(first: int, count: int, skipped: set[int]) -> NDArray[np.int64]:
    """Number `count` rows from `first` on, passing over the numbers in `skipped`."""
    numbers = np.arange(first, first + count, dtype=np.int64)
    while True:
        gone = np.fromiter(skipped, dtype=np.int64, count=len(skipped))
        kept = np.setdiff1d(numbers, gone, assume_unique=True) if gone.size else numbers
        if len(kept) >= count:
            return kept[:count]
        numbers = np.arange(first, int(numbers[-1]) + 1 + count - len(kept), dtype=np.int64)


def _is_header_alone(path: Path) -> bool:
    """Tell whether the file is one line without an end, which pyarrow does not take for a header."""
    with path.open("rb") as file:
        start = file.read(MAX_HEADER_BYTES + 1)
    return len(start) <= MAX_HEADER_BYTES and len(start.splitlines()) == 1


# ------------------------------------------------------------------------------------- columnar


def _open_columnar(upload: Upload) -> tuple[list[str], Iterator[DecodedBatch]]:
    if upload.media_type == PARQUET:
        file = pa_parquet.ParquetFile(upload.path)
        return list(file.schema_arrow.names), _as_text(file.iter_batches(batch_size=BATCH_ROWS))
    reader = pa_ipc.open_stream(pa.memory_map(str(upload.path)))
    return list(reader.schema.names), _as_text(iter(reader))


def _as_text(batches: Iterator[pa.RecordBatch]) -> Iterator[DecodedBatch]:
    number = 1
    try:
        for batch in batches:
            columns = {
                name: column.cast(pa.string())
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield DecodedBatch(numbers=range(number, number + batch.num_rows), columns=columns)
            number += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as trouble:
        msg = f"the file cannot be read near row {number}, or holds columns that are not plain values"
        raise BadInput(msg) from trouble
