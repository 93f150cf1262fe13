"""Comparing a copy of a delivery, as a subscriber keeps it, with what its manifest says."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadInput
from subscriptions.delivery.manifest import MANIFEST_FORMAT, digest_rows, hash_body

_DECIMAL: Final = re.compile(r"decimal128\((\d+), (-?\d+)\)")
_TYPES: Final[Mapping[str, tuple[pa.DataType, Callable[[Any], Any]]]] = {
    "int64": (pa.int64(), int),
    "string": (pa.string(), str),
    "bool": (pa.bool_(), bool),
    "date32[day]": (pa.date32(), date.fromisoformat),
    "timestamp[us, tz=UTC]": (pa.timestamp("us", "UTC"), datetime.fromisoformat),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a copy holds against what was delivered.

    `same_bytes`: the copy is the very body. `same_rows`: its rows are those delivered, in whatever order and
    form; None where the manifest has no digest of rows (ask for `proof=rows` when reading).
    """

    rows_delivered: int
    rows_found: int
    same_bytes: bool
    same_rows: bool | None

    @property
    def equal(self) -> bool:
        """Whether nothing is missing, added or altered."""
        return self.same_bytes or bool(self.same_rows)


def compare_copy(data: bytes, manifest: Mapping[str, Any]) -> Comparison:
    """Compare a copy (NDJSON, Arrow stream or Parquet) with a delivery's manifest.

    Raises BadInput for what is no such copy or no manifest of a delivery.
    """
    if manifest.get("format") != MANIFEST_FORMAT:
        msg = "this is no manifest of a delivery; fetch …/deliveries/{id}/receipt"
        raise BadInput(msg)
    same_bytes = hash_body(data) == manifest["body_sm3"]
    try:
        table = read_copy(data, manifest)
    except (pa.ArrowException, ValueError, KeyError, TypeError, ArithmeticError) as wrong:
        msg = "the copy is not NDJSON, an Arrow stream or Parquet with the columns of the manifest"
        raise BadInput(msg) from wrong
    expected = manifest.get("rows_digest")
    return Comparison(
        rows_delivered=int(manifest["rows"]),
        rows_found=table.num_rows,
        same_bytes=same_bytes,
        same_rows=None if expected is None else digest_rows(table) == expected,
    )


def read_copy(data: bytes, manifest: Mapping[str, Any]) -> pa.Table:
    """Read a copy in any of the forms."""
    if data[:4] == b"PAR1":
        return pq.read_table(io.BytesIO(data))
    if data[:4] == b"\xff\xff\xff\xff":
        return pa.ipc.open_stream(data).read_all()
    columns = {column["name"]: _reader(column["type"]) for column in manifest["columns"]}
    rows = [_flatten(json.loads(line)) for line in data.decode().splitlines() if line]
    arrays = [
        pa.array([None if row.get(name) is None else read(row[name]) for row in rows], kind)
        for name, (kind, read) in columns.items()
    ]
    return pa.table(arrays, names=list(columns))


def _flatten(change: dict[str, Any]) -> dict[str, Any]:
    place = {
        "_version": change["version"],
        "_sequence": change["sequence"],
        "_operation": change["operation"],
    }
    return {**(change["row"] or change["key"]), **place}


def _reader(written: str) -> tuple[pa.DataType, Callable[[Any], Any]]:
    found = _DECIMAL.fullmatch(written)
    if found:
        return pa.decimal128(int(found[1]), int(found[2])), Decimal
    return _TYPES[written]
