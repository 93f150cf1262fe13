"""How the formats of items become columns of the lake; the one table of types, shown in `docs/lake.md`.

| format | Arrow | Delta |
| --- | --- | --- |
| `C18`, `C..50`, `n2`, `n..12` | string | string |
| `N..12,2` | decimal128(12, 2) | decimal(12,2) |
| `YYYYMMDD` | date32 | date |
| `YYYYMMDDhhmmss` | timestamp(us, UTC) | timestamp |
| `B` | bool | boolean |

Codes stay text, so that leading zeros stay. A column `_version` holds the hub version that the row is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pa_csv

from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Item, Resource
from exchange.catalogue.store import VERSION_COLUMN

OPERATION_COLUMN: Final = "_operation"
BLOCK_BYTES: Final = 8 * 1024 * 1024
SECOND_FORM: Final = "%Y%m%d%H%M%S"
_PLAIN = {
    Kind.TEXT: pa.string(),
    Kind.DIGITS: pa.string(),
    Kind.DAY: pa.date32(),
    Kind.SECOND: pa.timestamp("us", tz="UTC"),
    Kind.BOOLEAN: pa.bool_(),
}


def arrow_type(item: Item) -> pa.DataType:
    """Return the Arrow type of an item's column."""
    form = parse_format(item.format)
    if form.kind is Kind.DECIMAL:
        return pa.decimal128(form.precision, form.scale)
    return _PLAIN[form.kind]


def build_schema(resource: Resource) -> pa.Schema:
    """Build the schema of a resource's table: its items in order, and the version."""
    fields = [pa.field(item.name, arrow_type(item), nullable=not item.is_key) for item in resource.items]
    return pa.schema([*fields, pa.field(VERSION_COLUMN, pa.int64(), nullable=False)])


def read_spooled(path: Path, resource: Resource, extra: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Read rows that PostgreSQL spooled as canonical text in CSV: the items, `extra` text, `_version`.

    Empty text is null, as at every station (`exchange.accounting.rows`).
    """
    schema = build_schema(resource)
    if not path.exists() or path.stat().st_size == 0:
        return
    names = [*(item.name for item in resource.items), *extra, VERSION_COLUMN]
    types = {
        name: _text_type(schema.field(name).type) if name not in extra else pa.string() for name in names
    }
    reader = pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False, column_names=names),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            true_values=["true"],
            false_values=["false"],
            timestamp_parsers=[SECOND_FORM],
        ),
    )
    ordered = pa.schema([*schema, *(pa.field(name, pa.string()) for name in extra)])
    with reader:
        for batch in reader:
            columns = [_place(batch.column(field.name), field.type) for field in ordered]
            yield pa.RecordBatch.from_arrays(columns, schema=ordered)


def plain_types(table: pa.Table) -> pa.Table:
    """Bring text to Arrow's plain string type; delta-rs marks it as string view, which few kernels take."""
    fields = [
        field.with_type(pa.string()) if _is_text(field.type) and field.type != pa.string() else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that CSV is read as: seconds have no zone there, and are in UTC."""
    return pa.timestamp("s") if pa.types.is_timestamp(kind) else kind


def _place(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind)
