"""Dead letters that are sent again after the world has moved on."""

from __future__ import annotations

import asyncpg
import pytest

from exchange.access.grants import Shrink
from exchange.publish.store_retention import Partition, detach, drop
from subscriptions.push.model import Target, TargetKind, TargetState
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.progress import MAX_REFUSALS
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, look, work
from tests.integration.subscriptions.push_world import build_worker as build_webhook_worker
from tests.integration.subscriptions.receiver import Receiver
from tests.integration.subscriptions.socket_bridge import bridged
from tests.integration.subscriptions.test_push_database import LOCAL, add_table, build_worker


def key(number: int) -> str:
    return str(build_row(number)["GMSFHM"])


async def redrive(feed: Feed, target: Target) -> int:
    return await feed.services.push.targets.redrive(
        caller=feed.world.consumer,
        subscription_id=target.subscription_id,
        name=target.consumer,
        letters=None,
    )


async def list_reasons(feed: Feed, target: Target) -> list[str]:
    letters = await feed.services.push.targets.list_dead_letters(
        caller=feed.world.consumer, subscription_id=target.subscription_id, name=target.consumer
    )
    return [letter.reason for letter in letters]


@pytest.mark.parametrize("narrowed", [False, True])
async def test_letter_brings_a_table_the_rows_as_they_are_now_and_nothing_older(
    world: World, feed: Feed, database_url: str, narrowed: bool
) -> None:
    grant = await world.give(items=("GMSFHM", "XM", "HJSZD"))
    own = await asyncpg.connect(database_url)
    await own.execute(
        'CREATE TABLE people_copy ("GMSFHM" text PRIMARY KEY, "XM" text CHECK ("XM" <> \'坏\'), "HJSZD" text)'
    )
    async with bridged(database_url) as bridge:
        target = await add_table(feed, bridge, database_url, batch_rows=4)
        worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
        await world.publish([build_row(n, XM="坏") for n in range(4)])
        await work(worker)
        await world.publish([build_row(1, XM="新")], [key(2)])
        await work(worker)
        if narrowed:
            condition = {"place": {"item": "HJSZD", "prefix": "9901"}}
            shrink = Shrink(row_filter=condition)
            await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=shrink)
            await work(worker)
        assert len(await list_reasons(feed, target)) == 1
        places = await own.fetch("SELECT place FROM shuzheng_place")
        await own.execute('ALTER TABLE people_copy DROP CONSTRAINT "people_copy_XM_check"')
        assert await redrive(feed, target) == 1
        await work(worker)
        held = dict(await own.fetch('SELECT "GMSFHM", "XM" FROM people_copy'))
        assert held == ({key(1): "新"} if narrowed else {key(0): "坏", key(1): "新", key(3): "坏"})
        assert await own.fetch("SELECT place FROM shuzheng_place") == places
        assert await list_reasons(feed, target) == []
        await world.publish([build_row(1, XM="更新")])
        await work(worker)
        assert await own.fetchval('SELECT "XM" FROM people_copy WHERE "GMSFHM" = $1', key(1)) == "更新"
    await own.close()


async def test_letter_whose_changes_are_no_longer_kept_stays_parked_and_stops_nothing(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url, batch_rows=1)
    receiver.script.extend(["200", *["400"] * MAX_REFUSALS])
    worker = build_webhook_worker(feed)
    await world.publish([build_row(0), build_row(1)])
    for number in range(256):
        await world.publish([build_row(number % 7, XM=f"第{number}版")])
    for _ in range(10):
        await work(worker, rounds=200)
    assert len(await list_reasons(feed, target)) == 1
    async with world.database.acquire() as connection:
        partition = Partition(resource_code="people", first_version=0, is_detached=False)
        assert await detach(connection, partition=partition)
        await drop(connection, partition=partition)
    assert await redrive(feed, target) == 1
    await work(worker)
    assert (await look(feed, target)).state is TargetState.ACTIVE
    (reason,) = await list_reasons(feed, target)
    assert "kept" in reason
    await world.publish([build_row(3, XM="最新")])
    await work(worker)
    assert {row["XM"] for row in receiver.held().values() if row["GMSFHM"] == key(3)} == {"最新"}
