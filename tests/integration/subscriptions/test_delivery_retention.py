"""Old deliveries go piece by piece, and the log still proves each of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.errors import NotFound
from hub.services import utc_now
from signing import sm3
from subscriptions.delivery import store
from subscriptions.delivery.keeper import DeliveryKeeper, digest_deliveries
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, build_worker, work
from tests.integration.subscriptions.receiver import Receiver
from tests.integration.subscriptions.test_feed import begin, drain


def build_keeper(
    world: World, *, days: float = 0, keep_days: int = 30, piece_rows: int = 2
) -> DeliveryKeeper:
    """A keeper whose clock is ahead by `days`."""
    return DeliveryKeeper(
        database=world.database,
        log=world.log,
        keep_days=30,
        now=lambda: utc_now() + timedelta(days=days),
        piece_rows=piece_rows,
    )


async def test_what_is_pruned_is_counted_and_digested_in_the_log(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(n) for n in range(5)])
    await drain(feed, world, subscription, 1)
    ids = {"caller": world.consumer, "subscription_id": subscription, "consumer": "default"}
    kept = await feed.services.acknowledger.list_deliveries(**ids, before=None, limit=50)
    assert len(kept) == 5
    assert await build_keeper(world).prune() == 0
    gone = await asyncio.gather(*(build_keeper(world, days=31).prune() for _ in range(2)))
    assert sum(gone) == 5
    assert await feed.services.acknowledger.list_deliveries(**ids, before=None, limit=50) == []
    with pytest.raises(NotFound):
        await feed.services.acknowledger.find_delivery(**ids, delivery_id=kept[0].id)
    events = await world.events()
    pruned = [leaf["details"] for leaf in events if leaf["event"] == "deliveries.pruned"]
    assert sum(details["deliveries"] for details in pruned) == sum(d["rows"] for d in pruned) == 5  # type: ignore[index]
    assert max(details["deliveries"] for details in pruned) == 2  # type: ignore[index]
    read = {d["delivery"]: d for d in (e["details"] for e in events if e["event"] == "changes.read")}  # type: ignore[index]
    for each in kept:
        assert read[str(each.id)]["manifest_sm3"] == sm3.digest(each.manifest).hex()


async def test_digest_of_a_piece_can_be_made_again_from_what_others_kept(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(n) for n in range(3)])
    await drain(feed, world, subscription, 1)
    ids = {"caller": world.consumer, "subscription_id": subscription, "consumer": "default"}
    kept = await feed.services.acknowledger.list_deliveries(**ids, before=None, limit=50)
    await build_keeper(world, days=31, piece_rows=10).prune()
    pruned = next(leaf["details"] for leaf in await world.events() if leaf["event"] == "deliveries.pruned")
    assert pruned["digest"] == digest_deliveries(list(reversed(kept))) != digest_deliveries(kept[1:])  # type: ignore[index]


async def test_letters_that_were_taken_go_and_those_that_wait_stay(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url, batch_rows=1)
    receiver.always = "400"
    await world.publish([build_row(1), build_row(2)])
    worker = build_worker(feed)
    await work(worker)
    receiver.always = "200"
    where = {"caller": world.consumer, "subscription_id": target.subscription_id, "name": "hook"}
    letters = await feed.services.push.targets.list_dead_letters(**where)
    await feed.services.push.targets.redrive(**where, letters=[letters[0].id])
    await work(worker)
    await build_keeper(world, days=31).prune()
    assert [each.id for each in await feed.services.push.targets.list_dead_letters(**where)] == [
        letters[1].id
    ]
    async with world.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM subscriptions.dead_letter") == 1
        assert await store.take_old_deliveries(connection, before=utc_now(), limit=0) == []
