"""A page of the feed, and its forms: NDJSON, an Arrow IPC stream, Parquet, CSV."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from exchange.access.values import render_value
from subscriptions.feed.columns import item_names
from subscriptions.feed.disputes import Disputed, mark_table
from subscriptions.model import Change, Operation, Position

ARROW_CHUNK_ROWS: Final = 65_536


class Form(StrEnum):
    """The media types in which changes are handed over."""

    NDJSON = "application/x-ndjson"
    ARROW = "application/vnd.apache.arrow.stream"
    PARQUET = "application/vnd.apache.parquet"
    CSV = "text/csv"


MAX_ROWS: Final = {Form.NDJSON: 10_000, Form.ARROW: 250_000, Form.PARQUET: 250_000, Form.CSV: 250_000}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Changes in strict order, and the cursor after the last of them.

    `table` has the columns `_version`, `_sequence`, `_operation` and the items, masked; `body` is the
    table in `form`. `is_announcement`: it tells what a change of the grant took back or added; `epoch` counts
    such changes. `delivery_id` is that of the delivery's manifest, None where there is no change.
    `disputed` names the items under objection, by the row's number.
    """

    table: pa.Table
    key_names: tuple[str, ...]
    from_cursor: str
    next_cursor: str
    reached: Position
    current_version: int
    resource_code: str
    form: Form
    body: bytes
    epoch: int = 0
    is_announcement: bool = False
    delivery_id: UUID | None = None
    manifest: bytes = b""
    receipt: bytes = b""
    disputed: Disputed = field(default_factory=dict)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes as values."""
        return tuple(iterate_changes(self.table, self.key_names))


def iterate_changes(table: pa.Table, key_names: Sequence[str]) -> Iterator[Change]:
    """Read a feed's table row by row."""
    names = item_names(table)
    places = zip(*(table.column(number).to_pylist() for number in range(3)), strict=True)
    rows = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    for (version, sequence, written), values in zip(places, rows, strict=True):
        operation = Operation(written)
        row = dict(zip(names, values, strict=True))
        yield Change(
            position=Position(version=version, sequence=sequence),
            operation=operation,
            key={name: row[name] for name in key_names},
            row=None if operation is Operation.DELETE else row,
        )


def write_page(
    table: pa.Table, form: Form, *, key_names: Sequence[str], disputed: Disputed | None = None
) -> bytes:
    """Write a feed's table in one of the forms, with its marks where the form has room for them (not CSV)."""
    marks = disputed or {}
    if form is Form.NDJSON:
        changes = enumerate(iterate_changes(table, key_names))
        return "".join(render_change(change, marks.get(number, ())) for number, change in changes).encode()
    table = mark_table(table, marks)
    sink = io.BytesIO()
    if form is Form.ARROW:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=ARROW_CHUNK_ROWS)
    elif form is Form.CSV:
        pa_csv.write_csv(table, sink)
    else:
        pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def render_change(change: Change, disputed: Sequence[str] = ()) -> str:
    """Write one change as a line of NDJSON; `disputed` where a value of it is under objection."""
    line: dict[str, object] = {
        "version": change.position.version,
        "sequence": change.position.sequence,
        "operation": str(change.operation),
        "key": {name: render_value(value) for name, value in change.key.items()},
        "row": None
        if change.row is None
        else {name: render_value(value) for name, value in change.row.items()},
    }
    if disputed:
        line["disputed"] = list(disputed)
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
