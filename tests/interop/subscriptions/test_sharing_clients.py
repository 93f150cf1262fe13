"""The delta-sharing client, DuckDB and Polars, unmodified, on a directory store and on a real S3 server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr

from core.settings import Settings
from tests.hubs import RunningHub
from tests.interop.harness import python_venv, run
from tests.interop.s3_server import S3Server, running_s3_server
from tests.interop.subscriptions.clients import DELTA_SHARING, ENGINES, READ_LAKE, READ_SHARE
from tests.sharing_behaviour import FIRST, SECOND
from tests.sharing_world import SharingWorld, open_sharing_world

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3") / "data"
    folder.mkdir()
    with running_s3_server(folder) as running:
        yield running


@pytest.fixture(params=["directory", "s3"])
def hub_settings(request: pytest.FixtureRequest, migrated_url: str, tmp_path: Path) -> Settings:
    """Settings of a hub that clients reach, on each kind of store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fields: dict[str, Any] = {
        "home": tmp_path / "home",
        "database_url": SecretStr(migrated_url),
        "database_pool_size": 6,
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
    }
    if request.param == "s3":
        server = request.getfixturevalue("server")
        fields |= {
            "object_store": f"s3://clients/{tmp_path.name.replace('_', '-')}",
            "s3_endpoint": server.endpoint,
            "s3_access_key": SecretStr(server.access_key),
            "s3_secret_key": SecretStr(server.secret_key),
            "s3_secure": False,
        }
    return Settings(**fields)


@pytest.fixture
async def world(hub_settings: Settings, hub: RunningHub) -> AsyncIterator[SharingWorld]:
    """The shared resource on a hub that listens, with three versions."""
    config = uvicorn.Config(
        hub.app, host="127.0.0.1", port=hub_settings.port, lifespan="off", log_level="warning"
    )
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve())
    while not serving.started:
        await asyncio.sleep(0.02)
    opened = await open_sharing_world(hub, items=["code", "name", "amount", "day", "at", "yes"])
    await opened.publish(FIRST)
    await opened.publish(SECOND)
    await opened.publish("code\n3\n", mode="delete")
    yield opened
    serving.should_exit = True
    await task


async def run_client(packages: list[str], name: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script in a virtual environment with the packages, and read its result."""
    python = await asyncio.to_thread(python_venv, name, packages)
    printed = await asyncio.to_thread(run, [python, "-c", script, *arguments])
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    return dict(json.loads(line.removeprefix("RESULT ")))


async def test_delta_sharing_client_reads_snapshot_past_and_changes(
    world: SharingWorld, tmp_path: Path
) -> None:
    profile = tmp_path / "things.share"
    profile.write_text(json.dumps(world.profile))
    found = await run_client(DELTA_SHARING, "delta-sharing", READ_SHARE, str(profile), "1")
    assert found["tables"] == [f"grant_{world.grant_id[:8]}.other.things"]
    assert found["version"] == 3
    assert found["columns"] == found["schema"] == ["code", "name", "amount", "day", "at", "yes"]
    assert found["rows"] == [
        ["1", "甲", "1.50", "2024-02-29"], ["2", "新", "8.00", None], ["4", "丁", "9.00", None],
    ]  # fmt: skip
    assert [row[:2] for row in found["old"]] == [["1", "甲"], ["2", "乙"], ["3", "丙"]]
    assert (found["limited"], found["hinted"]) == (2, 3)
    assert found["changes"] == [
        ["1", "insert", "1", "甲"], ["1", "insert", "2", "乙"], ["1", "insert", "3", "丙"],
        ["2", "insert", "4", "丁"], ["2", "update_postimage", "2", "新"],
        ["2", "update_preimage", "2", "乙"], ["3", "delete", "3", "丙"],
    ]  # fmt: skip


async def test_duckdb_and_polars_read_the_table_of_the_lake(world: SharingWorld) -> None:
    place = world.hub.services.lake.place
    found = await run_client(
        ENGINES, "lake-engines", READ_LAKE, place.table_uri("things"), json.dumps(dict(place.options))
    )
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT code, name, amount, day, _version FROM data.things")
    expected = [[None if v is None else str(v) for v in row.values()] for row in rows]
    for engine in ("duckdb", "polars"):
        read = [[*row[:4], row[6]] for row in found[engine]]
        assert sorted(read) == sorted(
            [[c, n, f"{float(a):.2f}" if a else None, d, v] for c, n, a, d, v in expected]
        ), engine
