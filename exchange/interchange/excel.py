"""Catalogues as Excel: a sheet of resources, one of items, one of code lists, one of the words to fill in.

Several values stand in one cell, a line each. Every cell is text, so that nothing in it is a formula.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import python_calamine
import xlsxwriter

from core.errors import BadInput, FieldError, SchemaViolation
from exchange.catalogue.model import Resource
from exchange.catalogue.wire import describe
from exchange.codes.model import CodeList
from exchange.interchange.model import Document, Entry, ListEntry
from exchange.interchange.words import (
    CODE_COLUMNS,
    CODE_SHEET,
    FLAGS,
    ITEM_COLUMNS,
    ITEM_SHEET,
    LISTS,
    NO,
    RESOURCE_COLUMNS,
    RESOURCE_SHEET,
    WORD_SHEET,
    WORDS,
    YES,
)

MAX_ROWS: Final = 200_000
MAX_UNPACKED_BYTES: Final = 128 * 1024 * 1024
_OWN_FIELDS: Final = {"code", "title", "summary", "theme", "update_cycle", "external_codes"}
_Row = tuple[str, dict[str, str]]
_MUST_BE_TEXT: Final = "codes of words differ between products; write the word"


def write_excel(resources: Sequence[Resource], code_lists: Sequence[CodeList] = ()) -> bytes:
    """Write a workbook of resources and of the code lists that they name."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        described = [describe(each) for each in resources]
        _write_sheet(
            book,
            RESOURCE_SHEET,
            RESOURCE_COLUMNS,
            [{**each, **each["metadata"]} for each in described],
        )
        items = [{"resource": each["code"], **item} for each in described for item in each["items"]]
        _write_sheet(book, ITEM_SHEET, ITEM_COLUMNS, items)
        _write_sheet(
            book,
            CODE_SHEET,
            CODE_COLUMNS,
            [
                {"name": held.name, "list_title": held.title, "source": held.source, **asdict(each)}
                for held in code_lists
                for each in held.codes
            ],
        )
        words = book.add_worksheet(WORD_SHEET)
        for column, (field, known) in enumerate(WORDS.items()):
            header = RESOURCE_COLUMNS.get(field) or ITEM_COLUMNS[field]
            for row, text in enumerate((header, *known.values())):
                words.write_string(row, column, text)
    return out.getvalue()


def _write_sheet(book: Any, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    sheet = book.add_worksheet(name)
    bold = book.add_format({"bold": True})
    wrap = book.add_format({"text_wrap": True, "num_format": "@", "valign": "top"})
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(columns) - 1, 18, wrap)
    for place, header in enumerate(columns.values()):
        sheet.write_string(0, place, header, bold)
    for number, row in enumerate(rows, start=1):
        for place, field in enumerate(columns):
            text = _write_cell(field, row[field])
            if text:
                sheet.write_string(number, place, text, wrap)


def _write_cell(field: str, value: Any) -> str:
    if field in FLAGS:
        return YES if value else NO
    if field == "external_codes":
        return "\n".join(f"{scheme}={code}" for scheme, code in value.items())
    known = WORDS.get(field, {})
    if field in LISTS:
        return "\n".join(known.get(each, each) for each in value)
    return "" if value is None else known.get(str(value), str(value))


def read_excel(data: bytes) -> Document:
    """Read what `write_excel` writes, or a department filled in; the sheet of code lists may be missing.

    Raises BadInput for what is no such workbook, SchemaViolation with every cell that has no known word.
    """
    resources = _read_sheet(data, RESOURCE_SHEET, RESOURCE_COLUMNS)
    items = _read_sheet(data, ITEM_SHEET, ITEM_COLUMNS)
    errors: list[FieldError] = []
    code_lists = _read_code_lists(_read_sheet(data, CODE_SHEET, CODE_COLUMNS, required=False), errors)
    owned: defaultdict[str, list[tuple[str, dict[str, str]]]] = defaultdict(list)
    for place, row in items:
        owned[row.get("resource", "")].append((place, row))
    entries = [
        _read_resource(place, row, owned.get(row.get("code", ""), []), errors) for place, row in resources
    ]
    codes = {row.get("code", "") for _, row in resources}
    errors += [
        FieldError(
            pointer=f"{place}/{ITEM_COLUMNS['resource']}",
            code="UNKNOWN",
            detail=f"no row of the sheet {RESOURCE_SHEET} has this code",
        )
        for place, row in items
        if row.get("resource", "") not in codes
    ]
    if errors:
        msg = "cells of the workbook hold what cannot be read; errors lists each"
        raise SchemaViolation(msg, errors=tuple(errors))
    return Document(entries=entries, code_lists=code_lists)


