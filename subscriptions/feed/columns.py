"""Reading a feed's rows as an Arrow table: PostgreSQL copies them out as text, Arrow parses it by columns.

A short page is fetched as values instead, since COPY takes no parameters and inlining them costs three calls.
While one block of rows is parsed the next one comes in. In COPY's text format no value holds a raw line
feed or tab, so that blocks can be cut at any line feed (PostgreSQL 18 manual, COPY, "Text Format").
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import asyncpg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from core.database import Connection
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Resource
from exchange.publish.typed import arrow_type
from subscriptions.feed.store import PLACE_COLUMNS, FeedQuery
from subscriptions.threads import SHORT_ROWS

BLOCK_BYTES: Final = 4 * 1024 * 1024
Masks = Mapping[str, Callable[[object], str | None]]
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def build_schema(resource: Resource, items: Sequence[str]) -> pa.Schema:
    """Build the schema of a feed's table: place, operation, then the items as they are typed."""
    formats = {item.name: parse_format(item.format) for item in resource.items}
    fields = [("_version", pa.int64()), ("_sequence", pa.int64()), ("_operation", pa.string())]
    return pa.schema([*fields, *((name, arrow_type(formats[name])) for name in items)])


async def read_table(connection: Connection, query: FeedQuery, schema: pa.Schema) -> pa.Table:
    """Run a query and return its rows."""
    if query.limit_rows <= SHORT_ROWS:
        return _build_table(await connection.fetch(query.sql, *query.parameters), schema)
    reader = _BlockReader(schema)
    await connection.copy_from_query(
        query.sql, *query.parameters, output=reader.take, format="text", encoding="utf-8", timeout=None
    )
    return await reader.finish()


def _build_table(rows: Sequence[asyncpg.Record], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


class _BlockReader:
    """Cuts what COPY sends into blocks of whole lines, and parses each in a thread, one at a time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._pieces: list[bytes] = []
        self._held = 0
        self._tables: list[pa.Table] = []
        self._parsing: asyncio.Task[pa.Table] | None = None

    async def take(self, data: bytes) -> None:
        """Take the next bytes; waits while the block before is being parsed."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= BLOCK_BYTES:
            await self._cut()

    async def finish(self) -> pa.Table:
        """Return all rows."""
        await self._cut()
        await self._collect()
        return pa.concat_tables(self._tables) if self._tables else self._schema.empty_table()

    async def _cut(self) -> None:
        whole = b"".join(self._pieces)
        end = whole.rfind(b"\n") + 1
        self._pieces, self._held = [whole[end:]], len(whole) - end
        await self._collect()
        if end:
            block = whole if end == len(whole) else whole[:end]
            self._parsing = asyncio.create_task(asyncio.to_thread(parse_block, block, self._schema))

    async def _collect(self) -> None:
        if self._parsing is not None:
            parsing, self._parsing = self._parsing, None
            self._tables.append(await parsing)


def parse_block(block: bytes, schema: pa.Schema) -> pa.Table:
    """Parse whole lines of COPY's text format."""
    table = pa_csv.read_csv(
        pa.BufferReader(block),
        read_options=pa_csv.ReadOptions(
            block_size=len(block) + 1, use_threads=False, column_names=schema.names
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter="\t", quote_char=False, escape_char=False, ignore_empty_lines=False
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={field.name: field.type for field in schema},
            null_values=["\\N"],
            strings_can_be_null=True,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    if b"\\" not in block.replace(b"\t\\N", b""):
        return table
    for number, field in enumerate(schema):
        if pa.types.is_string(field.type):
            table = table.set_column(number, field, _unescape(table.column(number)))
    return table


def _unescape(column: pa.ChunkedArray) -> pa.ChunkedArray:
    escaped = pc.any(pc.match_substring(column, "\\")).as_py()
    if not escaped:
        return column
    values = column.to_pylist()
    plain = [value if value is None or "\\" not in value else _unescape_text(value) for value in values]
    return pa.chunked_array([pa.array(plain, pa.string())])


def _unescape_text(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)


def apply_masks(table: pa.Table, masks: Masks) -> pa.Table:
    """Show masked items as grant and purpose have them: as text, each distinct value masked once."""
    for number, name in enumerate(table.column_names):
        if name in masks:
            encoded = table.column(name).combine_chunks().dictionary_encode()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.combine_chunks()
            hidden = pa.array([masks[name](value) for value in encoded.dictionary.to_pylist()], pa.string())
            table = table.set_column(number, pa.field(name, pa.string()), hidden.take(encoded.indices))
    return table


def item_names(table: pa.Table) -> list[str]:
    """Name the items of a feed's table."""
    return [name for name in table.column_names if name not in PLACE_COLUMNS]
