"""Stages for the conformance kit: SQLite and PostgreSQL in its hands."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from connectors.kit.model import Row


class SqliteStage:
    """A table `t` whose `seq` grows with every change."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, amount TEXT, day TEXT, seq INTEGER NOT NULL)"
        )

    def _execute(self, statement: str, rows: Sequence[Sequence[Any]] | None = None) -> None:
        connection = sqlite3.connect(self.file)
        with connection:
            connection.execute(statement) if rows is None else connection.executemany(statement, rows)
        connection.close()

    def reset(self) -> None:
        self._execute("DELETE FROM t")

    def put(self, rows: Sequence[Row]) -> None:
        values = [(r.id, r.name, _text(r.amount), r.day and r.day.isoformat()) for r in rows]
        self._execute(
            "INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM t))", values
        )

    def remove(self, ids: Sequence[int]) -> None:
        self._execute("DELETE FROM t WHERE id = ?", [(number,) for number in ids])

    def cut(self) -> None:
        self._holder = sqlite3.connect(self.file, isolation_level=None)
        self._holder.execute("BEGIN EXCLUSIVE")

    def restore(self) -> None:
        self._holder.close()


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


class SqliteSinkStage:
    """The file that a SQLite sink writes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def reset(self) -> None:
        self.file.unlink(missing_ok=True)

    def read(self) -> list[Row]:
        connection = sqlite3.connect(self.file)
        rows = connection.execute("SELECT id, name, amount, day FROM o").fetchall()
        connection.close()
        return [
            Row(
                id=number,
                name=name,
                amount=None if amount is None else Decimal(amount),
                day=None if day is None else date.fromisoformat(day),
            )
            for number, name, amount, day in rows
        ]

    def cut(self) -> None:
        self._holder = sqlite3.connect(self.file, isolation_level=None)
        self._holder.execute("BEGIN EXCLUSIVE")

    def restore(self) -> None:
        self._holder.close()


class PostgresqlStage:
    """A table `t` with the time of each change, in a database of its own; used from synchronous tests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._run(
            "CREATE TABLE t (id bigint PRIMARY KEY, name text, amount numeric, day date,"
            " changed timestamptz NOT NULL DEFAULT clock_timestamp())"
        )

    def _run(self, statement: str, rows: Sequence[Sequence[Any]] | None = None, *, url: str = "") -> None:
        async def run() -> None:
            connection = await asyncpg.connect(url or self.url)
            if rows is None:
                await connection.execute(statement)
            else:
                await connection.executemany(statement, rows)
            await connection.close()

        asyncio.run(run())

    def reset(self) -> None:
        self._run("DELETE FROM t")

    def put(self, rows: Sequence[Row]) -> None:
        self._run(
            "INSERT INTO t (id, name, amount, day) VALUES ($1, $2, $3, $4::text::date)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
            " amount = excluded.amount, day = excluded.day, changed = clock_timestamp()",
            [(row.id, row.name, row.amount, row.day and row.day.isoformat()) for row in rows],
        )

    def remove(self, ids: Sequence[int]) -> None:
        self._run("DELETE FROM t WHERE id = $1", [(number,) for number in ids])

    def _admin(self, statement: str) -> None:
        name = self.url.split("/")[3].split("?")[0]
        admin = self.url.replace(f"/{name}?", "/postgres?", 1)
        self._run(statement.format(name=name), url=admin)

    def cut(self) -> None:
        self._admin('ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        self._admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def restore(self) -> None:
        self._admin('ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
