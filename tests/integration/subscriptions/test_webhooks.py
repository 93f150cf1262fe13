"""Webhooks: signed, in order, at least once with effects once, whatever the receiver does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from core.errors import Forbidden, NotFound, SchemaViolation, Unavailable
from core.settings import Settings
from hub.services import utc_now
from subscriptions.model import Start
from subscriptions.push.addresses import AddressBook
from subscriptions.push.model import Circuit, TargetDown, TargetGone, TargetKind, TargetState
from subscriptions.push.progress import MAX_BACKOFF_S, MAX_REFUSALS, Progress
from subscriptions.push.secret_box import SecretBox
from tests.exchange_world import PURPOSE, World, build_row
from tests.integration.subscriptions.feed_world import HUB_KEY, Feed, open_feed
from tests.integration.subscriptions.push_world import add, build_worker, look, parse, work
from tests.integration.subscriptions.receiver import Receiver, running_receiver


async def test_webhook_gets_signed_batches_in_order_and_the_copy_equals_the_rows(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    await world.publish([build_row(n) for n in range(4)])
    target = await add(feed, receiver.url, secret="bearer-1", start=Start.START)
    await world.publish([build_row(n, XM="改") for n in range(2)], [str(build_row(3)["GMSFHM"])])
    await work(build_worker(feed))
    assert [len(body.splitlines()) for _, body in receiver.posts] == [3, 3, 1]
    assert receiver.effects == sorted(receiver.effects)
    assert len(set(receiver.keys)) == 3
    receiver.verify(HUB_KEY.public_key)
    assert {headers["authorization"] for headers, _ in receiver.posts} == {"Bearer bearer-1"}
    held = receiver.held()
    assert sorted(str(row["XM"]) for row in held.values()) == ["人2", "改", "改"]
    deliveries = await feed.services.acknowledger.list_deliveries(
        caller=world.consumer,
        subscription_id=target.subscription_id,
        consumer="hook",
        before=None,
        limit=10,
    )
    assert [each.rows for each in deliveries] == [1, 3, 3]
    assert all(each.acknowledged_at for each in deliveries)
    assert not await build_worker(feed).work_once()


@pytest.mark.parametrize("seed", range(3))
async def test_receiver_that_fails_in_every_way_ends_with_each_effect_once(
    world: World, feed: Feed, receiver: Receiver, seed: int
) -> None:
    rng = Random(seed)
    await world.give()
    target = await add(feed, receiver.url)
    words = ["500", "503", "429", "garbage", "cut", "late", "200", "hang", "422"]
    receiver.script.extend(rng.choices(words, k=12))
    for number in range(4):
        await world.publish([build_row(n, XM=f"{number}.{n}") for n in range(number, number + 4)])
    await work(build_worker(feed, timeout_s=0.3), rounds=60)
    assert receiver.effects == [(v, s) for v in range(1, 5) for s in range(1, 5)]
    assert len(receiver.held()) == 7
    bodies: dict[str, set[bytes]] = {}
    for (_, body), key in zip(receiver.posts, receiver.keys, strict=True):
        bodies.setdefault(key, set()).add(body)
    assert all(len(each) == 1 for each in bodies.values())
    assert (await look(feed, target)).circuit is Circuit.CLOSED


async def test_receiver_down_for_a_day_loses_nothing_and_is_asked_ever_less_often(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url)
    receiver.always = "500"
    progress = Progress(database=world.database, log=world.log, now=utc_now, random=Random(1))
    waited_s, attempts = 0.0, 0
    await world.publish([build_row(1)])
    worker = build_worker(feed)
    while waited_s < 86_400:
        waited_s += progress.backoff(attempts, None)
        attempts += 1
        if attempts <= 8:
            await worker.work_once()
    assert 90 < attempts < 250
    assert progress.backoff(50, None) <= MAX_BACKOFF_S
    assert progress.backoff(0, TargetDown("x", retry_after_s=77)) == 77
    failing = await look(feed, target)
    assert (failing.circuit, failing.last_error) == (Circuit.OPEN, "the target answered 500")
    assert len(set(receiver.keys)) == 1
    await world.publish([build_row(2)])
    receiver.always = "200"
    await work(worker)
    assert len(receiver.held()) == 2
    assert (await look(feed, target)).circuit is Circuit.CLOSED


async def test_refused_changes_are_parked_and_sent_again_under_their_key(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url)
    receiver.script.extend(["400"] * MAX_REFUSALS)
    await world.publish([build_row(n) for n in range(3)])
    await world.publish([build_row(n) for n in range(3, 6)])
    worker = build_worker(feed)
    await work(worker)
    assert len(receiver.held()) == 3
    where = {"caller": world.consumer, "subscription_id": target.subscription_id, "name": "hook"}
    letters = await feed.services.push.targets.list_dead_letters(**where)
    assert [(str(each.first), str(each.last), each.rows, each.attempts) for each in letters] == [
        ("1.1", "1.3", 3, MAX_REFUSALS)
    ]
    assert await feed.services.push.targets.redrive(**where, letters=None) == 1
    await work(worker)
    assert len(receiver.held()) == 6
    assert receiver.keys[-1] == receiver.keys[0] == str(letters[0].message_key)
    assert await feed.services.push.targets.list_dead_letters(**where) == []
    events = [leaf["event"] for leaf in await world.events()]
    assert events.count("changes.parked") == events.count("changes.redriven") == 1
    deliveries = await feed.services.acknowledger.list_deliveries(
        caller=world.consumer,
        subscription_id=target.subscription_id,
        consumer="hook",
        before=None,
        limit=50,
    )
    taken = [each.acknowledged_at is not None for each in deliveries if str(each.last) == "1.3"]
    assert taken == [True] + [False] * (len(taken) - 1)


async def test_workers_fighting_for_one_target_bring_each_message_by_one_of_them(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    await add(feed, receiver.url, batch_rows=2)
    receiver.delay_s = 0.02
    await world.publish([build_row(n) for n in range(12)])
    workers = [build_worker(feed) for _ in range(3)]
    await asyncio.gather(*(work(worker) for worker in workers))
    assert len(receiver.keys) == len(set(receiver.keys)) == 6
    assert receiver.effects == [(1, n) for n in range(1, 13)]


async def test_lease_outlasts_a_slow_target(world: World, feed: Feed, receiver: Receiver) -> None:
    await world.give()
    await add(feed, receiver.url)
    await world.publish([build_row(1)])
    receiver.delay_s = 1.2
    first = asyncio.create_task(work(build_worker(feed, lease_s=0.4), 1))
    while not receiver.posts:
        await asyncio.sleep(0.01)
    for _ in range(8):
        assert not await build_worker(feed).work_once()
        await asyncio.sleep(0.1)
    await first
    assert len(receiver.posts) == 1


async def test_worker_that_lost_its_lease_moves_nothing(
    world: World, feed: Feed, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stall(_progress: Progress, _target: UUID, _owner: UUID) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Progress, "keep", stall)
    await world.give()
    target = await add(feed, receiver.url, batch_rows=2)
    await world.publish([build_row(n) for n in range(6)])
    slow, quick = build_worker(feed, lease_s=0.05), build_worker(feed)
    receiver.delay_s = 0.5
    first = asyncio.create_task(work(slow, 1))
    while not receiver.posts:
        await asyncio.sleep(0.01)
    receiver.delay_s = 0.0
    await asyncio.sleep(0.1)
    await work(quick)
    await first
    assert receiver.effects == [(1, n) for n in range(1, 7)]
    assert receiver.keys[0] == receiver.keys[1]
    assert not await build_worker(feed).work_once()
    assert (await look(feed, target)).pending_key is None


async def test_slow_target_slows_no_other(world: World, feed: Feed, receiver: Receiver) -> None:
    await world.give()
    async with running_receiver() as slow:
        slow.always = "hang"
        await add(feed, slow.url)
        await add(feed, receiver.url)
        await world.publish([build_row(n) for n in range(9)])
        worker = build_worker(feed, timeout_s=60)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(30):
            while len(receiver.effects) < 9:
                await asyncio.sleep(0.01)
        assert slow.effects == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_revoked_grant_and_suspended_system_stop_the_target_at_once(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    grant = await world.give()
    one, other = await add(feed, receiver.url), await add(feed, receiver.url)
    await world.publish([build_row(1)])
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    await work(build_worker(feed))
    assert receiver.posts == []
    assert (await look(feed, one)).state is (await look(feed, other)).state is TargetState.STOPPED
    await world.give()
    third = await add(feed, receiver.url)
    await world.publish([build_row(2)])
    async with world.database.transaction() as connection:
        await connection.execute("UPDATE core.system SET status = 'suspended'")
    await work(build_worker(feed))
    assert receiver.posts == []
    assert "suspended" in str((await look(feed, third)).state_reason)


async def test_gone_receiver_is_stopped_and_goes_on_when_resumed(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url)
    receiver.script.append("410")
    await world.publish([build_row(1)])
    await work(build_worker(feed))
    assert (await look(feed, target)).state is TargetState.STOPPED
    where = {"caller": world.consumer, "subscription_id": target.subscription_id, "name": "hook"}
    with pytest.raises(SchemaViolation):
        await feed.services.push.targets.resume(**where, reason="")
    await feed.services.push.targets.resume(**where, reason="已恢复")
    await work(build_worker(feed))
    assert len(receiver.held()) == 1


async def test_redirect_is_not_followed_and_private_addresses_are_not_reached(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url)
    receiver.script.append("redirect")
    await world.publish([build_row(1)])
    await build_worker(feed).work_once()
    assert "redirects" in str((await look(feed, target)).last_error)
    async with open_feed(world, settings=Settings()) as strict:
        await strict.services.push.pusher.work_once()
        assert len(receiver.posts) == 1
        stopped = await look(feed, target)
    assert stopped.state is TargetState.STOPPED
    assert "network" in str(stopped.state_reason)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "::", "2130706433", "0x7f.1", "017700000001",
    ],
)  # fmt: skip
async def test_address_that_is_not_public_is_barred_however_written(host: str) -> None:
    with pytest.raises((TargetGone, TargetDown)):
        await AddressBook(()).find(host, 443)


async def test_address_on_the_list_or_of_the_internet_is_reached() -> None:
    place = await AddressBook(parse("10.0.0.0/8")).find("10.1.2.3", 8443)
    assert (place.authority, place.is_listed) == ("10.1.2.3:8443", True)
    public = await AddressBook(()).find("2606:4700::1111", 443)
    assert (public.authority, public.is_listed) == ("[2606:4700::1111]:443", False)
    with pytest.raises(TargetGone):
        await AddressBook(parse("10.0.0.0/8")).find("11.0.0.1", 1) and await AddressBook(()).find(
            "10.0.0.1", 1
        )


@pytest.mark.parametrize(
    "address",
    [
        {}, {"url": 3}, {"url": "ftp://a.example/"}, {"url": "https://u:p@a.example/"}, {"url": "https://"},
        {"url": "https://a.example/#x"}, {"url": "https://例.example/"}, {"url": "https://a b.example/"},
        {"url": "https://a.example:0/"}, {"url": "https://a.example:99999/"}, {"url": "https://a/", "x": 1},
        {"url": "https://a.example/" + "x" * 3000},
    ],
)  # fmt: skip
async def test_webhook_described_badly_is_refused_with_a_pointer_and_nothing_made(
    world: World, feed: Feed, address: dict[str, object]
) -> None:
    await world.give()
    with pytest.raises(SchemaViolation) as refused:
        await add(feed, "", address=address)
    assert all(error.pointer.startswith("/address/") for error in refused.value.errors)
    standings = await feed.list_own(caller=world.consumer)
    assert [each.consumer.name for each in standings] == ["default"]


async def test_secret_is_sealed_to_its_target_and_shown_nowhere(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url, secret="very-secret-token")
    async with world.database.acquire() as connection:
        stored = await connection.fetchval("SELECT secret FROM subscriptions.target")
        log = await connection.fetchval("SELECT string_agg(body::text, '') FROM core.log_leaf")
    assert b"very-secret-token" not in stored
    assert "very-secret-token" not in log + repr(target)
    box = SecretBox(b"target".ljust(32, b"."))
    assert box.open(stored, target_id=target.id) == "very-secret-token"
    with pytest.raises(Unavailable):
        box.open(stored, target_id=UUID(int=1))
    with pytest.raises(Unavailable):
        SecretBox(b"x" * 32).open(stored, target_id=target.id)


async def test_targets_of_others_are_not_to_be_found_and_need_the_service_item(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    target = await add(feed, receiver.url)
    with pytest.raises(NotFound):
        await feed.services.push.targets.list_targets(
            caller=world.stranger, subscription_id=target.subscription_id
        )
    with pytest.raises(Forbidden):
        await feed.services.push.targets.add(
            caller=world.consumer,
            purpose=replace(PURPOSE, service_item="别的事项"),
            subscription_id=target.subscription_id,
            name="more",
            start=Start.NOW,
            kind=TargetKind.WEBHOOK,
            address={"url": receiver.url},
            secret=None,
            batch_rows=1,
        )


async def test_clock_of_a_hub_that_jumps_moves_no_lease_and_loses_nothing(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    await add(feed, receiver.url, batch_rows=1)
    await world.publish([build_row(n) for n in range(4)])
    jumps = iter([timedelta(days=-400), timedelta(days=20), timedelta(0), timedelta(hours=-3)] * 50)
    await work(build_worker(feed, now=lambda: utc_now() + next(jumps)))
    assert receiver.effects == [(1, n) for n in range(1, 5)]
    assert len(set(receiver.keys)) == 4
