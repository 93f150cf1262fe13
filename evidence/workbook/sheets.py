"""Opening a workbook: its sheets as rows of texts, read by calamine."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zipfile import BadZipFile, ZipFile

import python_calamine

from core.errors import BadInput, TooLarge
from evidence.workbook import words

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_ROWS: Final = 50_000
MAX_UNPACKED_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a sheet that is not blank: its number as Excel counts, and column → text."""

    sheet: str
    number: int
    cells: Mapping[str, str]

    def place(self, column: str | None = None) -> str:
        """Return the place of the row, or of one of its cells: `/sheet/row/heading`."""
        heading = "" if column is None else f"/{words.SHEETS[self.sheet][column]}"
        return f"/{self.sheet}/{self.number}{heading}"


def open_sheets(data: bytes) -> dict[str, list[Row]]:
    """Read every sheet that a workbook of service items has; sheets that are not there are empty.

    Raises BadInput for what is no workbook, a sheet with strange or missing columns, and a formula's error;
    TooLarge for what no workbook of service items comes to.
    """
    try:
        _verify_size(data)
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = {
            name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            for name in book.sheet_names
            if name in words.SHEETS
        }
    except (python_calamine.CalamineError, BadZipFile, OSError, ValueError) as wrong:
        msg = "the document is not an Excel workbook (.xlsx)"
        raise BadInput(msg) from wrong
    if words.ITEMS not in sheets:
        msg = f"the workbook has no sheet {words.ITEMS}; export some items to see the form"
        raise BadInput(msg)
    return {name: _read_rows(name, sheets.get(name, [])) for name in words.SHEETS}


def _verify_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        msg = f"a workbook takes at most {MAX_BYTES} bytes"
        raise TooLarge(msg)
    with ZipFile(io.BytesIO(data)) as packed:
        if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED_BYTES:
            msg = f"the workbook has more than {MAX_UNPACKED_BYTES} bytes unpacked"
            raise TooLarge(msg)


def _read_rows(name: str, table: Sequence[Sequence[object]]) -> list[Row]:
    if not table:
        return []
    if len(table) > MAX_ROWS:
        msg = f"the sheet {name} has more than {MAX_ROWS} rows"
        raise TooLarge(msg)
    columns = {heading: column for column, heading in words.SHEETS[name].items()}
    headings = [str(cell).strip() for cell in table[0]]
    strange = [each for each in headings if each and each not in columns]
    needed = list(columns)[: 1 if name == words.ITEMS else 2]
    missing = [each for each in needed if each not in headings]
    if strange or missing or len({*headings} - {""}) != len([each for each in headings if each]):
        told = f"unknown: {', '.join(strange) or 'none'}; missing: {', '.join(missing) or 'none'}"
        msg = f"the sheet {name} has not the columns of service items, each once; {told}"
        raise BadInput(msg)
    return [
        Row(
            sheet=name,
            number=number,
            cells={
                columns[heading]: text
                for heading, cell in zip(headings, row, strict=False)
                if heading and (text := _read_text(cell))
            },
        )
        for number, row in enumerate(table[1:], start=2)
        if any(_read_text(cell) for cell in row)
    ]


def _read_text(cell: object) -> str:
    match cell:
        case bool():
            return words.YES if cell else words.NO
        case float() if cell.is_integer():
            return str(int(cell))
    return str(cell).strip()
