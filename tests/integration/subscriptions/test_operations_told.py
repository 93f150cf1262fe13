"""What operators are told over HTTP and in the metrics: each figure and each alert, and delivery history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.metrics import HUB_WIDE, build_registry, generate_latest
from hub.services import utc_now
from subscriptions.operations.model import AlertKind
from subscriptions.operations.service import OperationsService, assess
from tests.exchange_world import World, build_row
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import body, grant, ok, publish, send
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, build_worker, work
from tests.integration.subscriptions.receiver import Receiver
from tests.integration.subscriptions.test_feed import begin, drain
from tests.integration.subscriptions.test_leads import begin as begin_leads
from tests.integration.subscriptions.test_leads import build_keeper


async def scrape(feed: Feed) -> dict[tuple[str, str], float]:
    """Read the figures as Prometheus does: (name, kind of alert or consumer) → value."""
    figures = await feed.services.operations.count(organisation_code=None)
    text = generate_latest(build_registry(figures, {name: [] for name in HUB_WIDE})).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = sample.labels.get("consumer", "")
            if family.name == "shuzheng_subscription_alerts":
                label = sample.labels["kind"]
            found[sample.name.removeprefix("shuzheng_"), label] = sample.value
    return found


async def test_metrics_tell_how_targets_fare_and_which_alerts_there_are(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    given = await world.give()
    target = await add(feed, receiver.url)
    receiver.script.extend(["400"] * 5)
    receiver.always = "500"
    await world.publish([build_row(n) for n in range(6)])
    await work(build_worker(feed), rounds=12)
    ids = {"caller": world.consumer, "subscription_id": target.subscription_id}
    await feed.services.subscriptions.pause(**ids, name="default", reason="停机")
    told = await scrape(feed)
    assert told["push_dead_letters", "hook"] == 1
    assert told["push_failures", "hook"] >= 5
    assert (told["push_stopped", "hook"], told["subscription_granted", "hook"]) == (0, 1)
    assert (told["subscription_paused", "default"], told["subscription_paused", "hook"]) == (1, 0)
    for kind in (AlertKind.DEAD_LETTERS, AlertKind.TARGET_FAILING, AlertKind.PAUSED):
        assert told["subscription_alerts", kind] == 1
    await world.grants.revoke(caller=world.provider, grant_id=given.id, reason="用途不符")
    await work(build_worker(feed))
    told = await scrape(feed)
    assert (told["push_stopped", "hook"], told["subscription_granted", "hook"]) == (1, 0)
    assert told["subscription_alerts", AlertKind.GRANT_ENDED] == 2


async def test_late_leads_are_an_alert_and_a_figure(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin_leads(feed)
    await world.publish([build_row(n) for n in range(3)])
    await build_keeper(world).work_once()
    later = OperationsService(database=world.database, now=lambda: utc_now() + timedelta(days=90))
    figures = await later.count(organisation_code=world.consumer.organisation_code)
    assert [(each.open, each.overdue) for each in figures.leads] == [(3, 3)]
    alerts = [each for each in assess(figures, utc_now()) if each.kind is AlertKind.LEADS_OVERDUE]
    assert [each.subscription_id for each in alerts] == [subscription]
    assert "3 leads" in alerts[0].detail
    told = await scrape(feed)
    assert [value for (name, _), value in told.items() if name.startswith("leads_")] == [3, 0]


async def test_history_of_deliveries_is_paged_backwards(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(n) for n in range(7)])
    await drain(feed, world, subscription, 1)
    ids = {"caller": world.consumer, "subscription_id": subscription, "consumer": "default"}
    found, before = [], None
    while page := await feed.services.acknowledger.list_deliveries(**ids, before=before, limit=3):
        found += page
        before = page[-1].delivered_at
    assert [str(each.last) for each in found] == [f"1.{n}" for n in range(7, 0, -1)]
    assert all(each.acknowledged_at and each.acknowledged_at >= each.delivered_at for each in found)


async def test_alerts_over_http_are_ones_own_and_all_are_the_administrators(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await grant(hub, "things", ["code", "name"], ["subscribe"])
    made = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things"}, who="approval")
    await publish(hub, "things", "code,name\na,甲\n", "1")
    base = f"/v1/subscriptions/{made['id']}/consumers/default"
    await ok(hub, "POST", f"{base}/pause", {"reason": "检修"}, who="approval")
    refused = await send(hub, "GET", f"/v1/subscriptions/{made['id']}/changes", who="approval")
    assert (refused.status_code, refused.json()["code"]) == (409, "SUBSCRIPTION-PAUSED")
    own = await ok(hub, "GET", "/v1/subscription-alerts", None, who="approval")
    assert [(each["kind"], each["consumer"]) for each in own] == [("paused", "default")]
    assert "检修" in own[0]["detail"]
    assert await ok(hub, "GET", "/v1/subscription-alerts", None, who="police") == []
    assert (await send(hub, "GET", "/v1/subscription-alerts/all", who="approval")).status_code == 403
    everything = await hub.client.get("/v1/subscription-alerts/all", headers=hub.admin.headers)
    assert [each["kind"] for each in everything.json()] == ["paused"]
    await ok(hub, "POST", f"{base}/resume", {"reason": "完成"}, who="approval")
    cursor = {"cursor": "2.0", "reason": "已线下处理"}
    skipped = await ok(hub, "POST", f"{base}/skip", cursor, who="approval")
    assert (skipped["lag_versions"], skipped["paused_at"]) == (0, None)
    with pytest.raises(AssertionError):
        await ok(hub, "POST", f"{base}/skip", cursor | {"reason": ""}, who="approval")
