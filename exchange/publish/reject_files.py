"""Writing refused rows as files of every kind that batches come in.

A cell that a spreadsheet would run as a formula gets a leading apostrophe in CSV, which is taken off again
when the file is sent back; a workbook holds it as text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pa_parquet
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from exchange.publish.formulas import defuse_cell
from exchange.publish.media import (
    ARROW,
    CSV,
    LINE_HEADER,
    NDJSON,
    PARQUET,
    REASONS_HEADER,
    ROW_HEADER,
    TICKET_HEADER,
    XLSX,
)

MAX_SHEET_CELL = 32_767


class RejectWriter(Protocol):
    """Writes pages of refused rows to a file."""

    charset: str | None

    def write(self, page: Sequence[dict[str, Any]]) -> None:
        """Add rows."""

    def close(self) -> None:
        """Finish the file."""


def open_reject_file(
    path: Path, media_type: str, columns: Sequence[str], charset: str | None
) -> RejectWriter:
    """Open a file of refused rows for writing; `columns` are those of the batch."""
    if media_type == NDJSON:
        return _NdjsonWriter(path, columns)
    if media_type == XLSX:
        return _ExcelWriter(path, columns)
    if media_type in {PARQUET, ARROW}:
        return _ColumnarWriter(path, columns, media_type)
    assert media_type == CSV
    return _CsvWriter(path, columns, charset)


def render_cells(reject: dict[str, Any], columns: Sequence[str]) -> list[str | None]:
    """Return a refused row's number, cells, raw line where it could not be split, ticket, every reason."""
    original = reject["original"]
    reasons = "; ".join(f"{reason['code']}: {reason['detail']}" for reason in reject["reasons"])
    cells = [original.get(column) for column in columns]
    return [str(reject["row"]), *cells, original.get(""), reject["ticket"], reasons]


def all_headers(columns: Sequence[str]) -> list[str]:
    """Return the headers of a download: the batch's columns between those that the hub adds."""
    return [ROW_HEADER, *columns, LINE_HEADER, TICKET_HEADER, REASONS_HEADER]


def render_line(cells: Sequence[str | None]) -> str:
    """Write one CSV line; a cell that a spreadsheet would run as a formula gets a leading apostrophe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([defuse_cell(cell or "") for cell in cells])
    return out.getvalue()


class _CsvWriter:
    def __init__(self, path: Path, columns: Sequence[str], charset: str | None) -> None:
        self.charset: str | None = "gb18030" if charset and charset.strip('"').startswith("gb") else "utf-8"
        self._columns = columns
        self._file = path.open("w", encoding=self.charset, newline="")
        self._file.write(render_line(all_headers(columns)))

    def write(self, page: Sequence[dict[str, Any]]) -> None:
        self._file.write("".join(render_line(render_cells(reject, self._columns)) for reject in page))

    def close(self) -> None:
        self._file.close()


class _NdjsonWriter:
    charset: str | None = None

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._headers, self._columns = all_headers(columns), columns
        self._file = path.open("w", encoding="utf-8")

    def write(self, page: Sequence[dict[str, Any]]) -> None:
        for reject in page:
            cells = zip(self._headers, render_cells(reject, self._columns), strict=True)
            row = {name: cell for name, cell in cells if cell is not None}
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _ColumnarWriter:
    charset: str | None = None

    def __init__(self, path: Path, columns: Sequence[str], media_type: str) -> None:
        self._columns = columns
        self._schema = pa.schema([(name, pa.string()) for name in all_headers(columns)])
        if media_type == PARQUET:
            self._writer = pa_parquet.ParquetWriter(path, self._schema)
        else:
            self._writer = pa_ipc.new_stream(str(path), self._schema)

    def write(self, page: Sequence[dict[str, Any]]) -> None:
        rows = [render_cells(reject, self._columns) for reject in page]
        arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _ExcelWriter:
    charset: str | None = None

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
        self._sheet = self._book.add_worksheet()
        self._columns, self._next = columns, 0
        self._write_row(all_headers(columns))

    def write(self, page: Sequence[dict[str, Any]]) -> None:
        for reject in page:
            self._write_row(render_cells(reject, self._columns))

    def close(self) -> None:
        try:
            self._book.close()
        except FileCreateError as trouble:
            raise OSError from trouble

    def _write_row(self, cells: Sequence[str | None]) -> None:
        for place, cell in enumerate(cells):
            if cell is not None:
                self._sheet.write_string(self._next, place, cell[:MAX_SHEET_CELL])
        self._next += 1
