"""More built-in sources and sinks pass the conformance kit, on real systems."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from connectors.kit import Finding, assess_sink, assess_source
from connectors.sinks.folder import FolderSink, FolderSinkOptions
from connectors.sinks.http import HttpSink, HttpSinkOptions
from connectors.sinks.postgresql import PostgresqlSink, PostgresqlSinkOptions
from connectors.sinks.sqlalchemy import SqlalchemySink, SqlalchemySinkOptions
from connectors.sources.adbc import AdbcOptions, AdbcSource
from connectors.sources.folder import FolderOptions, FolderSource
from connectors.sources.http.model import HttpOptions
from connectors.sources.http.source import HttpSource
from connectors.sources.sqlalchemy import SqlalchemyOptions, SqlalchemySource
from tests.built_in_stages import FilesSinkStage, FolderStage, ReceiverStage, ServiceStage, TableStage
from tests.connector_stages import PostgresqlStage, SqliteSinkStage, SqliteStage
from tests.cutting_proxy import running_proxy
from tests.http_service import running_service
from tests.integration.connectors.test_kit_built_in import require_passed

COLUMNS = ["id", "name", "amount", "day"]
NOT_READ_BY_MARK = {"acknowledge-harmless", "deleted-row", "reading-honest"}
NOT_READ_BY_CURSOR = {
    *("acknowledge-harmless", "changed-alone", "cursor-advances", "cursor-caught-up"),
    *("cursor-foreign", "cursor-last", "cursor-restart", "cursor-untouched"),
}


def ask_postgresql(url: str) -> Callable[..., list[Any]]:
    def run(statement: str) -> list[Any]:
        async def work() -> list[Any]:
            connection = await asyncpg.connect(url)
            found = await connection.fetch(statement)
            await connection.close()
            return [tuple(row) for row in found]

        return asyncio.run(work())

    return run


def ask_sqlite(file: Path) -> Callable[..., list[Any]]:
    def run(statement: str, values: Any = ()) -> list[Any]:
        connection = sqlite3.connect(file)
        with connection:
            found = connection.execute(statement, values).fetchall()
        connection.close()
        return found

    return run


def test_folder_source_passes(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path / "in")
    given = {"folder": stage.folder, "settle_s": 0, "key": ["id"], "batch_rows": 100, "columns": COLUMNS}
    options = FolderOptions.model_validate(given)
    skipped = {"key-unique", "acknowledge-harmless", "reading-honest", "deleted-row"}
    require_passed(assess_source(lambda: FolderSource(options), stage), skipped=skipped)


@pytest.mark.parametrize("is_incremental", [False, True])
def test_http_source_passes(is_incremental: bool) -> None:
    stage = ServiceStage()
    columns = {
        "id": {"path": "id", "type": "integer"},
        "name": "name",
        "amount": {"path": "amount", "type": "number"},
        "day": {"path": "day", "type": "date"},
        "seq": {"path": "seq", "type": "integer"},
    }
    since = {"since": {"column": "seq", "parameter": "since"}} if is_incremental else {}
    skipped = NOT_READ_BY_MARK if is_incremental else NOT_READ_BY_CURSOR
    with running_service(stage.answer) as address, running_proxy(int(address.rpartition(":")[2])) as proxy:
        stage.cut, stage.restore = proxy.cut, proxy.restore  # type: ignore[method-assign]
        given = since | {
            "url": f"http://127.0.0.1:{proxy.port}",
            "records": "rows",
            "columns": columns,
            "key": ["id"],
            "paging": {"kind": "page", "size": 100, "total_path": "total"},
        }
        options = HttpOptions.model_validate(given)
        require_passed(assess_source(lambda: HttpSource(options), stage), skipped=skipped)


async def test_postgresql_sink_passes(database_url: str) -> None:
    options = PostgresqlSinkOptions.model_validate({"url": database_url, "table": "o", "key": ["id"]})

    def assess() -> list[Finding]:
        server = PostgresqlStage(database_url)
        stage = TableStage(
            ask_postgresql(database_url),
            "o",
            notes="_shuzheng_parcel",
            cut=server.cut,
            restore=server.restore,
        )
        return assess_sink(lambda: PostgresqlSink(options), stage)

    require_passed(await asyncio.to_thread(assess), skipped=set())


def test_sqlalchemy_sink_passes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db?timeout=0.05"
    options = SqlalchemySinkOptions.model_validate({"url": url, "table": "o", "key": ["id"]})
    locked = SqliteSinkStage(tmp_path / "a.db")
    stage = TableStage(
        ask_sqlite(tmp_path / "a.db"),
        "o",
        notes="shuzheng_parcel",
        cut=locked.cut,
        restore=locked.restore,
    )
    require_passed(assess_sink(lambda: SqlalchemySink(options), stage), skipped=set())


def test_http_sink_passes() -> None:
    stage = ReceiverStage()
    with running_service(stage.answer) as url:
        given = {
            "url": f"{url}/put",
            "delete_url": f"{url}/delete",
            "keeps_keys": True,
            "rows_per_request": 100_000,  # a parcel is whole where it is one request
        }
        options = HttpSinkOptions.model_validate(given)
        require_passed(assess_sink(lambda: HttpSink(options), stage), skipped={"sink-snapshot"})


def test_folder_sink_passes(tmp_path: Path) -> None:
    options = FolderSinkOptions(folder=tmp_path / "out")
    stage = FilesSinkStage(tmp_path / "out")
    require_passed(assess_sink(lambda: FolderSink(options), stage), skipped=set())


async def test_adbc_source_passes(database_url: str) -> None:
    given = {
        "driver": "adbc_driver_postgresql",
        "url": database_url,
        "parameters": "numeric",
        "table": "t",
        "key": ["id"],
        "watermark": "changed",
        "batch_rows": 100,
    }
    options = AdbcOptions.model_validate(given)

    def assess() -> list[Finding]:
        return assess_source(lambda: AdbcSource(options), PostgresqlStage(database_url))

    require_passed(await asyncio.to_thread(assess), skipped=NOT_READ_BY_MARK)


def test_sqlalchemy_source_passes(tmp_path: Path) -> None:
    stage = SqliteStage(tmp_path / "a.db")
    given = {
        "url": f"sqlite:///{tmp_path}/a.db?timeout=0.05",
        "table": "t",
        "key": ["id"],
        "watermark": "seq",
        "batch_rows": 100,
    }
    options = SqlalchemyOptions.model_validate(given)
    require_passed(assess_source(lambda: SqlalchemySource(options), stage), skipped=NOT_READ_BY_MARK)
