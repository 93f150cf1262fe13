"""The state of a connector: one SQLite file with cursor, parcels and digests. All SQL of these is here."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from connectors.errors import TerminalError
from connectors.model import Cursor, Operation, Parcel, Receipt
from connectors.runner import mapped

FORMAT: Final = "1"
BUSY_S: Final = 60
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parcel (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    file TEXT NOT NULL,
    rows INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'waiting', 'written', 'parked')),
    cursor TEXT,
    receipt TEXT,
    created_at TEXT NOT NULL,
    written_at TEXT
);
CREATE INDEX IF NOT EXISTS parcel_state ON parcel (state, number);
CREATE TABLE IF NOT EXISTS digest (key TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
"""


def open_state(folder: Path) -> sqlite3.Connection:
    """Open the state below a folder, made where it is missing. One connection for each thread.

    Raises TerminalError where the folder cannot be written, or the file is damaged or of another format.
    """
    make_folder(folder)
    connection = sqlite3.connect(folder / "state.db", timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA + mapped.SCHEMA)
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", [FORMAT])
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", [secrets.token_hex(6)])
        found = _meta(connection, "format")
    except sqlite3.DatabaseError as trouble:
        connection.close()
        if getattr(trouble, "sqlite_errorname", "") not in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
            raise
        msg = f"{folder / 'state.db'} is damaged; bring it back from a backup, or `reset` begins anew"
        raise TerminalError(msg) from None
    if found != FORMAT:
        msg = f"the state in {folder} has format {found}; this version reads {FORMAT}"
        raise TerminalError(msg)
    return connection


