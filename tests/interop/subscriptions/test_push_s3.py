"""Into a bucket of a real S3 server: files with manifests, found again when a message is repeated."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from core.database import Database
from core.objects.s3 import open_s3_store
from core.settings import Settings
from subscriptions.model import Start
from subscriptions.push.files import S3Carrier
from subscriptions.push.model import TargetKind
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.conftest import build_push_world
from tests.integration.subscriptions.feed_world import Feed, open_feed
from tests.integration.subscriptions.push_world import add, look, work
from tests.integration.subscriptions.schema_world import take_away
from tests.integration.subscriptions.test_push_database import LOCAL, build_worker
from tests.interop.s3_server import running_s3_server

pytestmark = pytest.mark.interop


@pytest.fixture
async def world(database: Database) -> World:
    return await build_push_world(database)


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with open_feed(world) as opened:
        yield opened


async def test_bucket_gets_files_and_a_wrong_key_makes_the_target_wait(
    world: World, feed: Feed, tmp_path: Path
) -> None:
    grant = await world.give()
    await world.publish([build_row(n) for n in range(5)])
    folder = tmp_path / "s3"
    folder.mkdir()
    with running_s3_server(folder) as server:
        address = {
            "endpoint": server.endpoint,
            "bucket": "exchange",
            "prefix": "people/daily",
            "secure": False,
            "access_key": server.access_key,
        }
        more = {"kind": TargetKind.S3, "address": address, "start": Start.START, "name": "bucket"}
        target = await add(feed, "", secret="wrong", **more)
        worker = build_worker(feed, TargetKind.S3, S3Carrier(addresses=LOCAL))
        await worker.work_once()
        assert "store" in str((await look(feed, target)).last_error)
        await feed.services.push.targets.replace_secret(
            caller=world.consumer,
            subscription_id=target.subscription_id,
            name="bucket",
            secret=server.secret_key,
        )
        await work(worker)
        settings = Settings(
            s3_endpoint=server.endpoint,
            s3_access_key=SecretStr(server.access_key),
            s3_secret_key=SecretStr(server.secret_key),
            s3_secure=False,
        )
        store = open_s3_store("s3://exchange/people/daily", settings)
        keys = list(store.keys())
        files = [key for key in keys if key.endswith(".parquet")]
        assert len(files) == 2
        assert {f"{key}.manifest.json" for key in files} == set(keys) - set(files)
        assert sum(pq.read_table(io.BytesIO(store.get(key))).num_rows for key in files) == 5
        await take_away(world, grant, "XM")
        await world.publish([build_row(9)])
        await work(worker)
        (added,) = {key for key in list(store.keys()) if key.endswith(".parquet")} - set(files)
        before, after = (pq.read_table(io.BytesIO(store.get(key))) for key in (files[0], added))
        assert set(before.column_names) - set(after.column_names) == {"XM"}
