"""The rows of a sheet of an Excel workbook, as text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from connectors.errors import TerminalError
from connectors.optional import load_optional
from connectors.sources.files.model import FileOptions

MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024
EXACT_LIMIT: Final = 10**15  # Excel keeps 15 digits; a longer number is not what was typed


def read_sheet(path: Path, name: str, options: FileOptions) -> Iterator[pa.RecordBatch]:
    """Read the rows below the header; blank ones are passed over. Raises TerminalError.

    Numbers are written without needless zeros, days and times as ISO 8601, yes and no as true and false.
    """
    rows = _open(path, name, options)
    header = next(islice(rows, options.header_row - 1, None), [])
    names = [(_write(cell, name, 0) or "").strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names) or len(set(names)) < len(names):
        msg = f"{name}: row {options.header_row} is no header: a name for each column, each another"
        raise TerminalError(msg)
    schema = pa.schema([(column, pa.string()) for column in names])
    yield pa.RecordBatch.from_pylist([], schema=schema)
    numbered = enumerate(rows, start=options.header_row + 1)
    while part := list(islice(numbered, options.batch_rows)):
        written = [
            [_write(cell, name, number) for cell in cells[: len(names)]]
            for number, cells in part
            if any(cell != "" for cell in cells)
        ]
        columns = [pa.array(column, pa.string()) for column in zip(*written, strict=True)]
        if columns:
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _open(path: Path, name: str, options: FileOptions) -> Iterator[list[Any]]:
    calamine = load_optional("python_calamine", extra="excel")
    _require_bounded(path, name)
    try:
        workbook = calamine.CalamineWorkbook.from_path(str(path))
        if options.sheet is not None and options.sheet not in workbook.sheet_names:
            msg = f"{name}: there is no sheet {options.sheet}; there are {', '.join(workbook.sheet_names)}"
            raise TerminalError(msg)
        sheet = workbook.get_sheet_by_name(options.sheet or workbook.sheet_names[0])
        return iter(sheet.iter_rows())
    except (calamine.CalamineError, OSError, ValueError, IndexError):
        msg = f"{name}: it is no workbook that can be read; save it as .xlsx without a password"
        raise TerminalError(msg) from None


def _require_bounded(path: Path, name: str) -> None:
    """Refuse an archive that unpacks to more than memory should bear."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_BYTES:
            msg = f"{name}: the workbook is too large; split it, or save it as CSV"
            raise TerminalError(msg)


def _write(cell: Any, name: str, number: int) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        return _write_number(cell, name, number)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else None


def _write_number(cell: float, name: str, number: int) -> str:
    if abs(cell) >= EXACT_LIMIT:
        msg = f"{name}: row {number}: Excel has rounded a number of more than 15 digits; format it as text"
        raise TerminalError(msg)
    return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
