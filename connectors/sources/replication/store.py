"""All that is asked of the server whose log is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from connectors.errors import TerminalError
from connectors.postgresql import load_driver, told_plainly
from connectors.sources.replication.cursor import Snapshot, read_lsn, read_snapshot, write_lsn
from connectors.sources.tables import quote_standard as quote

_SETTINGS: Final = (
    "SET datestyle = 'ISO, YMD'",
    "SET timezone = 'UTC'",
    "SET bytea_output = 'hex'",
    "SET intervalstyle = 'iso_8601'",
    "SET extra_float_digits = 1",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is now: its OID, and the names and types' OIDs of its published columns."""

    oid: int
    columns: tuple[tuple[str, int], ...]


class Server:
    """Connections to one server, opened when they are needed: one that streams, one for short questions."""

    def __init__(self, url: str, *, table: str, slot: str, publication: str) -> None:
        self._driver = load_driver()
        self._url = url
        self._table = ".".join(map(quote, table.split(".")))
        self._slot = slot
        self._publication = publication
        self._open: Any = None

    def close(self) -> None:
        """Close the connection for short questions."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def describe(self) -> Table:
        """Return the table. Raises TerminalError where it is not there."""
        rows = self._ask(
            "SELECT attrelid::bigint, attname::text, atttypid::bigint FROM pg_attribute WHERE attrelid ="
            f" to_regclass({_literal(self._table)}) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
            " ORDER BY attnum"
        )
        if not rows:
            msg = f"there is no table {self._table}"
            raise TerminalError(msg)
        return Table(oid=rows[0][0], columns=tuple((name, oid) for _, name, oid in rows))

    def find_slot(self) -> int | None:
        """Return the place up to which the slot was acknowledged; None where there is no such slot."""
        rows = self._ask(
            "SELECT confirmed_flush_lsn::text, plugin::text, database = current_database()"
            f" FROM pg_replication_slots WHERE slot_name = {_literal(self._slot)}"
        )
        if not rows:
            return None
        if rows[0][1] != "pgoutput" or not rows[0][2]:
            msg = f"the slot {self._slot} is of another plugin or database; name another slot"
            raise TerminalError(msg)
        return read_lsn(rows[0][0])

    def set_up(self) -> None:
        """Make publication and slot where they are missing."""
        named = f"SELECT 1 FROM pg_publication WHERE pubname = {_literal(self._publication)}"
        if not self._ask(named):
            self._do(f"CREATE PUBLICATION {quote(self._publication)} FOR TABLE {self._table}")
        if self.find_slot() is None:
            self._ask(
                "SELECT lsn::text FROM pg_create_logical_replication_slot"
                f"({_literal(self._slot)}, 'pgoutput')"
            )

    def require_published(self) -> None:
        """Raises TerminalError where the publication lacks the table."""
        if not self._ask(
            f"SELECT 1 FROM pg_publication_tables WHERE pubname = {_literal(self._publication)} AND"
            f" format('%I.%I', schemaname, tablename)::regclass = to_regclass({_literal(self._table)})"
        ):
            msg = f"the publication {self._publication} does not publish {self._table}"
            raise TerminalError(msg)

    def fetch_end(self) -> int:
        """Return the place where the log ends now."""
        return read_lsn(self._ask("SELECT pg_current_wal_flush_lsn()::text")[0][0])

    def fetch_row(self, columns: Sequence[str], key: dict[str, str]) -> tuple[str | None, ...] | None:
        """Return a row as text, as it is now; None where there is none of that key."""
        chosen = ", ".join(map(_write_out, columns))
        same = " AND ".join(f"{quote(name)} = {_literal(value)}" for name, value in key.items())
        rows = self._ask(f"SELECT {chosen} FROM {self._table} WHERE {same}")
        return rows[0] if rows else None

    def advance(self, lsn: int) -> None:
        """Let the server forget the log before a place; it never goes back."""
        confirmed = self.find_slot()
        if confirmed is not None and confirmed < lsn:
            self._ask(
                f"SELECT end_lsn::text FROM pg_replication_slot_advance({_literal(self._slot)},"
                f" {_literal(write_lsn(lsn))})"
            )

    @contextmanager
    def copied(self, columns: Sequence[str]) -> Iterator[tuple[Snapshot, Iterator[pa.RecordBatch]]]:
        """Give the whole table as text, and what the moment of the copy has seen."""
        chosen = ", ".join(map(_write_out, columns))
        with told_plainly(), self._driver.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for setting in _SETTINGS:
                cursor.execute(setting)
            cursor.execute("SELECT pg_current_snapshot()::text")
            snapshot = read_snapshot(cursor.fetchone()[0])
            cursor.execute(f"SELECT {chosen} FROM {self._table}")
            yield snapshot, iter(cursor.fetch_record_batch())

    @contextmanager
    def logged(self) -> Iterator[Iterator[bytes]]:
        """Give the messages that the slot holds; they stay there until it is advanced."""
        statement = (
            "SELECT data FROM pg_logical_slot_peek_binary_changes"
            f"({_literal(self._slot)}, NULL, NULL, 'proto_version', '1', 'publication_names',"
            f" {_literal(quote(self._publication))})"
        )
        with (
            told_plainly(),
            self._driver.connect(self._url, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            for setting in _SETTINGS:
                cursor.execute(setting)
            cursor.execute(statement)
            yield (
                message for batch in cursor.fetch_record_batch() for message in batch.column(0).to_pylist()
            )

    def _ask(self, statement: str) -> list[Any]:
        with told_plainly(), self._connect().cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _do(self, statement: str) -> None:
        with told_plainly(), self._connect().cursor() as cursor:
            cursor.execute(statement)

    def _connect(self) -> Any:
        if self._open is None:
            self._open = self._driver.connect(self._url, autocommit=True)
            with self._open.cursor() as cursor:
                for setting in _SETTINGS:
                    cursor.execute(setting)
        return self._open


def _write_out(name: str) -> str:
    """Write a column as its type's own output function does, and so as the log has it; `::text` differs."""
    return f"CASE WHEN {quote(name)} IS NULL THEN NULL ELSE format('%s', {quote(name)}) END"


def _literal(value: str) -> str:
    """Write a text as PostgreSQL reads it, whatever it holds."""
    if "\x00" in value:
        msg = "a text of PostgreSQL cannot hold a NUL character"
        raise TerminalError(msg)
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
