"""From the bytes of an upload to Arrow batches of text, counting every row.

Memory is bounded for every kind but Excel, whose workbooks are read whole and therefore limited in size.
Rows that cannot be split into the header's cells are handed over apart, with their numbers, so that no row
is lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from core.errors import BadInput, FieldError, SchemaViolation, UnsupportedContent
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Resource
from exchange.publish import columnar, csv_rows, excel_rows, ndjson_rows
from exchange.publish.decoded import DecodedBatch
from exchange.publish.encodings import to_utf8
from exchange.publish.media import ADDED_HEADERS, CSV, NDJSON, PARQUET, XLS, XLSX
from exchange.publish.model import Upload


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
        path = to_utf8(upload)
        longest_bytes = csv_rows.measure_rows(path)
        header = csv_rows.read_header(path)
        columns = match_header(header, resource, keys_only=keys_only)
        return columns, csv_rows.read_rows(path, header, longest_bytes=longest_bytes)
    if upload.media_type == NDJSON:
        names = ndjson_rows.read_names(upload.path)
        columns = match_header(names, resource, keys_only=keys_only)
        return columns, ndjson_rows.read_rows(upload.path, names)
    if upload.media_type in {XLSX, XLS}:
        header, sheet = excel_rows.open_sheet(upload.path)
        columns = match_header(header, resource, keys_only=keys_only)
        seconds = frozenset(name for name, item in columns.items() if _is_second(resource, item))
        return columns, excel_rows.read_rows(sheet, header, second_columns=seconds)
    try:
        opener = columnar.open_parquet if upload.media_type == PARQUET else columnar.open_arrow
        names, batches = opener(upload.path)
    except (pa.ArrowInvalid, OSError) as trouble:
        msg = f"the body is not {upload.media_type}"
        raise UnsupportedContent(msg) from trouble
    return match_header(names, resource, keys_only=keys_only), batches


def _is_second(resource: Resource, name: str) -> bool:
    item = resource.item(name)
    return item is not None and parse_format(item.format).kind is Kind.SECOND


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
