"""Keys of rows as text, and digests of rows: what telling rows apart stands on."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from connectors.cursors import read_values, write_values
from connectors.errors import TerminalError

DIGEST_BYTES: Final = 16
_NULL: Final = b"n"


def require_key(schema: pa.Schema, key: Sequence[str]) -> None:
    """Let a schema pass that has the key's columns. Raises TerminalError."""
    if missing := [name for name in key if name not in schema.names]:
        msg = f"run.key names {', '.join(missing)}; the rows have {', '.join(schema.names)}"
        raise TerminalError(msg)


def write_keys(rows: pa.RecordBatch, key: Sequence[str]) -> list[str]:
    """Write the key of each row as JSON. Raises TerminalError where a part of a key is null."""
    columns = [rows.column(name) for name in key]
    if any(column.null_count for column in columns):
        msg = f"rows lack a value of their key ({', '.join(key)})"
        raise TerminalError(msg)
    values = zip(*(column.to_pylist() for column in columns), strict=True)
    return [json.dumps(write_values(row), ensure_ascii=False, separators=(",", ":")) for row in values]


def plain_spelling(key: str) -> str:
    """Spell a key of `write_keys` as a hub does: texts without outer blanks, in half width (NFKC)."""
    if key.isascii() and " " not in key and "\\" not in key:
        return key
    values = [
        unicodedata.normalize("NFKC", value.strip()) if isinstance(value, str) else value
        for value in read_values(json.loads(key))
    ]
    return json.dumps(write_values(values), ensure_ascii=False, separators=(",", ":"))


def read_keys(keys: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    """Make rows of a key's columns of what `write_keys` wrote."""
    values = zip(*(read_values(json.loads(key)) for key in keys), strict=True)
    arrays = [pa.array(list(column), field.type) for column, field in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def digest_rows(rows: pa.RecordBatch) -> list[bytes]:
    """Digest each row: 16 bytes of BLAKE2b over its values with their lengths, so that none read alike."""
    parts: list[Any] = []
    for column in rows.columns:
        text = _to_bytes(column)
        lengths = pc.binary_length(text).cast(pa.string()).cast(pa.binary())
        parts += [pc.fill_null(lengths, _NULL), pc.fill_null(text, b"")]
    joined = pc.binary_join_element_wise(*parts, b":").to_pylist()
    return [hashlib.blake2b(row, digest_size=DIGEST_BYTES).digest() for row in joined]


def _to_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column.cast(pa.binary())
    try:
        return column.cast(pa.string()).cast(pa.binary())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        msg = f"columns of type {column.type} cannot be compared; leave them out or map them to text"
        raise TerminalError(msg) from None


def keep_last(rows: pa.RecordBatch, keys: Sequence[str]) -> tuple[pa.RecordBatch, list[str]]:
    """Keep of each key its last row, in the order in which they came."""
    last = {key: number for number, key in enumerate(keys)}
    if len(last) == len(keys):
        return rows, list(keys)
    places = sorted(last.values())
    return rows.take(pa.array(places)), [keys[place] for place in places]
