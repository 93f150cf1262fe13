"""The catalogue of certificate types as an Excel workbook: written by openpyxl, read by calamine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import Final

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineError, CalamineWorkbook

from certs.types.model import CertificateType
from certs.types.table import (
    ITEM_COLUMNS,
    ITEMS_SHEET,
    TYPE_COLUMNS,
    TYPES_SHEET,
    Draft,
    Row,
    read_drafts,
    write_item_rows,
    write_type_row,
)
from core.errors import BadInput, FieldError

MAX_ROWS: Final = 20_000
MAX_CELL_CHARACTERS: Final = 10_000
_WIDTHS: Final = {
    "code": 26,
    "name": 30,
    "defining_body": 26,
    "title": 26,
    "related_items": 30,
    "service_items": 30,
}
_FIXED_TIME: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - Excel keeps no zone


def write_workbook(kinds: Iterable[CertificateType]) -> bytes:
    """Write types and their items; every cell is text, so that no program changes a code."""
    book = Workbook()
    book.properties.created = book.properties.modified = _FIXED_TIME
    types, items = book.active, book.create_sheet(ITEMS_SHEET)
    assert isinstance(types, Worksheet)
    types.title = TYPES_SHEET
    listed = list(kinds)
    _fill(types, TYPE_COLUMNS, [write_type_row(kind) for kind in listed])
    _fill(items, ITEM_COLUMNS, [row for kind in listed for row in write_item_rows(kind)])
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def _fill(sheet: Worksheet, columns: Mapping[str, str], rows: Sequence[Sequence[str]]) -> None:
    sheet.append(list(columns.values()))
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DDE7F2")
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(row=number, column=column)
            assert isinstance(cell, Cell)
            cell.value, cell.data_type = value, "s"
            cell.number_format = "@"
            cell.alignment = Alignment(vertical="top", wrap_text="\n" in value)
    for column, name in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = _WIDTHS.get(name, 16)
    sheet.freeze_panes = "A2"


def read_workbook(data: bytes) -> tuple[list[Draft], list[FieldError]]:
    """Read types out of a workbook (xlsx, xls or ods), with an error for each cell that cannot be read.

    Raises BadInput where it is no workbook or has no sheet of types.
    """
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        sheets = {name.strip(): book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (CalamineError, OSError, ValueError) as error:
        msg = "the file is not a workbook that can be read (xlsx, xls, ods)"
        raise BadInput(msg) from error
    if TYPES_SHEET not in sheets:
        msg = f"the workbook has no sheet {TYPES_SHEET}; export the catalogue to see the form"
        raise BadInput(msg)
    types = _read_rows(sheets[TYPES_SHEET], TYPE_COLUMNS, sheet=TYPES_SHEET)
    items = _read_rows(sheets.get(ITEMS_SHEET, []), ITEM_COLUMNS, sheet=ITEMS_SHEET)
    return read_drafts(types, items)


def _read_rows(
    cells: Sequence[Sequence[object]], columns: Mapping[str, str], *, sheet: str
) -> list[tuple[int, Row]]:
    """Return rows as texts by column, with their numbers as Excel counts them; empty rows are skipped."""
    if len(cells) > MAX_ROWS:
        msg = f"the sheet {sheet} has more than {MAX_ROWS} rows"
        raise BadInput(msg)
    if not cells:
        return []
    names = {word: name for name, title in columns.items() for word in (name, title)}
    headings = [names.get(_text(cell)) for cell in cells[0]]
    if "code" not in headings:
        msg = f"the first row of the sheet {sheet} has no heading {columns['code']}"
        raise BadInput(msg)
    found: list[tuple[int, Row]] = []
    for number, row in enumerate(cells[1:], start=2):
        texts = {name: _text(cell) for name, cell in zip(headings, row, strict=False) if name is not None}
        if any(texts.values()):
            found.append((number, texts))
    return found


def _text(cell: object) -> str:
    """Read a cell as text: whole numbers without a point, days as YYYYMMDD."""
    match cell:
        case bool():
            return "是" if cell else "否"
        case float() if cell.is_integer():
            return str(int(cell))
        case date():
            return cell.strftime("%Y%m%d")
        case _:
            return str(cell).strip()[:MAX_CELL_CHARACTERS]
