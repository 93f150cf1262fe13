"""A real MariaDB as source and sink, by its own driver and by SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors import TerminalError, TransientError
from connectors.kit import assess_sink, assess_source
from connectors.sinks.mysql import MysqlSink, MysqlSinkOptions
from connectors.sinks.sqlalchemy import SqlalchemySink, SqlalchemySinkOptions
from connectors.sources.mysql import MysqlOptions, MysqlSource
from connectors.sources.sqlalchemy import SqlalchemyOptions, SqlalchemySource
from tests.built_in_stages import TableStage
from tests.cutting_proxy import running_proxy
from tests.integration.connectors.test_kit_built_in import require_passed
from tests.interop.mariadb_server import PASSWORD, MariaDb, running_mariadb
from tests.sink_behaviours import check_failed_parcel_leaves_nothing, check_table_sink

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with running_mariadb(tmp_path_factory.mktemp("maria")) as running:
        yield running


@pytest.fixture
def mariadb(server: MariaDb) -> MariaDb:
    found = run(server, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'copy'")
    for (table,) in found:
        run(server, f"DROP TABLE `{table}`")
    return server


def run(server: MariaDb, *statements: str) -> list[tuple[Any, ...]]:
    connection = server.connect()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        found = list(cursor.fetchall())
    connection.close()
    return found


def address(server: MariaDb) -> dict[str, Any]:
    return {"port": server.port, "database": "copy", "user": "hub", "password": PASSWORD, "tls": "disable"}


def url(port: int) -> str:
    return f"mysql+pymysql://hub:{PASSWORD}@127.0.0.1:{port}/copy?charset=utf8mb4"


def fill(server: MariaDb, count: int = 50) -> None:
    run(
        server,
        "CREATE TABLE `源%s` (id int PRIMARY KEY, name varchar(20), u bigint unsigned, n decimal(20,4),"
        " d date, t datetime(6), raw varbinary(9), note text, j json, span time,"
        " changed timestamp(6) NULL) CHARSET utf8mb4",
        *(
            f"INSERT INTO `源%s` VALUES ({n}, '第{n}%', 18446744073709551615, {n}.25, '2026-01-02',"
            f" '2026-01-02 03:04:05.6', x'00ff', 'a', '{{}}', '01:02:03', '2026-01-01 00:00:{n // 10:02}')"
            for n in range(count)
        ),
    )


def source(server: MariaDb, **more: Any) -> MysqlSource:
    options = {"table": "源%s", "key": ["id"], "watermark": "changed", "batch_rows": 7}
    return MysqlSource(MysqlOptions.model_validate(address(server) | options | more))


def reading(server: MariaDb) -> Callable[[str], list[tuple[Any, ...]]]:
    return lambda columns: run(server, f"SELECT {columns} FROM t ORDER BY id")


def ids(source: Any, cursor: Any = None) -> list[int]:
    found = [value for batch in source.read(cursor) for value in batch.rows.column("id").to_pylist()]
    source.close()
    return found


def test_source_reads_types_and_goes_on_from_every_cursor(mariadb: MariaDb) -> None:
    fill(mariadb)
    reader = source(mariadb)
    batches = list(reader.read(None))
    assert batches[0].rows.schema == reader.fetch_schema()
    reader.close()
    row = batches[0].rows.slice(1, 1).to_pylist()[0]
    assert {name: str(row[name]) for name in ("name", "u", "n", "d", "t", "raw", "note", "j", "span")} == {
        "name": "第1%",
        "u": "18446744073709551615",
        "n": "1.2500",
        "d": "2026-01-02",
        "t": "2026-01-02 03:04:05.600000",
        "raw": "b'\\x00\\xff'",
        "note": "a",
        "j": "{}",
        "span": "01:02:03",
    }
    for number, batch in enumerate(batches, start=1):
        assert ids(source(mariadb), json.loads(json.dumps(batch.cursor))) == list(range(number * 7, 50))


def test_source_stops_in_the_middle_and_leaves_young_rows_for_later(mariadb: MariaDb) -> None:
    fill(mariadb)
    reader = source(mariadb)
    rows = reader.read(None)
    next(rows)
    rows.close()
    reader.close()
    run(mariadb, "UPDATE `源%s` SET changed = now(6) WHERE id = 3")
    assert 3 not in ids(source(mariadb, settle_s=60))
    assert ids(source(mariadb, settle_s=0))[-1] == 3


def test_rows_not_older_than_a_transaction_that_writes_are_left_for_later(mariadb: MariaDb) -> None:
    fill(mariadb)
    zone = "+05:00"  # the server tells the start of transactions in another
    late = mariadb.connect()
    late.begin()
    with late.cursor() as cursor:
        cursor.execute("UPDATE `源%s` SET name = '迟', changed = now(6) WHERE id = 7")
        cursor.execute("SELECT sleep(1.1)")
    run(mariadb, "UPDATE `源%s` SET changed = now(6) WHERE id = 3", "SELECT sleep(1.1)")
    reader = source(mariadb, settle_s=1, time_zone=zone)
    batches = list(reader.read(None))
    reader.close()
    # Row 7 is written and not committed: row 3, which is younger, must not be passed on before it.
    assert 3 not in [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    late.commit()
    late.close()
    run(mariadb, "SELECT sleep(1.1)")
    assert ids(source(mariadb, settle_s=1, time_zone=zone), batches[-1].cursor) == [7, 3]


def test_role_that_may_not_see_transactions_reads_by_settle_s_alone(mariadb: MariaDb) -> None:
    fill(mariadb)
    assert ids(source(mariadb, user="plain")) == list(range(50))


def test_source_of_a_query_with_percent_and_quotes(mariadb: MariaDb) -> None:
    fill(mariadb)
    query = "SELECT id, name, changed FROM `源%s` WHERE name LIKE '第%' AND id % 2 = 0;"
    reader = source(mariadb, table=None, query=query)
    cursor = next(reader.read(None)).cursor
    reader.close()
    assert ids(source(mariadb, table=None, query=query), cursor) == list(range(14, 50, 2))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"table": "none"}, "1146.*none"),
        ({"key": ["none"]}, "none"),
        ({"password": "wrong-secret"}, "1045"),
        ({"table": None, "query": "SELECT 1 FROM"}, "1064"),
    ],
)
def test_wrong_options_end_in_a_sentence(mariadb: MariaDb, more: dict[str, Any], said: str) -> None:
    fill(mariadb, 1)
    with pytest.raises(TerminalError, match=said) as refused:
        ids(source(mariadb, **more))
    assert "wrong-secret" not in str(refused.value)


def test_absent_server_is_waited_for(mariadb: MariaDb) -> None:
    with pytest.raises(TransientError):
        ids(source(mariadb, port=9))


def test_killed_connection_is_transient(mariadb: MariaDb) -> None:
    fill(mariadb)
    reader = source(mariadb, batch_rows=1)
    reader.fetch_schema()
    for (number,) in run(
        mariadb,
        "SELECT id FROM information_schema.processlist WHERE command = 'Sleep' AND id <> connection_id()",
    ):
        run(mariadb, f"KILL {number}")
    with pytest.raises(TransientError):
        list(reader.read(None))


def test_sink_keeps_the_table_as_the_rows_say(mariadb: MariaDb, tmp_path: Path) -> None:
    options = MysqlSinkOptions.model_validate(address(mariadb) | {"table": "t", "key": ["id"]})
    check_table_sink(
        lambda: MysqlSink(options),
        reading(mariadb),
        tmp_path,
    )


def test_sink_writes_a_parcel_whole_or_not_at_all(mariadb: MariaDb, tmp_path: Path) -> None:
    run(mariadb, "CREATE TABLE t (id varchar(20) PRIMARY KEY, n decimal(5,2))")
    options = MysqlSinkOptions.model_validate(address(mariadb) | {"table": "t", "key": ["id"]})
    check_failed_parcel_leaves_nothing(lambda: MysqlSink(options), reading(mariadb), tmp_path)


def test_sqlalchemy_reads_and_writes_mariadb(mariadb: MariaDb, tmp_path: Path) -> None:
    fill(mariadb)
    given = {
        "url": url(mariadb.port),
        "table": "源%s",
        "key": ["id"],
        "watermark": "changed",
        "batch_rows": 7,
    }
    reader = SqlalchemySource(SqlalchemyOptions.model_validate(given))
    batches = list(reader.read(None))
    assert batches[0].rows.schema == reader.fetch_schema()
    for number, batch in enumerate(batches, start=1):
        assert ids(reader, json.loads(json.dumps(batch.cursor))) == list(range(number * 7, 50))
    run(mariadb, "CREATE TABLE t (id varchar(20) PRIMARY KEY, n decimal(5,2)) COLLATE utf8mb4_nopad_bin")
    options = SqlalchemySinkOptions.model_validate({"url": url(mariadb.port), "table": "t", "key": ["id"]})
    check_table_sink(
        lambda: SqlalchemySink(options),
        reading(mariadb),
        tmp_path,
    )
    run(mariadb, "DELETE FROM t", "DROP TABLE shuzheng_parcel")
    check_failed_parcel_leaves_nothing(lambda: SqlalchemySink(options), reading(mariadb), tmp_path)


@contextmanager
def staged(server: MariaDb, table: str, *, notes: str = "") -> Iterator[tuple[TableStage, dict[str, Any]]]:
    """Give a stage over one connection, and the address of a line to the server that it can cut."""
    connection = server.connect()

    def ask(statement: str, values: Any = None) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    with running_proxy(server.port) as proxy:
        stage = TableStage(ask, table, notes=notes, cut=proxy.cut, restore=proxy.restore)
        yield stage, address(server) | {"port": proxy.port}
    connection.close()


@pytest.mark.parametrize("kind", ["mysql", "sqlalchemy"])
def test_source_passes_the_conformance_kit(mariadb: MariaDb, kind: str) -> None:
    run(
        mariadb,
        "CREATE TABLE t (id bigint PRIMARY KEY, name longtext, amount decimal(30,6), day date,"
        " changed timestamp(6) NOT NULL DEFAULT now(6) ON UPDATE now(6)) CHARSET utf8mb4",
    )
    table = {"table": "t", "key": ["id"], "watermark": "changed", "batch_rows": 100}
    with staged(mariadb, "t") as (stage, line):
        if kind == "mysql":
            options = MysqlOptions.model_validate(line | table | {"settle_s": 0})
            findings = assess_source(lambda: MysqlSource(options), stage)
        else:
            made = SqlalchemyOptions.model_validate({"url": url(line["port"])} | table)
            findings = assess_source(lambda: SqlalchemySource(made), stage)
    require_passed(findings, skipped={"acknowledge-harmless", "deleted-row", "reading-honest"})


@pytest.mark.parametrize("kind", ["mysql", "sqlalchemy"])
def test_sink_passes_the_conformance_kit(mariadb: MariaDb, kind: str) -> None:
    table = {"table": "o", "key": ["id"]}
    notes = "_shuzheng_parcel" if kind == "mysql" else "shuzheng_parcel"
    with staged(mariadb, "o", notes=notes) as (stage, line):
        if kind == "mysql":
            options = MysqlSinkOptions.model_validate(line | table)
            findings = assess_sink(lambda: MysqlSink(options), stage)
        else:
            made = SqlalchemySinkOptions.model_validate({"url": url(line["port"])} | table)
            findings = assess_sink(lambda: SqlalchemySink(made), stage)
    require_passed(findings, skipped=set())
