"""The source that copies a table once and then follows its changes in the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa
from pydantic import Field, SecretStr

from connectors.errors import TerminalError
from connectors.model import Batch, Cursor, Operation, Reading, SourceCapabilities
from connectors.options import Options
from connectors.protocols import BaseSource
from connectors.sources.replication.changes import ChangeReader, Row
from connectors.sources.replication.cursor import Position, read_position
from connectors.sources.replication.pgoutput import Begin, Change, Commit, Relation, Truncate, decode
from connectors.sources.replication.store import Server, Table
from connectors.sources.replication.values import arrow_type, build_column
from connectors.sources.tables import BATCH_ROWS

SEGMENT_BYTES: Final = 16 * 1024 * 1024


class ReplicationOptions(Options):
    """The options of `kind = "postgresql-log"`. The server runs with `wal_level = logical`.

    The role needs REPLICATION and SELECT on the table, and owns it where the publication is to be made.
    Until changes are acknowledged the server keeps its log, also while a parcel waits or is parked: give
    `max_slot_wal_keep_size` a bound, and drop the slot when the connector is given up
    (`SELECT pg_drop_replication_slot('…')`).
    """

    url: SecretStr = Field(description="postgresql://user:password@host/database, or libpq's key=value")
    table: str = Field(description="the table, or schema.table")
    key: tuple[str, ...] = Field(min_length=1, description="columns of its primary key, or replica identity")
    slot: str = Field(pattern=r"^[a-z0-9_]{1,63}$", description="of this connector alone; made where missing")
    publication: str = Field(default="shuzheng", description="made for the table where it is missing")
    batch_rows: int = Field(default=BATCH_ROWS, ge=1, le=1_000_000)


class ReplicationSource(BaseSource):
    """Copies the table as of one moment, then yields what was committed after, in the order of commits.

    The cursor is the place in the log, within a transaction too, and what the copy has seen: nothing is
    lost or doubled, wherever a reading breaks off. The server forgets what has been acknowledged.
    """

    options_model = ReplicationOptions

    def __init__(self, options: ReplicationOptions) -> None:
        self._options = options
        self._server = Server(
            options.url.get_secret_value(),
            table=options.table,
            slot=options.slot,
            publication=options.publication,
        )

    @property
    def capabilities(self) -> SourceCapabilities:
        """Every change, deletes too; a row comes as often as it changed."""
        return SourceCapabilities(
            reading=Reading.INCREMENTAL,
            deletes=True,
            repeats=True,
            acknowledges=True,
            key=self._options.key,
        )

    def fetch_schema(self) -> pa.Schema:
        """Ask for the table's columns."""
        return self._build_schema(self._server.describe())

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Copy the table where there is no cursor; then read what the log holds."""
        position = read_position(cursor)
        table = self._server.describe()
        schema = self._build_schema(table)
        if position is None:
            self._server.set_up()
        confirmed = self._server.find_slot()
        if confirmed is None:
            msg = (
                f"the slot {self._options.slot} is gone, and with it the changes since; `connector reset` "
                "copies the table anew"
            )
            raise TerminalError(msg)
        self._server.require_published()
        if position is None:
            yield from self._copy(schema, confirmed)
        else:
            yield from self._follow(table, schema, position)

    def acknowledge(self, cursor: Cursor) -> None:
        """Let the server forget the log up to the cursor."""
        position = read_position(cursor)
        if position is not None:
            self._server.advance(position.lsn)

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _build_schema(self, table: Table) -> pa.Schema:
        names = [name for name, _ in table.columns]
        if missing := [name for name in self._options.key if name not in names]:
            msg = f"there is no column {', '.join(missing)}; there are {', '.join(names)}"
            raise TerminalError(msg)
        return pa.schema([(name, arrow_type(oid)) for name, oid in table.columns])

    def _copy(self, schema: pa.Schema, confirmed: int) -> Iterator[Batch]:
        with self._server.copied(schema.names) as (snapshot, batches):
            for whole in batches:
                for start in range(0, whole.num_rows, self._options.batch_rows):
                    part = whole.slice(start, self._options.batch_rows)
                    columns = [part.column(n).to_pylist() for n in range(part.num_columns)]
                    yield Batch(rows=_build_rows(columns, schema))
        position = Position(snapshot=snapshot, lsn=confirmed)
        yield Batch(rows=_build_rows([[]] * len(schema), schema), cursor=position.write())

    def _follow(self, table: Table, schema: pa.Schema, position: Position) -> Iterator[Batch]:
        end = self._server.fetch_end()
        waiting = _Waiting(schema, self._options.key)
        reader = ChangeReader(self._server, table, key=self._options.key)
        with self._server.logged() as messages:
            is_known, done, commit_lsn = False, 0, 0
            for message in map(decode, messages):
                if isinstance(message, Relation):
                    reader.learn(message)
                elif isinstance(message, Begin):
                    is_known = message.lsn < position.lsn or position.snapshot.has_seen(message.xid)
                    done, commit_lsn = 0, message.lsn
                elif isinstance(message, Commit):
                    position = position.after_commit(message.end_lsn)
                elif isinstance(message, (Change, Truncate)) and not is_known:
                    done += 1
                    if position.has_done(commit_lsn, done):
                        continue
                    for row in reader.read(message):
                        if waiting.rows and waiting.is_delete != row.is_delete:
                            yield waiting.flush(None)
                        waiting.add(row)
                    position = replace(position, within=(commit_lsn, done))
                if len(waiting.rows) >= self._options.batch_rows:
                    yield waiting.flush(position.write())
        if waiting.rows:
            yield waiting.flush(position.write())
        elif end - position.lsn > SEGMENT_BYTES:
            yield waiting.flush(position.after_commit(end).write())


class _Waiting:
    """Rows that wait to become a batch, all of one operation."""

    def __init__(self, schema: pa.Schema, key: Sequence[str]) -> None:
        self._schema = schema
        self._key_schema = pa.schema([schema.field(name) for name in key])
        self.rows: list[Row] = []

    @property
    def is_delete(self) -> bool:
        return bool(self.rows) and self.rows[0].is_delete

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def flush(self, cursor: Cursor | None) -> Batch:
        """Make a batch of what waits."""
        operation = Operation.DELETE if self.is_delete else Operation.UPSERT
        schema = self._key_schema if self.is_delete else self._schema
        columns = [[row.values[name] for row in self.rows] for name in schema.names]
        self.rows = []
        return Batch(rows=_build_rows(columns, schema), operation=operation, cursor=cursor)


def _build_rows(columns: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [build_column(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