def make_folder(folder: Path) -> None:
    """Make the folder of the state. Raises TerminalError where it cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        msg = (
            f"the state cannot be written in {folder}; let `run.state` name a folder that this user may write"
        )
        raise TerminalError(msg)


def load_epoch(connection: sqlite3.Connection) -> str:
    """Return what makes the keys of this state differ from those of any other."""
    return str(_meta(connection, "epoch"))


def load_cursor(connection: sqlite3.Connection) -> Cursor | None:
    """Return where reading goes on."""
    held = _meta(connection, "cursor")
    return None if held is None else dict(json.loads(held))


def load_next_number(connection: sqlite3.Connection) -> int:
    """Return the number of the next parcel."""
    return 1 + int(_one(connection, "SELECT coalesce(max(number), 0) FROM parcel"))


def save_parcel(
    connection: sqlite3.Connection,
    *,
    parcel: Parcel,
    held: bool,
    cursor: Cursor | None,
    digests: Iterable[tuple[str, bytes | None]] = (),
) -> None:
    """Enter a parcel, and the digests of its rows (None where a row is gone).

    A held one waits for a later cursor; one that is not held lets all held ones go, and its cursor is where
    reading goes on.
    """
    with _transaction(connection):
        connection.execute(
            "INSERT INTO parcel (number, key, operation, file, rows, size_bytes, digest, state, cursor,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(parcel.number, parcel.key, parcel.operation.value, parcel.path.name, parcel.rows),
                *(parcel.size_bytes, parcel.digest, "held" if held else "waiting"),
                *(None if cursor is None else json.dumps(cursor), _now()),
            ],
        )
        if not held:
            _release(connection, cursor)
        _save_digests(connection, digests)


def save_cursor(connection: sqlite3.Connection, *, cursor: Cursor) -> None:
    """Let held parcels go and go on from the cursor, which is safe once all parcels so far are."""
    with _transaction(connection):
        _release(connection, cursor)
        connection.execute(
            "UPDATE parcel SET cursor = ? WHERE number = (SELECT max(number) FROM parcel)",
            [json.dumps(cursor)],
        )


def drop_held(connection: sqlite3.Connection) -> None:
    """Forget parcels whose cursor never came; their rows are read again."""
    connection.execute("DELETE FROM parcel WHERE state = 'held'")


def load_waiting(connection: sqlite3.Connection, *, name: str, spool: Path) -> Parcel | None:
    """Return the oldest parcel that waits."""
    row = connection.execute(
        "SELECT number, key, operation, file, rows, size_bytes, digest FROM parcel WHERE state = 'waiting'"
        " ORDER BY number LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    number, key, operation, file, rows, size_bytes, digest = row
    return Parcel(
        connector=name,
        number=number,
        key=key,
        operation=Operation(operation),
        path=spool / file,
        rows=rows,
        size_bytes=size_bytes,
        digest=digest,
    )


def count_waiting(connection: sqlite3.Connection) -> int:
    """Count the parcels that wait for the sink."""
    return int(_one(connection, "SELECT count(*) FROM parcel WHERE state = 'waiting'"))


def save_written(connection: sqlite3.Connection, *, number: int, receipt: Receipt) -> None:
    """Enter what the sink answered."""
    connection.execute(
        "UPDATE parcel SET state = 'written', receipt = ?, written_at = ? WHERE number = ?",
        [json.dumps(asdict(receipt)), _now(), number],
    )


def save_parked(connection: sqlite3.Connection, *, number: int, parked: bool) -> bool:
    """Put a waiting parcel aside, or let a parked one wait again. Tell whether there was one."""
    before, after = ("waiting", "parked") if parked else ("parked", "waiting")
    changed = connection.execute(
        "UPDATE parcel SET state = ? WHERE number = ? AND state = ?", [after, number, before]
    )
    return changed.rowcount == 1


def load_overtaking(connection: sqlite3.Connection, *, number: int) -> list[int]:
    """List the written parcels that are younger than a parked one; none where it is not parked."""
    rows = connection.execute(
        "SELECT number FROM parcel WHERE state = 'written' AND number > ?1"
        " AND EXISTS (SELECT 1 FROM parcel WHERE number = ?1 AND state = 'parked') ORDER BY number",
        [number],
    )
    return [row[0] for row in rows]


def load_written_cursor(connection: sqlite3.Connection) -> Cursor | None:
    """Return the last cursor up to which everything has reached the sink.

    That is where reading goes on, unless parcels wait or are parked: held ones come after it.
    """
    held = _one(
        connection,
        "SELECT coalesce((SELECT value FROM meta WHERE name = 'cursor'"
        " AND NOT EXISTS (SELECT 1 FROM parcel WHERE state IN ('waiting', 'parked'))),"
        " (SELECT cursor FROM parcel WHERE cursor IS NOT NULL AND state = 'written' AND number < coalesce("
        "(SELECT min(number) FROM parcel WHERE state <> 'written'), 9223372036854775807)"
        " ORDER BY number DESC LIMIT 1))",
    )
    return None if held is None else dict(json.loads(held))


def load_spooled_bytes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many bytes wait for the sink, and how many are held until a cursor comes."""
    waiting, held = connection.execute(
        "SELECT coalesce(sum(size_bytes) FILTER (WHERE state = 'waiting'), 0),"
        " coalesce(sum(size_bytes) FILTER (WHERE state = 'held'), 0)"
        " FROM parcel WHERE state IN ('held', 'waiting')"
    ).fetchone()
    return int(waiting), int(held)


