"""The first sheet of an Excel workbook (.xlsx, .xls) as Arrow batches of text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from core.errors import BadInput, TooLarge, UnsupportedContent
from exchange.publish.decoded import BATCH_ROWS, DecodedBatch, refuse_row
from exchange.publish.model import Reject

MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024
EXACT_LIMIT: Final = 10**15  # Excel keeps 15 digits; a longer number is not what was typed
_MIDNIGHT: Final = time()


class InexactNumber(Exception):
    """A number that Excel has rounded."""


def open_sheet(path: Path) -> tuple[list[str], CalamineSheet]:
    """Open the first sheet with rows: (its header, the sheet). Raises UnsupportedContent, TooLarge."""
    _require_bounded(path)
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = (workbook.get_sheet_by_index(place) for place in range(len(workbook.sheet_names)))
        sheet = next((found for found in sheets if found.height), None)
        first = None if sheet is None else next(iter(sheet.iter_rows()))
    except (CalamineError, OSError, ValueError) as trouble:
        msg = "the body is not an Excel workbook that can be read; save it as .xlsx without a password"
        raise UnsupportedContent(msg) from trouble
    if sheet is None or first is None:
        msg = "the workbook is empty; its first sheet needs a header and rows"
        raise BadInput(msg)
    return [_write_cell(cell, at_second=False) or "" for cell in first], sheet


def read_rows(
    sheet: CalamineSheet, header: Sequence[str], *, second_columns: frozenset[str]
) -> Iterator[DecodedBatch]:
    """Read the rows below the header; blank rows are passed over, as Excel shows nothing there."""
    numbers: list[int] = []
    rows: list[list[str | None]] = []
    malformed: list[Reject] = []
    at_second = [name in second_columns for name in header]
    for number, cells in enumerate(sheet.iter_rows()):
        if number == 0 or not any(cell != "" for cell in cells):
            continue
        try:
            row = [_write_cell(cell, at_second=flag) for cell, flag in zip(cells, at_second, strict=True)]
        except InexactNumber:
            text = "\t".join(str(cell) for cell in cells)
            detail = "Excel has rounded a number of more than 15 digits; format its column as text"
            malformed.append(refuse_row(number, text, "EXCEL-NUMBER", detail))
        else:
            numbers.append(number)
            rows.append(row)
        if len(rows) + len(malformed) >= BATCH_ROWS:
            yield _batch(header, numbers, rows, malformed)
            numbers, rows, malformed = [], [], []
    if rows or malformed:
        yield _batch(header, numbers, rows, malformed)


def _batch(
    header: Sequence[str], numbers: list[int], rows: list[list[str | None]], malformed: list[Reject]
) -> DecodedBatch:
    columns = {}
    if rows:
        for name, values in zip(header, zip(*rows, strict=True), strict=True):
            columns[name] = pa.array(values, pa.string())
    return DecodedBatch(numbers=numbers, columns=columns, malformed=tuple(malformed))


def _write_cell(cell: Any, *, at_second: bool) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return _write_number(cell)
    if isinstance(cell, datetime):
        return f"{cell:%Y%m%d%H%M%S}" if at_second or cell.time() != _MIDNIGHT else f"{cell:%Y%m%d}"
    if isinstance(cell, date):
        return f"{cell:%Y%m%d}000000" if at_second else f"{cell:%Y%m%d}"
    return str(cell) if isinstance(cell, time | timedelta) else None


def _write_number(number: float) -> str:
    if abs(number) >= EXACT_LIMIT:
        raise InexactNumber
    return str(int(number)) if number == int(number) else repr(number)


def _require_bounded(path: Path) -> None:
    """Refuse an archive that unpacks to more than the hub's memory is meant to hold."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as trouble:
        msg = "the body is not an Excel workbook that can be read"
        raise UnsupportedContent(msg) from trouble
    if unpacked > MAX_UNPACKED_BYTES:
        msg = f"the workbook unpacks to more than {MAX_UNPACKED_BYTES} bytes; send the rows as CSV"
        raise TooLarge(msg)
