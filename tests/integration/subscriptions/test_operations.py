"""Lag, alerts and metrics: what is behind, stopped or late shows where its owner looks."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from typer.testing import CliRunner

from core.errors import BadInput
from core.settings import Settings
from hub.cli.main import app as command_line
from hub.services import utc_now
from signing.canonical_json import build_canonical_json
from signing.sm2 import PrivateKey, der_to_raw
from subscriptions.delivery.compare import compare_copy
from subscriptions.delivery.countersign import write_proof
from subscriptions.feed.page import Form
from subscriptions.model import Start
from subscriptions.operations.model import AlertKind
from subscriptions.operations.service import OperationsService
from tests.exchange_world import World, build_row
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import body, grant, ok, publish, send
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, build_worker, work
from tests.integration.subscriptions.receiver import Receiver
from tests.integration.subscriptions.test_feed import begin, read


def read_samples(text: str) -> dict[tuple[str, str], float]:
    """Read metrics with Prometheus's own parser: (name, consumer or resource) → value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = sample.labels.get("consumer") or sample.labels.get("resource") or ""
            found[sample.name, label] = sample.value
    return found


async def test_metrics_tell_lag_versions_and_requests(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await grant(hub, "things", ["code", "name"], ["subscribe"])
    made = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things"}, who="approval")
    await publish(hub, "things", "code,name\na,甲\nb,乙\n", "1")
    answer = await hub.client.get("/metrics")
    assert answer.status_code == 200
    samples = read_samples(answer.text)
    assert samples["shuzheng_subscription_lag_versions", "default"] == 1
    assert samples["shuzheng_subscription_lag_rows", "default"] == 2
    assert samples["shuzheng_subscription_lag_seconds", "default"] >= 0
    assert samples["shuzheng_resource_version", "things"] == 1
    assert samples["shuzheng_resource_rows", "things"] == 2
    assert samples["shuzheng_log_leaves", ""] + samples["shuzheng_log_leaves_waiting", ""] > 3
    assert 'route="/v1/subscriptions"' in answer.text
    assert made["id"] in answer.text
    changes = f"/v1/subscriptions/{made['id']}"
    cursor = (await send(hub, "GET", f"{changes}/changes", who="approval")).headers["Shuzheng-Next-Cursor"]
    listed = await ok(hub, "POST", f"{changes}/ack", {"cursor": cursor}, who="approval")
    assert (listed["lag_versions"], listed["lag_rows"], listed["lag_seconds"]) == (0, 0, 0.0)
    assert (
        read_samples((await hub.client.get("/metrics")).text)["shuzheng_subscription_lag_rows", "default"]
        == 0
    )


async def test_metrics_tell_how_far_the_lake_is_and_what_is_shared(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name\na,甲\nb,乙\n", "1")
    await ok(hub, "PUT", "/v1/resources/things/lake", {"followed": True})
    while await hub.services.lake.writer.follow("things"):
        pass
    async with hub.services.database.acquire() as connection:  # so that nobody else takes the next version
        await connection.execute(
            "UPDATE subscriptions.lake_state SET leased_until = now() + interval '1 day'"
        )
    await publish(hub, "things", "code,name\nc,丙\n", "2")
    samples = read_samples((await hub.client.get("/metrics")).text)
    told = {name: samples[f"shuzheng_lake_{name}", "things"] for name in ("lag_versions", "failures", "rows")}
    assert told == {"lag_versions": 1, "failures": 0, "rows": 2}
    assert samples["shuzheng_sharing_files", ""] == samples["shuzheng_sharing_bytes", ""] == 0


async def test_metrics_with_a_token_are_for_its_holder(hub: RunningHub) -> None:
    object.__setattr__(hub.services.settings, "metrics_token", SecretStr("t0ken"))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "t0ken"}):
        assert (await hub.client.get("/metrics", headers=headers)).status_code == 403
    assert (await hub.client.get("/metrics", headers={"Authorization": "Bearer t0ken"})).status_code == 200


