"""Tables of PostgreSQL as sinks, and by the drivers of ADBC and SQLAlchemy as sources."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from connectors import ConfigurationError, TerminalError, TransientError
from connectors.sinks.postgresql import PostgresqlSink, PostgresqlSinkOptions
from connectors.sinks.sqlalchemy import SqlalchemySink, SqlalchemySinkOptions
from connectors.sources.adbc import AdbcOptions, AdbcSource
from connectors.sources.sqlalchemy import SqlalchemyOptions, SqlalchemySource
from tests.parcels import build_parcel
from tests.sink_behaviours import check_failed_parcel_leaves_nothing, check_table_sink

Run = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
async def run(database_url: str) -> Callable[[str], Awaitable[list[tuple[Any, ...]]]]:
    async def run(statement: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(database_url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return run


async def in_thread(work: Callable[[Run], None], run: Any) -> None:
    """Do the work of a sink, which waits, beside the loop that the test's own statements run on."""
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(
        work, lambda statement: asyncio.run_coroutine_threadsafe(run(statement), loop).result()
    )


def sink(database_url: str) -> PostgresqlSink:
    return PostgresqlSink(
        PostgresqlSinkOptions.model_validate({"url": database_url, "table": "t", "key": ["id"]})
    )


async def test_postgresql_sink_keeps_the_table_as_the_rows_say(
    database_url: str, run: Any, tmp_path: Path
) -> None:
    def work(run: Run) -> None:
        check_table_sink(
            lambda: sink(database_url), lambda columns: run(f"SELECT {columns} FROM t ORDER BY id"), tmp_path
        )

    await in_thread(work, run)
    types = await run("SELECT pg_typeof(n)::text, pg_typeof(d)::text, pg_typeof(t)::text, raw FROM t")
    assert types == [("numeric", "date", "timestamp with time zone", b"\x00\xff")]


async def test_postgresql_sink_writes_a_parcel_whole_or_not_at_all(
    database_url: str, run: Any, tmp_path: Path
) -> None:
    await run("CREATE TABLE t (id text PRIMARY KEY, n numeric(5,2))")

    def work(run: Run) -> None:
        check_failed_parcel_leaves_nothing(
            lambda: sink(database_url), lambda columns: run(f"SELECT {columns} FROM t"), tmp_path
        )

    await in_thread(work, run)


async def test_postgresql_sink_casts_text_to_the_columns_of_a_table_that_is_there(
    database_url: str, run: Any, tmp_path: Path
) -> None:
    await run("CREATE TABLE t (id int PRIMARY KEY, d date, s varchar(2))")
    rows = [{"id": "7", "d": "2026-01-02", "s": "ab"}]
    await asyncio.to_thread(sink(database_url).write, build_parcel(tmp_path, 1, rows))
    assert [(row[0], str(row[1]), row[2]) for row in await run("SELECT * FROM t")] == [
        (7, "2026-01-02", "ab")
    ]
    with pytest.raises(TerminalError, match="22001"):
        await asyncio.to_thread(sink(database_url).write, build_parcel(tmp_path, 2, [rows[0] | {"s": "abc"}]))


async def test_postgresql_sink_without_server_waits() -> None:
    options = PostgresqlSinkOptions.model_validate(
        {"url": "postgresql://u:secret@127.0.0.1:9/x", "table": "t", "key": ["id"]}
    )
    parcel = build_parcel(Path("/tmp"), 1, [{"id": 1}])
    with pytest.raises(TransientError) as away:
        PostgresqlSink(options).write(parcel)
    assert "secret" not in str(away.value)


async def test_adbc_source_goes_on_from_every_cursor(database_url: str, run: Any) -> None:
    await run(
        "CREATE TABLE s AS SELECT n AS id, 'v' || n AS v, n / 10 AS changed FROM generate_series(0, 49) n"
    )

    def source() -> AdbcSource:
        given = {"driver": "adbc_driver_postgresql", "url": database_url, "parameters": "numeric"}
        table = {"table": "s", "key": ["id"], "watermark": "changed", "batch_rows": 7}
        return AdbcSource(AdbcOptions.model_validate(given | table))

    first = source()
    batches = list(first.read(None))
    first.close()
    assert [batch.rows.num_rows for batch in batches] == [7] * 7 + [1]
    for number, batch in enumerate(batches, start=1):
        reader = source()
        found = [
            value
            for rest in reader.read(json.loads(json.dumps(batch.cursor)))
            for value in rest.rows.column("id").to_pylist()
        ]
        reader.close()
        assert found == list(range(number * 7, 50))


def test_adbc_source_names_a_driver_that_is_not_installed() -> None:
    options = AdbcOptions.model_validate({"driver": "adbc_driver_none", "url": "x", "table": "t"})
    with pytest.raises(ConfigurationError, match="adbc_driver_none"):
        AdbcSource(options)


def test_sqlalchemy_reads_and_writes_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    options = SqlalchemySinkOptions.model_validate({"url": url, "table": "t", "key": ["id"]})

    def read(columns: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM t ORDER BY id"
        reader = SqlalchemySource(SqlalchemyOptions.model_validate({"url": url, "table": "t", "key": ["id"]}))
        with sqlite3.connect(tmp_path / "a.db") as connection:
            count = len(connection.execute(query).fetchall())
        connection.close()
        rows = [row for batch in reader.read(None) for row in batch.rows.to_pylist()]
        reader.close()
        assert count == len(rows)
        for row in rows:
            row["n"] = Decimal(row["n"])  # SQLite keeps exact numbers as text
        return [tuple(row[name] for name in columns.split(", ")) for row in rows]

    check_table_sink(lambda: SqlalchemySink(options), read, tmp_path)
    query = {"url": url, "query": "SELECT id AS \"a:b\", big, '::' AS c, f FROM t", "key": ["a:b"]}
    reader = SqlalchemySource(SqlalchemyOptions.model_validate(query))
    assert [str(kind) for kind in reader.fetch_schema().types] == ["string", "int64", "string", "double"]
    assert [b.rows.column("c").to_pylist() for b in reader.read(None)] == [["::"]]
    with pytest.raises(TerminalError):
        list(
            SqlalchemySource(SqlalchemyOptions.model_validate({"url": url, "query": "SELECT x FROM y"})).read(
                None
            )
        )
    with pytest.raises(TerminalError, match="no table none"):
        SqlalchemySource(SqlalchemyOptions.model_validate({"url": url, "table": "none"})).fetch_schema()


def test_sqlalchemy_names_a_dialect_that_is_not_installed() -> None:
    with pytest.raises(ConfigurationError, match="url"):
        SqlalchemySink(
            SqlalchemySinkOptions.model_validate({"url": "nothing://u:p@h/d", "table": "t", "key": ["id"]})
        )
