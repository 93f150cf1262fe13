"""The source over a place of files: each file once, in order, taken up again in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from connectors.cursors import FOREIGN_CURSOR
from connectors.errors import TerminalError
from connectors.model import Batch, Cursor, Operation, Reading, SourceCapabilities
from connectors.protocols import BaseSource
from connectors.sources.files.formats import read_file
from connectors.sources.files.model import UNFINISHED, Entry, FileOptions, Order, Place, Taking


class FileSource(BaseSource):
    """Reads files of a place. A file whose bytes changed after it was read counts as a new one."""

    def __init__(self, options: Any, place: Place, *, puts_away: bool) -> None:
        self._options: FileOptions = options
        self._place = place
        self._puts_away = puts_away
        self._schema: pa.Schema | None = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """Each file is news, or the newest is everything."""
        is_each = self._options.take is Taking.EACH
        return SourceCapabilities(
            reading=Reading.INCREMENTAL if is_each else Reading.FULL,
            deletes=self._options.operation == "delete",
            repeats=is_each and bool(self._options.key),
            acknowledges=self._puts_away and is_each,
            key=self._options.key,
        )

    def fetch_schema(self) -> pa.Schema:
        """Look into the first file that is whole. Where there is none: `columns`, as text, or no columns."""
        if self._schema is None and (entries := self._list_whole()):
            entry = entries[0] if self._options.take is Taking.EACH else entries[-1]
            with self._place.fetch(entry) as path:
                self._schema = self._select(
                    next(iter(read_file(path, entry.name, self._options))).schema, entry
                )
        absent = pa.schema([(name, pa.string()) for name in self._options.columns])
        return absent if self._schema is None else self._schema

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read the files that the cursor does not know, in order."""
        entries = self._list_whole()
        if self._options.take is Taking.NEWEST:
            yield from self._read_newest(entries)
            return
        state = _State(cursor, entries)
        for entry in entries:
            if state.done.get(entry.name) != entry.mark:
                yield from self._read_entry(entry, state)

    def acknowledge(self, cursor: Cursor) -> None:
        """Put away the files that are safe at the sink."""
        if not self._puts_away or self._options.take is Taking.NEWEST:
            return
        there = self._place.list_files()
        names = {entry.name for entry in there}
        done = _State(cursor, there).done
        for entry in there:
            if done.get(entry.name) == entry.mark:
                marker = f"{entry.name}{self._options.done_suffix}"
                self._place.put_away(entry, names=[marker] if marker in names else [])

    def close(self) -> None:
        """Let go of the place."""
        self._place.close()

    def _read_newest(self, entries: Sequence[Entry]) -> Iterator[Batch]:
        if not entries:
            msg = "there is no file that counts; an absent file is not taken for one without rows"
            raise TerminalError(msg)
        with self._place.fetch(entries[-1]) as path:
            yield from (Batch(rows=rows) for rows in self._read_rows(path, entries[-1]) if rows.num_rows)

    def _read_entry(self, entry: Entry, state: _State) -> Iterator[Batch]:
        skipped, place = state.rows_of(entry), 0
        operation = Operation(self._options.operation)
        with self._place.fetch(entry) as path:
            for rows in self._read_rows(path, entry):
                rest = rows.slice(max(0, min(skipped - place, rows.num_rows)))
                place += rows.num_rows
                if rest.num_rows:
                    yield Batch(rows=rest, operation=operation, cursor=state.within(entry, place))
        yield Batch(rows=self._empty(), operation=operation, cursor=state.finish(entry))

    def _empty(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([], schema=self._schema)

    def _read_rows(self, path: Any, entry: Entry) -> Iterator[pa.RecordBatch]:
        for read in read_file(path, entry.name, self._options):
            if self._schema is None:
                self._schema = self._select(read.schema, entry)
            rows = _conform(read, self._schema, entry.name, is_part=bool(self._options.columns))
            for start in range(0, rows.num_rows, self._options.batch_rows):
                yield rows.slice(start, self._options.batch_rows)

    def _select(self, schema: pa.Schema, entry: Entry) -> pa.Schema:
        wanted = self._options.columns or tuple(schema.names)
        if missing := sorted({*wanted, *self._options.key} - set(schema.names)):
            msg = (
                f"{entry.name}: there is no column {', '.join(missing)}; there are {', '.join(schema.names)}"
            )
            raise TerminalError(msg)
        return pa.schema([schema.field(name) for name in wanted])

    def _list_whole(self) -> list[Entry]:
        options, found = self._options, self._place.list_files()
        names = {entry.name for entry in found}
        by_time = options.order is Order.TIME
        return sorted(
            (
                entry
                for entry in found
                if _counts(entry.name, options, names) and self._place.is_settled(entry)
            ),
            key=lambda entry: (entry.written_s if by_time else 0, entry.name),
        )


class _State:
    """What a cursor of these sources says: the marks of files that were read, and how far in the last one."""

    def __init__(self, cursor: Cursor | None, there: Sequence[Entry]) -> None:
        given = {"done": {}} if cursor is None else cursor
        try:
            names = {entry.name for entry in there}
            self.done = {str(n): str(m) for n, m in given["done"].items() if n in names}
            within = given.get("in")
            self._within = None if within is None else (str(within[0]), str(within[1]), int(within[2]))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as trouble:
            raise TerminalError(FOREIGN_CURSOR) from trouble

    def rows_of(self, entry: Entry) -> int:
        """How many rows of a file are known already."""
        if self._within is not None and self._within[:2] == (entry.name, entry.mark):
            return self._within[2]
        return 0

    def within(self, entry: Entry, rows: int) -> Cursor:
        """The cursor after so many rows of a file."""
        return {"done": dict(self.done), "in": [entry.name, entry.mark, rows]}

    def finish(self, entry: Entry) -> Cursor:
        """The cursor after a file."""
        self.done[entry.name] = entry.mark
        return {"done": dict(self.done)}


def _counts(name: str, options: FileOptions, names: set[str]) -> bool:
    last = name.rpartition("/")[2]
    if last.startswith(".") or last.lower().endswith(UNFINISHED) or not fnmatchcase(last, options.pattern):
        return False
    suffix = options.done_suffix
    return suffix is None or (not name.endswith(suffix) and f"{name}{suffix}" in names)


def _conform(batch: pa.RecordBatch, schema: pa.Schema, name: str, *, is_part: bool) -> pa.RecordBatch:
    """Bring a batch's columns into the order and types of a schema. Raises TerminalError."""
    if batch.schema.equals(schema):
        return batch
    _require_same_names(batch.schema.names, schema.names, name, is_part=is_part)
    try:
        columns = [batch.column(field.name).cast(field.type) for field in schema]
    except pa.ArrowException:
        msg = f"{name}: the types of its columns are not those of the files before"
        raise TerminalError(msg) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _require_same_names(found: Sequence[str], wanted: Sequence[str], name: str, *, is_part: bool) -> None:
    """Compare columns. Raises TerminalError that says which are missing and which are new."""
    missing = sorted(set(wanted) - set(found))
    new = [] if is_part else sorted(set(found) - set(wanted))
    if missing or new:
        msg = f"{name}: columns differ from the files before: missing {missing}, new {new}"
        raise TerminalError(msg)
