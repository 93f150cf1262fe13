"""The PostgreSQL source against a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

import asyncpg
import pytest

from connectors import TerminalError, TransientError
from connectors.model import Cursor
from connectors.sources.postgresql import PostgresqlOptions, PostgresqlSource

TABLE = """
CREATE SCHEMA s;
CREATE TABLE s."T'x" (
    id numeric(10,2), code text, changed timestamptz, day date, n integer, amount numeric(24,6), yes boolean,
    j jsonb, u uuid, raw bytea, fixed char(3), list int[], span interval, kind "char", f float8,
    PRIMARY KEY (id, code))
"""
INSERT = """
INSERT INTO s."T'x" SELECT g / 10, 'k''' || g, timestamptz '2026-01-01' + interval '1 hour' * (g / 7),
    '2026-01-02', g, g * 1.5, true, '{"a": 1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff', 'ab',
    '{1,2}', '1 day', 'x', 0.1 FROM generate_series(1, 500) g
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[tuple[asyncpg.Connection[Any], str]]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLE)
    await connection.execute(INSERT)
    yield connection, database_url
    await connection.close()


def source(url: str, **options: Any) -> PostgresqlSource:
    given = {"url": url, "table": "s.T'x", "key": ["id", "code"], "watermark": "changed", "batch_rows": 60}
    return PostgresqlSource(PostgresqlOptions.model_validate(given | options))


def read(url: str, cursor: Cursor | None = None, **options: Any) -> tuple[list[int], Cursor | None]:
    found, numbers = source(url, **options), []
    try:
        for batch in found.read(cursor):
            numbers += batch.rows.column("n").to_pylist()
            cursor = batch.cursor
    finally:
        found.close()
    return numbers, cursor


async def test_every_cursor_goes_on_without_loss_or_repeat(database: tuple[Any, str]) -> None:
    _, url = database
    opened = source(url)
    cursors, numbers, schema = [], [], opened.fetch_schema()
    for batch in opened.read(None):
        assert batch.rows.schema == schema
        cursors.append(json.loads(json.dumps(batch.cursor)))
        numbers.append(batch.rows.column("n").to_pylist())
    opened.close()
    assert sorted(chain(*numbers)) == list(range(1, 501))
    for place, cursor in enumerate(cursors, start=1):
        assert read(url, cursor)[0] == list(chain(*numbers[place:]))


async def test_values_come_as_they_are(database: tuple[Any, str]) -> None:
    opened = source(database[1], watermark=None, table=None, query='SELECT * FROM s."T\'x" WHERE n = 7;')
    row = next(iter(opened.read(None))).rows.to_pylist()[0]
    opened.close()
    assert row == {
        "id": "0.00",
        "code": "k'7",
        "changed": datetime(2026, 1, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "n": 7,
        "amount": "10.500000",
        "yes": True,
        "j": '{"a": 1}',
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "raw": b"\x00\xff",
        "fixed": "ab ",
        "list": "{1,2}",
        "span": "1 day",
        "kind": "x",
        "f": 0.1,
    }
    assert Decimal(row["amount"]) == Decimal("10.5")


async def test_infinite_days_become_the_ends_of_the_calendar(database: tuple[Any, str]) -> None:
    await database[0].execute("""UPDATE s."T'x" SET day = 'infinity' WHERE n = 1""")
    await database[0].execute("""UPDATE s."T'x" SET day = '-infinity' WHERE n = 2""")
    opened = source(database[1], watermark=None)
    rows = {row["n"]: row["day"] for batch in opened.read(None) for row in batch.rows.to_pylist()}
    opened.close()
    assert (rows[1], rows[2], rows[3]) == (date.max, date.min, date(2026, 1, 2))


async def test_transaction_that_commits_late_is_not_passed_by(database: tuple[Any, str]) -> None:
    connection, url = database
    _, cursor = read(url)
    late = await asyncpg.connect(url)
    open_one = late.transaction()
    await open_one.start()
    await late.execute("""UPDATE s."T'x" SET changed = now() WHERE n = 3""")
    await connection.execute("SELECT pg_sleep(0.05)")
    await connection.execute("""UPDATE s."T'x" SET changed = now() WHERE n = 4""")
    between, cursor = read(url, cursor, settle_s=0.01)
    await open_one.commit()
    await late.close()
    after, _ = read(url, cursor, settle_s=0.01)
    assert (between, after) == ([], [3, 4])


async def test_row_younger_than_settling_and_the_day_of_today_wait(database: tuple[Any, str]) -> None:
    connection, url = database
    _, cursor = read(url)
    await connection.execute("""UPDATE s."T'x" SET changed = now(), day = current_date WHERE n = 3""")
    assert read(url, cursor)[0] == []
    assert read(url, cursor, settle_s=0)[0] == [3]
    assert 3 not in read(url, watermark="day")[0]
    assert 3 in read(url, watermark="day", settle_s=0)[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "s.nothing"}, 'PostgreSQL says 42P01: relation "s.nothing" does not exist'),
        ({"key": ["nothing"]}, "there is no column nothing|column q.nothing does not exist"),
        ({"table": None, "query": "SELECT 1 AS id, 2 AS id, 3 AS code, 4 AS changed"}, "ambiguous|one name"),
        ({"table": None, "query": "SELEC 1"}, "PostgreSQL says 42601"),
    ],
)
async def test_wrong_options_end_in_a_sentence(
    database: tuple[Any, str], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(TerminalError, match=said):
        read(database[1], **options)


async def test_fault_in_the_middle_tells_no_value(database: tuple[Any, str]) -> None:
    query = """SELECT *, code::integer AS x FROM s."T'x" """
    with pytest.raises(TerminalError, match="gave up at a row") as wrong:
        read(database[1], table=None, query=query)
    assert "k'" not in str(wrong.value)


async def test_rows_without_watermark_stop_the_read(database: tuple[Any, str]) -> None:
    await database[0].execute("""UPDATE s."T'x" SET changed = NULL WHERE n < 4""")
    with pytest.raises(TerminalError, match="3 rows have no value in the watermark"):
        read(database[1])


async def test_connection_that_is_cut_or_refused_is_transient(database: tuple[Any, str]) -> None:
    connection, url = database
    opened = source(url)
    opened.fetch_schema()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    with pytest.raises(TransientError):
        list(opened.read(None))
    opened.close()
    with pytest.raises(TransientError) as refused:
        read("postgresql://u:open-sesame@127.0.0.1:9/none")
    assert "open-sesame" not in str(refused.value)
    assert "open-sesame" not in repr(source("postgresql://u:open-sesame@127.0.0.1:9/none")._options)


async def test_source_cannot_write(database: tuple[Any, str]) -> None:
    with pytest.raises(TerminalError):
        read(
            database[1],
            table=None,
            query="""WITH gone AS (DELETE FROM s."T'x" RETURNING *) SELECT * FROM gone""",
        )
    assert await database[0].fetchval("""SELECT count(*) FROM s."T'x" """) == 500
