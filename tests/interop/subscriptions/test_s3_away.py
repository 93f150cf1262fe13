"""A real S3 server that is killed in the middle of a share read and of pushing files, and comes back."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from core.database import Database
from core.errors import Unavailable
from core.objects.s3 import open_s3_store
from core.settings import Settings
from subscriptions.push.files import S3Carrier
from subscriptions.push.model import TargetKind
from subscriptions.sharing import files
from tests.exchange_world import build_row
from tests.hubs import RunningHub
from tests.integration.subscriptions.conftest import build_push_world
from tests.integration.subscriptions.feed_world import open_feed
from tests.integration.subscriptions.push_world import add
from tests.integration.subscriptions.test_push_database import LOCAL, build_worker
from tests.integration.subscriptions.test_subscriber_killed import keep_pushing, wait_until_read
from tests.interop.s3_server import S3Server, running_s3_server
from tests.interop.subscriptions.test_on_s3 import on_s3
from tests.sharing_behaviour import FIRST, SECOND
from tests.sharing_world import open_sharing_world

pytestmark = pytest.mark.interop


@dataclass(slots=True)
class Restartable:
    """A server that can be killed and started again with the same address, keys and data."""

    folder: Path
    like: S3Server | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> S3Server:
        self.like = self._stack.enter_context(running_s3_server(self.folder, self.like))
        return self.like

    def kill(self) -> None:
        self._stack.close()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Restartable]:
    folder = tmp_path / "s3" / "data"
    folder.mkdir(parents=True)
    server = Restartable(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def hub_settings(s3: Restartable, migrated_url: str, tmp_path: Path) -> Settings:
    assert s3.like is not None
    return on_s3(
        s3.like,
        "away",
        home=tmp_path / "home",
        database_url=SecretStr(migrated_url),
        database_pool_size=6,
        log_interval_s=0.05,
        public_url="http://hub.test",
    )


async def test_server_killed_in_the_middle_of_a_share_read_costs_the_reader_a_retry(
    hub: RunningHub, s3: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE_BYTES", 500)
    world = await open_sharing_world(hub)
    await world.publish(FIRST)
    url = (await world.query())[1][0]["file"]["url"]
    whole = (await hub.client.get(url)).content
    service = hub.services.sharing.files
    pieces = service.read(await service.open(url.rpartition("/")[2], wanted=None))
    assert await anext(pieces) == whole[:500]
    await asyncio.to_thread(s3.kill)
    with pytest.raises(Unavailable):
        await anext(pieces)
    assert (await hub.client.get(url)).status_code == 503
    assert (await world.call("GET", "/changes", params={"startingVersion": "1"})).status_code == 503
    await asyncio.to_thread(s3.start)
    async with asyncio.timeout(120):
        while (answer := await hub.client.get(url)).status_code == 503:
            await asyncio.sleep(0.1)
    assert answer.content == whole
    rest = await hub.client.get(url, headers={"Range": "bytes=500-"})
    assert whole[:500] + rest.content == whole
    assert len(await world.changes(1)) == 3
    await world.publish(SECOND)
    assert [row["code"] for row in await world.rows()] == ["1", "2", "3", "4"]


async def test_bucket_whose_server_is_killed_at_random_moments_has_every_row_in_one_whole_file(
    database: Database, s3: Restartable
) -> None:
    rng, versions, rows = Random(6), 6, 30
    world = await build_push_world(database)
    await world.give()
    for number in range(versions):
        await world.publish([build_row(n, XM=f"第{number}") for n in range(rows)])
    assert s3.like is not None
    server = s3.like
    address = {
        "endpoint": server.endpoint,
        "bucket": "exchange",
        "prefix": "people",
        "secure": False,
        "access_key": server.access_key,
    }
    async with open_feed(world) as feed:
        more = {"kind": TargetKind.S3, "address": address, "start": 0, "secret": server.secret_key}
        await add(feed, "", name="bucket", batch_rows=7, **more)
        worker = build_worker(feed, TargetKind.S3, S3Carrier(addresses=LOCAL))
        pushing = asyncio.create_task(keep_pushing(worker))
        for _ in range(4):
            await asyncio.sleep(rng.uniform(0.1, 0.6))
            await asyncio.to_thread(s3.kill)
            await asyncio.to_thread(s3.start)
        await wait_until_read(feed, "bucket")
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
    settings = Settings(
        s3_endpoint=server.endpoint,
        s3_access_key=SecretStr(server.access_key),
        s3_secret_key=SecretStr(server.secret_key),
        s3_secure=False,
    )
    store = open_s3_store("s3://exchange/people", settings)
    keys = set(store.keys())
    whole = sorted(key for key in keys if f"{key}.manifest.json" in keys)
    found = []
    for key in whole:
        table = pq.read_table(io.BytesIO(store.get(key)))
        found += zip(table.column("_version").to_pylist(), table.column("_sequence").to_pylist(), strict=True)
    assert found == [(version, n) for version in range(1, versions + 1) for n in range(1, rows + 1)]
