"""PostgreSQL's log as a source, on a server of its own with wal_level = logical."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from connectors import TerminalError, TransientError
from connectors.config import load_config
from connectors.kit import assess_source
from connectors.model import Batch, Cursor, Operation
from connectors.runner.runner import Runner
from connectors.sources.replication.pgoutput import decode
from connectors.sources.replication.source import ReplicationOptions, ReplicationSource
from core.database.embedded import start_embedded
from tests.connector_stages import PostgresqlStage
from tests.integration.connectors.test_kit_built_in import require_passed


def run(url: str, *statements: str) -> list[Any]:
    async def work() -> list[Any]:
        connection = await asyncpg.connect(url)
        found: list[Any] = []
        for statement in statements:
            found = await connection.fetch(statement)
        await connection.close()
        return [tuple(row) for row in found]

    return asyncio.run(work())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        started = start_embedded(Path(folder) / "pg")
        run(started.url, "ALTER SYSTEM SET wal_level = logical", "ALTER SYSTEM SET fsync = off")
        started.stop()
        started = start_embedded(Path(folder) / "pg")
        run(started.url, "CREATE DATABASE log")
        yield started.url.replace("/postgres?", "/log?", 1)
        started.stop()


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    slots = run(server, "SELECT slot_name FROM pg_replication_slots")
    for (slot,) in slots:
        run(server, f"SELECT pg_drop_replication_slot('{slot}')")
    run(server, "DROP PUBLICATION IF EXISTS shuzheng", "DROP TABLE IF EXISTS t, other")
    run(server, "CREATE TABLE t (id int PRIMARY KEY, name text, n numeric(20,4), d date, at timestamptz,"
        " ok boolean, raw bytea, f float8, big text, c char(4))")  # fmt: skip
    return server


def source(url: str, **more: Any) -> ReplicationSource:
    given = {"url": url, "table": "t", "key": ["id"], "slot": "s1", "batch_rows": 7}
    return ReplicationSource(ReplicationOptions.model_validate(given | more))


def read(url: str, cursor: Cursor | None = None, **more: Any) -> tuple[list[Batch], Cursor]:
    reader = source(url, **more)
    try:
        batches = list(reader.read(cursor))
    finally:
        reader.close()
    for batch in batches:
        cursor = batch.cursor or cursor
    return batches, json.loads(json.dumps(cursor))


def apply(state: dict[int, Any], batches: list[Batch]) -> dict[int, Any]:
    for batch in batches:
        for row in batch.rows.to_pylist():
            if batch.operation is Operation.DELETE:
                state.pop(row["id"])
            else:
                state[row["id"]] = row
    return state


def count(batches: list[Batch]) -> int:
    return sum(batch.rows.num_rows for batch in batches)


def test_copy_and_log_have_one_schema_and_exact_values(url: str) -> None:
    values = "'第一\n\\', 1.5000, '0044-03-15', '2026-01-02 03:04:05.6+08', true, '\\x00ff', 0.1, NULL, 'ab'"
    run(url, f"INSERT INTO t VALUES (1, {values})")
    copied, cursor = read(url)
    run(url, f"INSERT INTO t VALUES (2, {values})")
    logged, _ = read(url, cursor)
    reader = source(url)
    assert copied[0].rows.schema == logged[0].rows.schema == reader.fetch_schema()
    reader.close()
    first, second = copied[0].rows.to_pylist()[0], logged[0].rows.to_pylist()[0]
    assert first | {"id": 2} == second
    assert first == {
        "id": 1,
        "name": "第一\n\\",
        "n": "1.5000",
        "d": date(44, 3, 15),
        "at": datetime(2026, 1, 1, 19, 4, 5, 600000, UTC),
        "ok": True,
        "raw": b"\x00\xff",
        "f": 0.1,
        "big": None,
        "c": "ab  ",
    }


def test_every_cursor_goes_on_without_loss_or_repeat_in_the_middle_of_transactions_too(url: str) -> None:
    _, cursor = read(url)
    for start in range(0, 60, 20):
        run(url, f"INSERT INTO t (id) SELECT generate_series({start}, {start + 19})")
    run(url, "DELETE FROM t WHERE id % 9 = 0")
    batches, _ = read(url, cursor)
    assert count(batches) == 67
    for place, batch in enumerate(batches):
        if batch.cursor is None:
            continue
        rest, _ = read(url, json.loads(json.dumps(batch.cursor)))
        assert [b.rows.to_pylist() for b in rest if b.rows.num_rows] != [] or place == len(batches) - 1
        wanted = [row for b in batches[place + 1 :] for row in b.rows.to_pylist()]
        assert [row for b in rest for row in b.rows.to_pylist()] == wanted


def test_rows_written_while_the_table_is_copied_come_once(url: str) -> None:
    run(url, "INSERT INTO t (id) SELECT generate_series(1, 50)")
    reader = source(url)
    reading = reader.read(None)
    batches = [next(reading)]
    run(
        url,
        "INSERT INTO t (id) VALUES (51)",
        "UPDATE t SET name = 'x' WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
    )
    batches += list(reading)
    reader.close()
    assert count(batches) == 50
    rest, _ = read(url, batches[-1].cursor)
    assert count(rest) == 3
    state = apply({}, batches + rest)
    assert sorted(state) == [1, *range(3, 52)]
    assert state[1]["name"] == "x"


def test_acknowledged_log_is_forgotten_and_the_rest_comes_again(url: str) -> None:
    _, cursor = read(url)
    run(url, "INSERT INTO t (id) VALUES (1)")
    batches, after = read(url, cursor)
    again, _ = read(url, cursor)
    assert count(batches) == count(again) == 1
    reader = source(url)
    reader.acknowledge(after)
    reader.acknowledge(after)
    reader.acknowledge(cursor)
    reader.close()
    assert count(read(url, cursor)[0]) == 0
    assert count(read(url, after)[0]) == 0


def test_changed_key_and_untouched_large_values_make_whole_rows(url: str) -> None:
    big = "md5(random()::text)"
    run(url, "ALTER TABLE t ALTER big SET STORAGE EXTERNAL")
    run(url, f"INSERT INTO t (id, big) SELECT n, (SELECT string_agg({big}, '') FROM generate_series(1, 300))"
        " FROM generate_series(1, 4) n")  # fmt: skip
    copied, cursor = read(url)
    run(url, "UPDATE t SET name = 'x' WHERE id = 1", "UPDATE t SET id = 9 WHERE id = 2")
    run(url, "UPDATE t SET name = 'y' WHERE id = 3", "DELETE FROM t WHERE id = 3")
    logged, after = read(url, cursor)
    run(url, "ALTER TABLE t REPLICA IDENTITY FULL", "UPDATE t SET name = 'z' WHERE id = 4")
    full, _ = read(url, after)
    state = apply(apply({}, copied), logged + full)
    assert [(row["id"], row["name"], row["big"]) for _, row in sorted(state.items())] == run(
        url, "SELECT id, name, big FROM t ORDER BY id"
    )


def test_random_transactions_leave_the_same_rows_however_often_reading_breaks_off(url: str) -> None:
    chance = random.Random(7)
    copied, cursor = read(url)
    state = apply({}, copied)
    for _ in range(8):
        statements = []
        for _ in range(chance.randrange(1, 25)):
            number = chance.randrange(30)
            statements.append(
                chance.choice(
                    (
                        f"INSERT INTO t (id, name) VALUES ({number}, 'a') ON CONFLICT DO NOTHING",
                        f"UPDATE t SET name = name || 'b' WHERE id = {number}",
                        f"DELETE FROM t WHERE id = {number}",
                        (
                            f"UPDATE t SET id = id + 100 WHERE id = {number}"
                            f" AND NOT EXISTS (SELECT FROM t WHERE id = {number + 100})"
                        ),
                    )
                )
            )
        run(url, "BEGIN", *statements, chance.choice(("COMMIT", "COMMIT", "ROLLBACK")))
        reader = source(url, batch_rows=chance.randrange(1, 9))
        held: list[Batch] = []
        for batch in reader.read(cursor):
            held.append(batch)
            if batch.cursor is not None:
                state, cursor, held = apply(state, held), batch.cursor, []
                if chance.random() < 0.3:
                    break
        reader.close()
    state = apply(state, read(url, cursor)[0])
    assert sorted((row["id"], row["name"]) for row in state.values()) == run(
        url, "SELECT id, name FROM t ORDER BY id"
    )


def test_what_would_lose_changes_in_silence_stops_with_a_sentence(url: str) -> None:
    _, cursor = read(url)
    with pytest.raises(TerminalError, match="none of this source"):
        read(url, {"after": 1})
    run(url, "CREATE TABLE other (id int PRIMARY KEY)")
    with pytest.raises(TerminalError, match="does not publish"):
        read(url, cursor, table="other")
    with pytest.raises(TerminalError, match="no column none"):
        read(url, cursor, key=["none"])
    with pytest.raises(TerminalError, match="there is no table"):
        read(url, cursor, table="nothing")
    run(url, "TRUNCATE t")
    with pytest.raises(TerminalError, match="TRUNCATE"):
        read(url, cursor)
    _, cursor = read(url)
    run(url, "INSERT INTO t (id) VALUES (1)", "ALTER TABLE t ADD more int")
    with pytest.raises(TerminalError, match="columns of the table were changed"):
        read(url, cursor)
    run(url, "SELECT pg_drop_replication_slot('s1')")
    with pytest.raises(TerminalError, match="is gone"):
        read(url, cursor)


def test_slot_in_use_and_absent_server_are_waited_for(url: str) -> None:
    with pytest.raises(TransientError):
        read("postgresql://u:secret@127.0.0.1:9/x")


def test_idle_table_does_not_hold_the_log_of_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.replication.source.SEGMENT_BYTES", 1000)
    _, cursor = read(url)
    run(url, "CREATE TABLE other (id int PRIMARY KEY, v text)")
    run(url, "INSERT INTO other SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n")
    batches, after = read(url, cursor)
    assert (count(batches), len(batches)) == (0, 1)
    reader = source(url)
    reader.acknowledge(after)
    reader.close()
    assert run(
        url, "SELECT pg_current_wal_lsn() - confirmed_flush_lsn < 100000 FROM pg_replication_slots"
    ) == [(True,)]
    run(url, "INSERT INTO t (id) VALUES (1)")
    assert count(read(url, after)[0]) == 1


def test_runs_without_rows_let_the_log_of_others_go(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sources.replication.source.SEGMENT_BYTES", 1000)
    config = tmp_path / "c.toml"
    config.write_text(
        f"""
name = "c"
[source]
kind = "postgresql-log"
url = "{url}"
table = "t"
key = ["id"]
slot = "s1"
[sink]
kind = "sqlite"
file = "o.db"
table = "o"
key = ["id"]
""",
        encoding="utf-8",
    )
    run(url, "CREATE TABLE other (id int, v text)", "INSERT INTO t (id) VALUES (1)")
    for _ in range(3):
        run(url, "INSERT INTO other SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n")
        Runner(load_config(config), report=lambda _event, _fields: None).run_once()
    held = "SELECT pg_current_wal_lsn() - confirmed_flush_lsn < 100000 FROM pg_replication_slots"
    assert run(url, held) == [(True,)]


def test_source_passes_the_conformance_kit(url: str) -> None:
    run(url, "DROP TABLE t")
    findings = assess_source(lambda: source(url, batch_rows=100), PostgresqlStage(url))
    require_passed(findings, skipped={"key-unique", "reading-honest"})


@pytest.mark.parametrize("data", [b"", b"X", b"B\0", b"I\0\0\0\1N\0\t", b"R\0\0\0\1abc"])
def test_message_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(TerminalError, match="pgoutput"):
        decode(data)
