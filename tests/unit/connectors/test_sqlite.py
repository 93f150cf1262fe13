"""The SQLite source and sink."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import TerminalError, TransientError
from connectors.cursors import read_values, write_values
from connectors.model import Cursor, Operation, Parcel
from connectors.sinks.sqlite import SqliteSink, SqliteSinkOptions
from connectors.sources.sqlite import SqliteOptions, SqliteSource

ROWS = [(n, f"第{n}行", f"2026-01-{1 + n // 10:02}") for n in range(95)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, changed TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", ROWS)
    connection.close()
    return path


def source(file: Path, **options: Any) -> SqliteSource:
    given = {"file": file, "table": "t", "key": ["id"], "watermark": "changed", "batch_rows": 7} | options
    return SqliteSource(SqliteOptions.model_validate(given))


def read_ids(source: SqliteSource, cursor: Cursor | None) -> tuple[list[int], Cursor | None]:
    ids: list[int] = []
    for batch in source.read(cursor):
        ids += batch.rows.column("id").to_pylist()
        cursor = batch.cursor
    source.close()
    return ids, cursor


def test_watermark_read_goes_on_from_every_cursor_without_loss_or_repeat(file: Path) -> None:
    first = source(file)
    cursors = [json.loads(json.dumps(batch.cursor)) for batch in first.read(None)]
    first.close()
    assert len(cursors) == 14
    for number, cursor in enumerate(cursors, start=1):
        assert read_ids(source(file), cursor)[0] == [row[0] for row in ROWS[number * 7 :]]


def test_changed_row_is_read_again_and_nothing_else(file: Path) -> None:
    _, cursor = read_ids(source(file), None)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE t SET changed = '2026-02-01' WHERE id = 3")
    connection.close()
    assert read_ids(source(file), cursor)[0] == [3]


@pytest.mark.parametrize(
    "where",
    [
        {"table": "v"},
        {"table": "u"},
        {"table": None, "query": "SELECT id, coalesce(changed, made) AS changed FROM counted"},
    ],
    ids=["view", "column without a type", "query"],
)
@pytest.mark.parametrize("is_old", [False, True], ids=["cursor as written", "cursor of texts"])
def test_numbers_without_a_declared_type_are_read_on_by(
    tmp_path: Path, where: dict[str, Any], is_old: bool
) -> None:
    file = tmp_path / "a.db"
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("CREATE TABLE counted (id TEXT PRIMARY KEY, made INTEGER, changed INTEGER)")
        connection.executemany(
            "INSERT INTO counted VALUES (?, ?, NULL)", [(f"K{n}", 1000 + n) for n in range(9)]
        )
        connection.execute("CREATE VIEW v AS SELECT id, coalesce(changed, made) AS changed FROM counted")
        connection.execute("CREATE TABLE u AS SELECT * FROM v")
    ids, cursor = read_ids(source(file, **where), None)
    assert len(ids) == 9
    if is_old:
        cursor = {"after": write_values(map(str, read_values((cursor or {})["after"])))}
    with connection:
        connection.execute("INSERT INTO counted VALUES ('K9', 2000, NULL)")
        connection.execute("UPDATE counted SET changed = 2001 WHERE id = 'K3'")
        connection.execute("INSERT INTO u VALUES ('K9', 2000)")
        connection.execute("UPDATE u SET changed = 2001 WHERE id = 'K3'")
    connection.close()
    assert read_ids(source(file, **where), cursor)[0] == ["K9", "K3"]


def test_row_without_watermark_stops_the_read_instead_of_being_passed_by(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE t SET changed = NULL WHERE id IN (3, 4)")
    connection.close()
    with pytest.raises(TerminalError, match="2 rows have no value in the watermark changed"):
        list(source(file).read(None))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "nothing"}, "no such table"),
        ({"key": ["nothing"]}, "no such column|no column nothing"),
        ({"table": None, "query": "SELECT name AS id, id AS changed FROM t WHERE"}, "syntax|incomplete"),
    ],
)
def test_wrong_options_end_in_a_sentence(file: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(TerminalError, match=said):
        list(source(file, **options).read(None))


def test_text_in_a_number_column_is_named_without_its_content(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE u (id INTEGER, n INTEGER)")
        connection.execute("INSERT INTO u VALUES (1, '秘密')")
    connection.close()
    with pytest.raises(TerminalError, match="column n holds") as wrong:
        list(source(file, table="u", watermark=None).read(None))
    assert "秘密" not in str(wrong.value)


def test_cursor_of_another_source_is_refused(file: Path) -> None:
    for cursor in (
        {"after": [["integer", "1"]]},
        {"after": "x"},
        {},
        {"after": [["day", "x"], ["text", "1"]]},
    ):
        with pytest.raises(TerminalError, match="none of this source"):
            list(source(file).read(cursor))


@given(
    st.lists(
        st.one_of(
            st.integers(),
            st.text(),
            st.floats(allow_nan=False),
            st.decimals(allow_nan=False, allow_infinity=False),
            st.dates(),
            st.datetimes(),
            st.datetimes(timezones=st.just(UTC)),
            st.binary(),
            st.booleans(),
        )
    )
)
def test_values_in_cursors_survive_json(values: list[Any]) -> None:
    again = read_values(json.loads(json.dumps(write_values(values))))
    assert again == values
    assert [type(value) for value in again] == [type(value) for value in values]


def parcel(folder: Path, number: int, operation: Operation, rows: list[dict[str, Any]]) -> Parcel:
    path = folder / f"{number}.arrow"
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return Parcel(
        connector="c",
        number=number,
        key=f"c-{number}",
        operation=operation,
        path=path,
        rows=table.num_rows,
        size_bytes=path.stat().st_size,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def held(file: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT * FROM o ORDER BY 1").fetchall()
    connection.close()
    return found


def test_sink_merges_deletes_replaces_and_answers_a_repeat_as_the_first_time(tmp_path: Path) -> None:
    sink = SqliteSink(SqliteSinkOptions(file=tmp_path / "o.db", table="o", key=("id",)))
    day = date(2026, 1, 2)
    one = {"id": 1, "n": Decimal("1.50"), "d": day, "t": datetime(2026, 1, 2, tzinfo=UTC)}
    first = parcel(tmp_path, 1, Operation.UPSERT, [one, one | {"id": 2}])
    assert sink.write(first).accepted == 2
    change = parcel(tmp_path, 2, Operation.UPSERT, [one | {"n": Decimal("2.00"), "new": "加"}])
    sink.write(change)
    sink.write(parcel(tmp_path, 3, Operation.DELETE, [{"id": 2}]))
    assert sink.write(first) == sink.write(first)
    assert held(tmp_path / "o.db") == [(1, "2.00", "2026-01-02", "2026-01-02T00:00:00+00:00", "加")]
    sink.write(parcel(tmp_path, 4, Operation.SNAPSHOT, [one | {"id": 9}]))
    assert [row[0] for row in held(tmp_path / "o.db")] == [9]


def test_sink_on_a_locked_file_says_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sinks.sqlite.BUSY_S", 0.05)
    sink = SqliteSink(SqliteSinkOptions(file=tmp_path / "o.db", table="o", key=("id",)))
    holder = sqlite3.connect(tmp_path / "o.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError):
        sink.write(parcel(tmp_path, 1, Operation.UPSERT, [{"id": 1}]))
    holder.close()