async def test_alerts_tell_what_to_see_to_and_nothing_of_others(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    given = await world.give()
    target = await add(feed, receiver.url)
    operations = feed.services.operations
    assert await operations.list_alerts(caller=world.stranger) == []
    receiver.script.extend(["400"] * 5)
    receiver.always = "500"
    await world.publish([build_row(n) for n in range(6)])
    await work(build_worker(feed), rounds=15)
    async with world.database.acquire() as connection:
        await connection.execute("UPDATE exchange.version SET inserted_rows = 6")
    ids = {"caller": world.consumer, "subscription_id": target.subscription_id}
    await feed.services.subscriptions.pause(**ids, name="default", reason="停机")
    kinds = [alert.kind for alert in await operations.list_alerts(caller=world.consumer)]
    plain = [kind for kind in kinds if kind is not AlertKind.LAG]
    assert sorted(plain) == [AlertKind.DEAD_LETTERS, AlertKind.PAUSED, AlertKind.TARGET_FAILING]
    later = OperationsService(database=world.database, now=lambda: utc_now() + timedelta(days=2))
    lagging = [
        alert.consumer for alert in await later.list_alerts(caller=world.consumer) if alert.kind == "lag"
    ]
    assert set(lagging) == {"default", "hook"}
    await world.grants.revoke(caller=world.provider, grant_id=given.id, reason="用途不符")
    await work(build_worker(feed))
    told = {alert.kind: alert.detail for alert in await operations.list_alerts(caller=world.consumer)}
    assert "the grant has ended" in told[AlertKind.TARGET_STOPPED]
    kinds = [alert.kind for alert in await operations.list_alerts(caller=world.consumer)]
    assert kinds.count(AlertKind.GRANT_ENDED) == 2
    assert AlertKind.TARGET_STOPPED in kinds
    everyone = world.consumer
    assert await operations.list_alerts(caller=everyone)


async def test_copy_of_a_delivery_is_held_against_its_manifest(world: World, feed: Feed) -> None:
    await world.give(masks={"XM": {"*": "name"}})
    await world.publish([build_row(n, XM=None if n == 3 else f"人{n}") for n in range(6)])
    subscription = await begin(feed, world, Start.START)
    await world.publish([], [str(build_row(2)["GMSFHM"])])
    page = await read(feed, world, subscription)
    delivery = await feed.services.acknowledger.find_delivery(
        caller=world.consumer,
        subscription_id=subscription,
        consumer="default",
        delivery_id=page.delivery_id,  # type: ignore[arg-type]
    )
    manifest = json.loads(delivery.manifest)
    lines = page.body.decode().splitlines(keepends=True)
    assert compare_copy(page.body, manifest).same_bytes
    shuffled = compare_copy("".join(reversed(lines)).encode(), manifest)
    assert (shuffled.equal, shuffled.same_bytes, shuffled.rows_found) == (True, False, len(lines))
    parquet = await read(feed, world, subscription, form=Form.PARQUET)
    assert compare_copy(parquet.body, manifest).equal
    table = pq.read_table(io.BytesIO(parquet.body))
    sink = io.BytesIO()
    pq.write_table(table.slice(1), sink)
    for wrong in (sink.getvalue(), "".join(lines[1:]).encode(), page.body.replace(b"990101", b"990102")):
        assert not compare_copy(wrong, manifest).equal
    for garbage in (b"PAR1xxxx", b"{}\n", b"\xff\xff\xff\xff\x01", b"\xfe", b"[1]\n"):
        with pytest.raises(BadInput):
            compare_copy(garbage, manifest)
    with pytest.raises(BadInput):
        compare_copy(page.body, {"format": "other"})


async def test_reconcile_command_compares_a_copy_with_a_receipt_offline(
    hub: RunningHub, tmp_path: Path
) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name,amount\na,甲,1.50\nb,乙,\n", "1")
    await grant(hub, "things", ["code", "name", "amount"], ["subscribe"])
    made = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things", "from": "start"}, who="approval")
    base = f"/v1/subscriptions/{made['id']}"
    answer = await send(hub, "GET", f"{base}/changes", who="approval")
    receipt = await send(
        hub, "GET", f"{base}/deliveries/{answer.headers['Shuzheng-Delivery']}/receipt", who="approval"
    )
    root = await hub.client.get("/v1/trust/root.pem")
    for name, content in (("copy", answer.content), ("receipt", receipt.content), ("ca", root.content)):
        (tmp_path / name).write_bytes(content)
    arguments = ["reconcile", str(tmp_path / "copy"), "--receipt", str(tmp_path / "receipt"), "--ca"]
    runner = CliRunner()
    good = runner.invoke(command_line, [*arguments, str(tmp_path / "ca")])
    assert good.exit_code == 0, good.output
    key = PrivateKey.generate()
    manifest = build_canonical_json(json.loads(receipt.content)["payload"])
    for signed, code in ((manifest, 0), (manifest + b" ", 1)):
        proof = write_proof(signature=der_to_raw(key.sign(signed)), key=key.public_key, manifest=signed)
        (tmp_path / "proof").write_text(json.dumps(proof))
        more = [*arguments, str(tmp_path / "ca"), "--countersignature", str(tmp_path / "proof")]
        checked = runner.invoke(command_line, more)
        assert bool(checked.exit_code) == bool(code), checked.output
    (tmp_path / "copy").write_bytes(answer.content.replace("乙".encode(), "丙".encode()))
    assert runner.invoke(command_line, [*arguments, str(tmp_path / "ca")]).exit_code == 1
    assert Settings.model_fields["metrics_token"].default is None
