"""Cuts what a source yields into parcels."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from connectors.errors import TerminalError
from connectors.model import Batch, Cursor, Operation, Parcel
from connectors.runner import store
from connectors.runner.keys import keep_last, require_key, write_keys
from connectors.runner.spool import ParcelFile

Digests = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRules:
    """When a parcel is full, and what may stand in it.

    `unique_by`: no two rows of a parcel have the same values there (the newest is kept), because a sink
    takes the rows of a parcel as of one moment. A snapshot is one parcel, whatever stands in it: cut in two,
    the second would delete the first. `needs_cursor`: parcels wait for a cursor of the source.
    """

    connector: str
    epoch: str
    folder: Path
    rows: int
    size_bytes: int
    unique_by: tuple[str, ...] = ()
    needs_cursor: bool = True


@dataclass(slots=True)
class Cutter:
    """Writes batches into parcels and enters those into the state, with the cursor, all or nothing."""

    connection: sqlite3.Connection
    rules: CutRules
    on_parcel: Callable[[Parcel], None]
    _file: ParcelFile | None = None
    _cursor: Cursor | None = None
    _digests: list[tuple[str, bytes | None]] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)
    _is_holding: bool = False

    def add(self, batch: Batch, digests: Digests = ()) -> None:
        """Add a batch; its digests are entered with the parcel that its last row goes into."""
        size, rows = self.rules.rows, batch.rows
        if batch.operation is Operation.SNAPSHOT:
            size = max(rows.num_rows, 1)
        for start in range(0, rows.num_rows, size):
            part = rows.slice(start, size)
            is_last = start + size >= rows.num_rows
            self._write(part, batch.operation)
            self._cursor = batch.cursor if is_last else None
            if is_last:
                self._digests += digests
            self._cut_where_full(batch.operation)
        if rows.num_rows == 0 and batch.operation is Operation.SNAPSHOT:
            self._write(rows, batch.operation)
            self._cursor = batch.cursor
            self._cut_where_full(batch.operation)
        elif rows.num_rows == 0 and batch.cursor is not None:
            self._cursor = batch.cursor
            self._cut()

    def finish(self) -> None:
        """Cut the last parcel. Raises TerminalError where its cursor never came."""
        self._cut()
        if self._is_holding:
            msg = "the source ended a read without a cursor after its last rows; its last batch needs one"
            raise TerminalError(msg)

    def release(self) -> bool:
        """Cut the open parcel where it has a cursor, which lets held ones go; tell whether it had."""
        has_cursor = self._cursor is not None
        if has_cursor:
            self._cut()
        return has_cursor

    def keep(self) -> None:
        """Enter what has a cursor, and give up the rest: the read has ended with a trouble of the source."""
        self.release()
        self.drop()

    def drop(self) -> None:
        """Give up what is not entered yet; it is read again."""
        if self._file is not None:
            self._file.drop()
        self._file, self._cursor, self._is_holding = None, None, False
        self._digests.clear()
        self._keys.clear()

    def _write(self, rows: pa.RecordBatch, operation: Operation) -> None:
        keys: list[str] = []
        is_whole = operation is Operation.SNAPSHOT
        if self.rules.unique_by and not is_whole:
            require_key(rows.schema, self.rules.unique_by)
            rows, keys = keep_last(rows, write_keys(rows, self.rules.unique_by))
        file = self._file
        if (
            file is not None
            and is_whole
            and file.operation is operation
            and not file.schema.equals(rows.schema)
        ):
            msg = (
                "the columns change within one snapshot, which is sent whole; give all of it the same columns"
            )
            raise TerminalError(msg)
        if file is not None and (
            file.operation is not operation
            or not file.schema.equals(rows.schema)
            or not self._keys.isdisjoint(keys)
        ):
            self._cut()
        if self._file is None:
            self._file = ParcelFile(
                self.rules.folder,
                number=store.load_next_number(self.connection),
                operation=operation,
                schema=rows.schema,
            )
        self._keys.update(keys)
        self._file.write(rows)

    def _cut_where_full(self, operation: Operation) -> None:
        assert self._file is not None
        is_full = self._file.rows >= self.rules.rows or self._file.size_bytes >= self.rules.size_bytes
        if operation is Operation.SNAPSHOT:
            is_full = self._cursor is not None
        if is_full:
            self._cut()

    def _cut(self) -> None:
        file, cursor = self._file, self._cursor
        if file is None:
            if cursor is not None:
                store.save_cursor(self.connection, cursor=cursor)
                self._cursor, self._is_holding = None, False
            return
        key = f"{self.rules.connector}.{self.rules.epoch}.{file.number}"
        parcel = file.close(connector=self.rules.connector, key=key)
        held = self.rules.needs_cursor and cursor is None
        store.save_parcel(
            self.connection, parcel=parcel, held=held, cursor=cursor, digests=tuple(self._digests)
        )
        self._file, self._cursor, self._is_holding = None, None, held
        self._digests.clear()
        self._keys.clear()
        self.on_parcel(parcel)