def _read_code_lists(rows: Sequence[_Row], errors: list[FieldError]) -> list[ListEntry]:
    """Gather the codes of each list, whose title and source stand in its first row, or in every one."""
    gathered: defaultdict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for place, row in rows:
        gathered[row.get("name", "").strip()].append((place, _read_cells(place, row, CODE_COLUMNS, errors)))
    return [
        ListEntry(
            description={
                "name": name,
                "title": held[0][1].get("list_title", name),
                "source": held[0][1].get("source", ""),
                "codes": [
                    {field: row[field] for field in ("code", "title", "is_retired") if field in row}
                    for _, row in held
                ],
            },
            place=held[0][0],
            places=tuple(place for place, _ in held),
        )
        for name, held in gathered.items()
    ]


def _read_sheet(data: bytes, name: str, columns: Mapping[str, str], *, required: bool = True) -> list[_Row]:
    """Read a sheet's rows that are not blank: (place such as /资源/2, field → text)."""
    try:
        _verify_size(data)
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        if name not in book.sheet_names:
            if not required:
                return []
            msg = f"the workbook has no sheet {name}"
            raise BadInput(msg)
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, BadZipFile, OSError, ValueError) as wrong:
        msg = "the document is not an Excel workbook (.xlsx)"
        raise BadInput(msg) from wrong
    if len(rows) > MAX_ROWS:
        msg = f"the sheet {name} has more than {MAX_ROWS} rows"
        raise BadInput(msg)
    headers = [str(cell).strip() for cell in rows[0]] if rows else []
    fields = {header: field for field, header in columns.items()}
    strange = [header for header in headers if header and header not in fields]
    missing = [columns[field] for field in _NEEDED[name] if columns[field] not in headers]
    if strange or missing:
        told = f"unknown columns: {', '.join(strange) or 'none'}; missing: {', '.join(missing) or 'none'}"
        msg = f"the sheet {name} has not the columns of a catalogue; {told}"
        raise BadInput(msg)
    return [
        (
            f"/{name}/{number}",
            {fields[h]: _as_text(cell) for h, cell in zip(headers, row, strict=False) if h and cell != ""},
        )
        for number, row in enumerate(rows[1:], start=2)
        if any(cell != "" for cell in row)
    ]


def _verify_size(data: bytes) -> None:
    """Raise BadInput for a workbook that is far larger unpacked than any catalogue."""
    with ZipFile(io.BytesIO(data)) as packed:
        if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED_BYTES:
            msg = f"the workbook has more than {MAX_UNPACKED_BYTES} bytes unpacked"
            raise BadInput(msg)


_NEEDED: Final = {
    RESOURCE_SHEET: ("code", "title", "theme", "update_cycle"),
    ITEM_SHEET: ("resource", "name", "title", "format"),
    CODE_SHEET: ("name", "code", "title"),
}


def _as_text(cell: object) -> str:
    if isinstance(cell, bool):
        return YES if cell else NO
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _read_resource(
    place: str,
    row: Mapping[str, str],
    items: Sequence[tuple[str, Mapping[str, str]]],
    errors: list[FieldError],
) -> Entry:
    values = _read_cells(place, row, RESOURCE_COLUMNS, errors)
    description = {name: value for name, value in values.items() if name in _OWN_FIELDS}
    description["metadata"] = {name: value for name, value in values.items() if name not in _OWN_FIELDS}
    described = []
    for spot, held in items:
        cells = _read_cells(spot, held, ITEM_COLUMNS, errors)
        cells.pop("resource", None)
        described.append(cells)
    description["items"] = described
    return Entry(
        description=description,
        place=place,
        item_places=tuple(spot for spot, _ in items) or (place,),
        columns=RESOURCE_COLUMNS,
        item_columns=ITEM_COLUMNS,
    )


def _read_cells(
    place: str, row: Mapping[str, str], columns: Mapping[str, str], errors: list[FieldError]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, text in row.items():
        try:
            values[field] = _read_cell(field, text)
        except ValueError as wrong:
            pointer = f"{place}/{columns[field]}"
            errors.append(FieldError(pointer=pointer, code="UNKNOWN-WORD", detail=str(wrong)))
    return values


def _read_cell(field: str, text: str) -> Any:
    if field in FLAGS:
        if text.strip() not in {YES, NO}:
            msg = f"write {YES} or {NO}"
            raise ValueError(msg)
        return text.strip() == YES
    if field == "external_codes":
        pairs = [line.partition("=") for line in text.split("\n") if line]
        if not all(mark for _, mark, _ in pairs):
            msg = "write one code a line, as scheme=code"
            raise ValueError(msg)
        return {scheme: code for scheme, _, code in pairs}
    if field in LISTS:
        return [_read_word(field, line) for line in text.split("\n") if line]
    return _read_word(field, text)


def _read_word(field: str, text: str) -> str:
    if field not in WORDS:
        return text
    known = WORDS[field]
    stripped = text.strip()
    if stripped in known:
        return stripped
    for value, word in known.items():
        if word == stripped:
            return value
    hint = f" ({_MUST_BE_TEXT})" if stripped.isdigit() else ""
    msg = f"not one of {', '.join(known.values())}{hint}"
    raise ValueError(msg)
