"""Clocks that jump: what is read, acknowledged and followed stays whole and in order; grants hold by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import pytest

from core.database import Database
from core.errors import GrantMissing
from core.settings import Settings
from hub.services import utc_now
from subscriptions.lake import store as lake_store
from subscriptions.lake.assembly import assemble
from subscriptions.model import Start
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import open_feed
from tests.integration.subscriptions.test_feed import begin, read
from tests.lake_behaviour import open_lake_world


@dataclass(slots=True)
class Clock:
    """A clock that says another time whenever it is looked at."""

    jumps: Callable[[], timedelta] = field(default=timedelta)

    def __call__(self) -> datetime:
        return utc_now() + self.jumps()


async def test_clock_that_jumps_within_the_grant_disturbs_no_reader(world: World) -> None:
    rng = Random(8)
    await world.give()
    async with open_feed(world, now=Clock(lambda: timedelta(minutes=rng.uniform(0, 5000)))) as feed:
        subscription = await begin(feed, world, Start.START)
        await world.publish([build_row(n) for n in range(9)])
        await world.publish([build_row(n, XM="改") for n in range(4)])
        places, rows = [], 0
        for _ in range(20):
            page = await read(feed, world, subscription, limit=2)
            await feed.acknowledge(
                caller=world.consumer, subscription_id=subscription, cursor=page.next_cursor
            )
            places += [change.position for change in page.changes]
            rows += page.table.num_rows
        ids = {"caller": world.consumer, "subscription_id": subscription, "consumer": "default"}
        deliveries = await feed.services.acknowledger.list_deliveries(**ids, before=None, limit=200)
    assert places == sorted(set(places))
    assert rows == sum(each.rows for each in deliveries) == 13
    assert all(each.acknowledged_at for each in deliveries)


async def test_clock_that_leaves_the_grant_refuses_until_it_is_back_and_loses_nothing(world: World) -> None:
    clock = Clock()
    await world.give()
    async with open_feed(world, now=clock) as feed:
        subscription = await begin(feed, world)
        await world.publish([build_row(n) for n in range(3)])
        first = await read(feed, world, subscription, limit=1)
        for away in (timedelta(days=4000), timedelta(days=-4000)):
            clock.jumps = lambda away=away: away
            with pytest.raises(GrantMissing):
                await read(feed, world, subscription, after=first.next_cursor)
            with pytest.raises(GrantMissing):
                await feed.acknowledge(
                    caller=world.consumer, subscription_id=subscription, cursor=first.next_cursor
                )
        clock.jumps = timedelta
        rest = await read(feed, world, subscription, after=first.next_cursor)
    assert len(first.changes) + len(rest.changes) == 3


async def test_lake_is_followed_once_per_version_by_a_clock_that_jumps(
    database: Database, hub_settings: Settings
) -> None:
    rng = Random(2)
    async with open_lake_world(database, hub_settings) as opened:
        clock = Clock(lambda: timedelta(days=rng.uniform(-900, 900)))
        lake = assemble(settings=hub_settings, database=database, log=opened.world.log, now=clock)
        for number in range(6):
            await opened.world.publish([build_row(n, XM=f"第{number}") for n in range(number, number + 3)])
            await lake.writer.follow("people")
        await opened.follow()
        assert opened.rows() == await opened.current()
        async with database.acquire() as connection:
            versions = await lake_store.load_versions(connection, code="people")
    assert [entry.version for entry in versions] == list(range(7))
    assert len({entry.delta_version for entry in versions}) == 7
