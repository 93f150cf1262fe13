"""PostgreSQL is killed with SIGKILL while the hub pushes and follows into the lake: all arrives, once."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from random import Random

import asyncpg
import pyarrow as pa
import pytest
from pydantic import SecretStr

from core.database.embedded import start_embedded
from core.settings import Settings
from subscriptions.lake.place import find_place
from subscriptions.lake.table import LakeTable
from tests.integration.exchange.test_publish_killed import kill_postgres
from tests.integration.hub.test_process import free_port, hub_process
from tests.integration.subscriptions.receiver import running_receiver
from tests.integration.subscriptions.test_push_killed import (
    ROWS,
    VERSIONS,
    end_leases,
    make_parties,
    set_up,
    wait_for,
)

KILLS = 2


async def test_database_killed_while_the_hub_pushes_and_follows_loses_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = Random(5)
    monkeypatch.setenv("SHUZHENG_PUSH_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("SHUZHENG_LAKE", "all")
    monkeypatch.setenv("SHUZHENG_LAKE_INTERVAL_S", "0.2")
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - the server runs as another user where the tests run as root
        server = await asyncio.to_thread(start_embedded, Path(folder) / "pg")
        settings = Settings(home=tmp_path / "home", database_url=SecretStr(server.url))
        try:
            credentials = await make_parties(settings)
            port = free_port()
            async with running_receiver() as receiver:
                receiver.delay_s = 0.02
                with hub_process(settings, port) as process:
                    await asyncio.to_thread(set_up, f"http://127.0.0.1:{port}", credentials, receiver.url)
                    for _ in range(KILLS):
                        more = rng.randint(1, VERSIONS * ROWS // 4)
                        await wait_for(receiver, len(receiver.effects) + more)
                        await kill_postgres(server)
                        await end_leases(settings)
                    await wait_for(receiver, VERSIONS * ROWS)
                    assert process.poll() is None
                    rows = await wait_for_lake(settings)
            assert receiver.effects == [(v, s) for v in range(1, VERSIONS + 1) for s in range(1, ROWS + 1)]
            assert rows == {(row["code"], row["name"]) for row in receiver.held().values()}
        finally:
            server.stop()


async def wait_for_lake(settings: Settings) -> set[tuple[str, str]]:
    """Wait until the lake holds every version; return its rows, which are there once."""
    place = find_place(settings)
    async with asyncio.timeout(150):
        while True:
            table = await asyncio.to_thread(LakeTable.open, place, "things")
            if (
                table is not None
                and table.hub_version == VERSIONS
                and await _lake_version(settings) == VERSIONS
            ):
                break
            await asyncio.sleep(0.1)
    found = pa.Table.from_batches(list(table.read())).to_pylist()
    assert len(found) == ROWS
    return {(row["code"], row["name"]) for row in found}


async def _lake_version(settings: Settings) -> int | None:
    assert settings.database_url is not None
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        found: int | None = await connection.fetchval("SELECT version FROM subscriptions.lake_state")
        return found
    finally:
        await connection.close()