def load_files(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the files that are still needed."""
    return {row[0] for row in connection.execute("SELECT file FROM parcel WHERE state <> 'written'")}


def load_summary(connection: sqlite3.Connection) -> dict[str, Any]:
    """Count parcels and rows by state, and what the sink said."""
    states = {
        state: {"parcels": parcels, "rows": rows}
        for state, parcels, rows in connection.execute(
            "SELECT state, count(*), sum(rows) FROM parcel GROUP BY state"
        )
    }
    accepted, rejected = connection.execute(
        "SELECT coalesce(sum(json_extract(receipt, '$.accepted')), 0),"
        " coalesce(sum(json_extract(receipt, '$.rejected')), 0) FROM parcel"
    ).fetchone()
    last = _one(connection, "SELECT max(written_at) FROM parcel")
    return {"parcels": states, "accepted": accepted, "rejected": rejected, "last_written_at": last}


def load_parcels(connection: sqlite3.Connection, *, limit: int) -> list[dict[str, Any]]:
    """List the newest parcels, newest first."""
    rows = connection.execute(
        "SELECT number, key, operation, state, rows, size_bytes, receipt, created_at, written_at,"
        " (SELECT m.version FROM mapping m WHERE m.from_parcel <= parcel.number"
        " ORDER BY m.number DESC LIMIT 1) AS mapping FROM parcel ORDER BY number DESC LIMIT ?",
        [limit],
    )
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [row | {"receipt": row["receipt"] and json.loads(row["receipt"])} for row in found]


def prune_written(connection: sqlite3.Connection, *, keep: int) -> None:
    """Forget written parcels but for the newest."""
    connection.execute(
        "DELETE FROM parcel WHERE state = 'written' AND number <= (SELECT max(number) FROM parcel) - ?",
        [keep],
    )


def load_digests(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, bytes]:
    """Return the digests that are known of these keys."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS asked (key TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("DELETE FROM asked")
    connection.executemany("INSERT OR IGNORE INTO asked VALUES (?)", ((key,) for key in keys))
    return dict(
        connection.execute("SELECT d.key, d.row FROM asked a CROSS JOIN digest d ON d.key = a.key").fetchall()
    )


def begin_scan(connection: sqlite3.Connection) -> None:
    """Begin to note which keys are seen."""
    connection.execute("DROP TABLE IF EXISTS temp.seen")
    connection.execute("CREATE TEMP TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("DROP TABLE IF EXISTS temp.spelt")
    connection.execute(
        "CREATE TEMP TABLE spelt (plain TEXT, key TEXT, PRIMARY KEY (plain, key)) WITHOUT ROWID"
    )


def note_seen(connection: sqlite3.Connection, keys: Sequence[str]) -> int:
    """Note keys; return how many of them had not been seen in this scan."""
    before = connection.total_changes
    connection.execute("BEGIN")
    connection.executemany("INSERT OR IGNORE INTO temp.seen VALUES (?)", ((key,) for key in keys))
    connection.execute("COMMIT")
    return connection.total_changes - before


def note_spellings(connection: sqlite3.Connection, spellings: Iterable[tuple[str, str]]) -> None:
    """Note the plain spellings of keys, of those that have another."""
    found = [(plain, key) for plain, key in spellings if plain != key]
    connection.executemany("INSERT OR IGNORE INTO temp.spelt VALUES (?, ?)", found)


def load_spellings(connection: sqlite3.Connection, plain: Sequence[str]) -> set[str]:
    """Return the keys that this scan has seen of which these are the plain spellings."""
    asked = json.dumps(plain)
    return {
        row[0]
        for row in connection.execute(
            "SELECT key FROM temp.seen WHERE key IN (SELECT value FROM json_each(?))"
            " UNION SELECT key FROM temp.spelt WHERE plain IN (SELECT value FROM json_each(?))",
            [asked, asked],
        )
    }


def load_missing(connection: sqlite3.Connection, *, size: int) -> Iterator[list[str]]:
    """Yield the known keys that this scan has not seen, some at a time; they stay until they are saved."""
    after = ""
    while True:
        rows = connection.execute(
            "SELECT key FROM digest WHERE key > ? AND key NOT IN (SELECT key FROM temp.seen)"
            " ORDER BY key LIMIT ?",
            [after, size],
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield [row[0] for row in rows]


def count_missing(connection: sqlite3.Connection) -> tuple[int, int]:
    """Count the known keys, and those of them that this scan has not seen."""
    known = int(_one(connection, "SELECT count(*) FROM digest"))
    missing = _one(connection, "SELECT count(*) FROM digest WHERE key NOT IN (SELECT key FROM temp.seen)")
    return known, int(missing)


def _save_digests(connection: sqlite3.Connection, digests: Iterable[tuple[str, bytes | None]]) -> None:
    held = list(digests)
    connection.executemany(
        "INSERT INTO digest VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET row = excluded.row",
        ((key, row) for key, row in held if row is not None),
    )
    connection.executemany("DELETE FROM digest WHERE key = ?", ((key,) for key, row in held if row is None))


def _release(connection: sqlite3.Connection, cursor: Cursor | None) -> None:
    connection.execute("UPDATE parcel SET state = 'waiting' WHERE state = 'held'")
    if cursor is not None:
        connection.execute(
            "INSERT INTO meta VALUES ('cursor', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [json.dumps(cursor)],
        )


class _transaction:  # noqa: N801 - reads like a keyword
    """A transaction that is taken back where its block raises."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _meta(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return None if row is None else str(row[0])


def _one(connection: sqlite3.Connection, statement: str) -> Any:
    return connection.execute(statement).fetchone()[0]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
