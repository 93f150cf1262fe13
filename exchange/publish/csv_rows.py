"""CSV (RFC 4180) as Arrow batches of text; rows that cannot be split are handed over apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from core.errors import BadInput
from exchange.publish.decoded import BATCH_ROWS, DecodedBatch, refuse_row
from exchange.publish.encodings import read_pieces
from exchange.publish.formulas import restore_cells
from exchange.publish.media import TICKET_HEADER
from exchange.publish.model import Reject

BLOCK_BYTES: Final = 4 * 1024 * 1024
MAX_ROW_BYTES: Final = 64 * 1024 * 1024
MAX_BATCH_ROWS: Final = 500_000
MAX_HEADER_BYTES: Final = 1024 * 1024
MAX_PENDING_MALFORMED: Final = 200_000


def measure_rows(path: Path) -> int:
    """Return how many bytes the longest row has, or up to two of the pieces that are read more.

    Raises BadInput for a row over MAX_ROW_BYTES, and for an open quote, which would swallow the rows after it
    (RFC 4180 section 2).
    """
    is_open, run_bytes, longest_bytes = False, 0, 0
    for piece in read_pieces(path):
        run_bytes += len(piece)
        longest_bytes = max(longest_bytes, run_bytes)
        ends, is_open = _find_end(piece, is_open=is_open)
        if ends:
            run_bytes = len(piece)
    if is_open:
        msg = "a quote is opened and not closed; inside a quoted cell a quote is written twice"
        raise BadInput(msg)
    if longest_bytes > MAX_ROW_BYTES:
        msg = f"a row is longer than {MAX_ROW_BYTES} bytes; look for a stray quote or wrong line ends"
        raise BadInput(msg)
    return longest_bytes


def _find_end(piece: bytes, *, is_open: bool) -> tuple[bool, bool]:
    """Tell whether a row ends in a piece, and whether a quote is open behind it."""
    quotes = piece.count(b'"')
    if not quotes:
        return not is_open and (b"\n" in piece or b"\r" in piece), is_open
    octets = np.frombuffer(piece, dtype=np.uint8)
    ends = np.flatnonzero((octets == ord("\n")) | (octets == ord("\r")))
    before = np.searchsorted(np.flatnonzero(octets == ord('"')), ends) + is_open
    return bool((before % 2 == 0).any()), is_open ^ bool(quotes % 2)


def read_header(path: Path) -> list[str]:
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
        # pyarrow counts the header as row 1
        self.pending.append(refuse_row(number - 1, row.text, "CELL-COUNT", detail))
        return "skip"

    def take(self) -> tuple[Reject, ...]:
        taken, self.pending = tuple(self.pending), []
        return taken


def read_rows(path: Path, header: Sequence[str], *, longest_bytes: int = 0) -> Iterator[DecodedBatch]:
    """Read the rows below the header; `longest_bytes` is what `measure_rows` told."""
    malformed = _MalformedRows()
    skipped: set[int] = set()
    next_number = 1
    try:
        reader = pa_csv.open_csv(
            path,
            read_options=pa_csv.ReadOptions(
                block_size=max(BLOCK_BYTES, longest_bytes),
                use_threads=False,
                column_names=list(header),
                skip_rows=1,
            ),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=malformed),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in header},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        for batch in _in_parts(reader):
            taken = malformed.take()
            skipped |= {reject.row_number for reject in taken}
            numbers = _number_rows(next_number, batch.num_rows, skipped)
            next_number = int(numbers[-1]) + 1 if len(numbers) else next_number
            skipped = {number for number in skipped if number >= next_number}
            columns = dict(zip(header, batch.columns, strict=True))
            if TICKET_HEADER in columns:  # a download of refused rows, mended
                columns = {name: restore_cells(column) for name, column in columns.items()}
            yield DecodedBatch(numbers=numbers, columns=columns, malformed=taken)
    except pa.ArrowInvalid as trouble:
        if "Empty CSV" in str(trouble) or _is_header_alone(path):
            return
        msg = f"the CSV cannot be read near data row {next_number}; look for a wrong separator or a huge cell"
        raise BadInput(msg) from trouble
    if rest := malformed.take():
        yield DecodedBatch(numbers=[], columns={}, malformed=rest)


def _in_parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut up what a large block gave, so that memory does not grow with it."""
    for batch in batches:
        if batch.num_rows <= MAX_BATCH_ROWS:
            yield batch
        else:
            yield from (batch.slice(at, BATCH_ROWS) for at in range(0, batch.num_rows, BATCH_ROWS))


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
