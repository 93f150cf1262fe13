"""The behaviour suites of the lake and of sharing on a real S3 server, and what happens when it goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr

from core.database import Database
from core.objects import open_object_store
from core.settings import Settings
from hub.services import utc_now
from subscriptions.lake import store
from subscriptions.lake.assembly import assemble
from tests.exchange_world import build_row, open_world
from tests.interop.s3_server import S3Server, running_s3_server
from tests.lake_behaviour import LakeBehaviour, LakeWorld, open_lake_world
from tests.sharing_behaviour import SharingBehaviour

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3") / "data"
    folder.mkdir()
    with running_s3_server(folder) as running:
        yield running


def on_s3(server: S3Server, prefix: str, **fields: Any) -> Settings:
    return Settings(
        object_store=f"s3://lake/{prefix}",
        s3_endpoint=server.endpoint,
        s3_access_key=SecretStr(server.access_key),
        s3_secret_key=SecretStr(server.secret_key),
        s3_secure=False,
        **fields,
    )


@pytest.fixture
def hub_settings(server: S3Server, migrated_url: str, tmp_path: Path) -> Settings:
    """Settings of a hub with its objects on S3, below a prefix of the test's own."""
    return on_s3(
        server,
        tmp_path.name.replace("_", "-"),
        home=tmp_path / "home",
        database_url=SecretStr(migrated_url),
        database_pool_size=6,
        log_interval_s=0.05,
        public_url="http://hub.test",
    )


class TestLakeOnS3(LakeBehaviour):
    """The behaviour suite of the lake on S3."""

    @pytest.fixture
    async def lake(self, database: Database, hub_settings: Settings) -> AsyncIterator[LakeWorld]:
        async with open_lake_world(database, hub_settings) as opened:
            yield opened


class TestSharingOverS3(SharingBehaviour):
    """The behaviour suite of sharing over S3."""


async def test_server_that_goes_away_is_trouble_and_nothing_is_lost(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    world = await open_world(database)
    await world.publish([build_row(1)])
    with running_s3_server(folder) as running:
        settings = on_s3(running, "away", home=tmp_path / "home")
        settings.spool_dir.mkdir(parents=True)
        open_object_store(settings)
        lake = assemble(settings=settings, database=database, log=world.log, now=utc_now)
        assert await lake.writer.follow("people") == 1
    await world.publish([build_row(2)])
    assert await lake.writer.follow("people") == 0
    async with database.acquire() as connection:
        state = await store.load_state(connection, code="people")
    assert state is not None
    assert (state.version, state.trouble) == (1, "SERVICE-UNAVAILABLE")
    with running_s3_server(folder) as running:
        settings = on_s3(running, "away", home=tmp_path / "home")
        lake = assemble(settings=settings, database=database, log=world.log, now=utc_now)
        assert await lake.writer.follow("people") == 1


async def version_in_lake(database: Database) -> int:
    """Load how far the lake is."""
    async with database.acquire() as connection:
        state = await store.load_state(connection, code="people")
    return (state.version if state else None) or 0


async def test_server_killed_while_the_lake_is_written_has_every_version_once(
    database: Database, tmp_path: Path
) -> None:
    rng, versions = Random(3), 12
    folder = tmp_path / "data"
    folder.mkdir()
    world = await open_world(database)
    for number in range(versions):
        await world.publish([build_row(n, XM=f"第{number}") for n in range(number, number + 5)])
    kills, taken = 0, 0
    while taken < versions:
        with running_s3_server(folder) as running:  # which kills it at the end, with SIGKILL
            settings = on_s3(running, "killed", home=tmp_path / "home")
            settings.spool_dir.mkdir(parents=True, exist_ok=True)
            open_object_store(settings)
            opened = LakeWorld(
                world=world,
                lake=assemble(settings=settings, database=database, log=world.log, now=utc_now),
                settings=settings,
            )
            following = asyncio.create_task(opened.follow())
            wanted = taken + rng.randint(1, 3)
            while not following.done() and await version_in_lake(database) < wanted:
                await asyncio.sleep(0.01)
            await asyncio.wait([following], timeout=rng.uniform(0, 0.1))
            kills += not following.done()
            if kills >= 4:
                await following
            taken = await version_in_lake(database)
            if taken == versions:
                break
        await following
    assert kills
    with running_s3_server(folder) as running:
        settings = on_s3(running, "killed", home=tmp_path / "home")
        lake = assemble(settings=settings, database=database, log=world.log, now=utc_now)
        opened = LakeWorld(world=world, lake=lake, settings=settings)
        assert opened.rows() == await opened.current()
        async with database.acquire() as connection:
            entries = await store.load_versions(connection, code="people")
        assert [entry.version for entry in entries] == list(range(versions + 1))
        assert len({entry.delta_version for entry in entries}) == versions + 1
        for entry in entries[2:]:
            assert opened.changes(entry.delta_version)["insert"] == 1
