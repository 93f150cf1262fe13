"""Targets in tests: how they are added, and a worker that loses no time."""

from __future__ import annotations

from typing import Any

from core.identity.networks import parse_networks
from hub.services import utc_now
from signing.http_signature_keys import Sm2HttpSigner
from subscriptions.model import Start
from subscriptions.push.addresses import AddressBook
from subscriptions.push.model import Target, TargetKind
from subscriptions.push.progress import Progress
from subscriptions.push.secret_box import SecretBox
from subscriptions.push.webhook import WebhookCarrier
from subscriptions.push.worker import Pusher
from tests.exchange_world import PURPOSE
from tests.integration.subscriptions.feed_world import HUB_KEY, Feed
from tests.integration.subscriptions.test_feed import begin


def build_worker(feed: Feed, *, lease_s: float = 30.0, timeout_s: float = 2.0, now: Any = utc_now) -> Pusher:
    """Build a worker that loses no time between attempts."""
    networks = AddressBook(parse("127.0.0.0/8"))
    signer = Sm2HttpSigner(key_id="hub", signer=HUB_KEY)
    progress = Progress(
        database=feed.world.database, log=feed.world.log, now=now, lease_s=lease_s, backoff_s=0.0
    )
    carrier = WebhookCarrier(addresses=networks, signer=signer, now=now, timeout_s=timeout_s)
    return Pusher(
        feed=feed.services.feed,
        progress=progress,
        carriers={TargetKind.WEBHOOK: carrier},
        secrets=SecretBox(b"target".ljust(32, b".")),
        waker=feed.services.waker,
    )


def parse(text: str) -> tuple[Any, ...]:
    return parse_networks([text])


async def add(feed: Feed, url: str, *, name: str = "hook", batch_rows: int = 3, **more: Any) -> Target:
    subscription = await begin(feed, feed.world)
    return await feed.services.push.targets.add(
        caller=feed.world.consumer,
        purpose=PURPOSE,
        subscription_id=subscription,
        name=name,
        start=more.pop("start", Start.NOW),
        kind=more.pop("kind", TargetKind.WEBHOOK),
        address=more.pop("address", {"url": url}),
        secret=more.pop("secret", None),
        batch_rows=batch_rows,
    )


async def look(feed: Feed, target: Target) -> Target:
    found = await feed.services.push.targets.list_targets(
        caller=feed.world.consumer, subscription_id=target.subscription_id
    )
    return next(each for each in found if each.id == target.id)


async def work(worker: Pusher, rounds: int = 30) -> None:
    for _ in range(rounds):
        if not await worker.work_once():
            return


async def resume(feed: Feed, target: Target) -> None:
    await feed.services.push.targets.resume(
        caller=feed.world.consumer,
        subscription_id=target.subscription_id,
        name=target.consumer,
        reason="已改表",
    )
