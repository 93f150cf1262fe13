"""The feed over HTTP: forms, deliveries, countersignatures by the client with its key."""

from __future__ import annotations

import asyncio
import io

import pyarrow as pa
import pyarrow.parquet as pq

from connectors import GmsslKey, HubClient
from connectors.client import Purpose
from signing.sm2 import PublicKey, raw_to_der
from tests.hubs import RunningHub
from tests.integration.connectors.test_client_keys import SCALAR, Bridge
from tests.integration.core.credentials_world import give_key
from tests.integration.exchange.catalogue_bodies import body, grant, ok, publish, send

PURPOSE = Purpose(service_item="食品经营许可", case_number="2026-000001", operator="王审批")


async def follow(hub: RunningHub, rows: int = 25) -> str:
    await ok(hub, "POST", "/v1/resources", body())
    lines = "".join(f"k{n:03},名{n},{n}.50\n" for n in range(rows))
    await publish(hub, "things", f"code,name,amount\n{lines}", "1")
    await grant(hub, "things", ["code", "name", "amount"], ["subscribe"])
    made = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things", "from": "start"}, who="approval")
    return str(made["id"])


async def test_snapshot_over_several_pages_comes_whole_in_each_form(hub: RunningHub) -> None:
    subscription = await follow(hub)
    path = f"/v1/subscriptions/{subscription}/changes"
    headers = hub.members["approval"].purposeful
    for accept in ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"):
        found, after = [], None
        while True:
            params = {"limit": "10"} | ({"after": after} if after else {})
            answer = await hub.client.get(path, params=params, headers=headers | {"Accept": accept})
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == accept
            if "arrow" in accept:
                table = pa.ipc.open_stream(answer.content).read_all()
            else:
                table = pq.read_table(io.BytesIO(answer.content))
            assert table.num_rows == int(answer.headers["Shuzheng-Rows"])
            if not table.num_rows:
                break
            found += table.column("code").to_pylist()
            after = answer.headers["Shuzheng-Next-Cursor"]
        assert found == [f"k{n:03}" for n in range(25)]
    refused = await hub.client.get(path, headers=headers | {"Accept": "text/html"})
    assert (refused.status_code, refused.json()["code"]) == (406, "SUBSCRIPTION-FORM")


async def test_acknowledgement_of_a_client_with_a_key_countersigns_the_manifests(hub: RunningHub) -> None:
    subscription = await follow(hub)
    keyed = await give_key(hub, hub.members["approval"], SCALAR)
    key = GmsslKey(keyed.credential_id, f"{SCALAR:x}")
    client = HubClient(
        "http://hub.test",
        client_id=keyed.member.client_id,
        key=key,
        transport=Bridge(hub, asyncio.get_running_loop()),
    )

    def consume() -> None:
        assert len(list(client.changes(subscription, purpose=PURPOSE, limit=10))) == 25
        assert len(client.deliveries) == 3
        client.acknowledge(subscription, client.cursor or "")

    await asyncio.to_thread(consume)
    base = f"/v1/subscriptions/{subscription}/deliveries"
    listed = await ok(hub, "GET", base, None, who="approval")
    assert [each["rows"] for each in listed] == [5, 10, 10]
    assert all(each["is_countersigned"] and each["acknowledged_at"] for each in listed)
    manifest = await send(hub, "GET", f"{base}/{listed[0]['id']}/manifest", who="approval")
    async with hub.services.database.acquire() as connection:
        kept = await connection.fetchval(
            "SELECT countersignature FROM subscriptions.delivery WHERE manifest = $1", manifest.content
        )
    PublicKey.from_point(key.public_point).verify(raw_to_der(kept), manifest.content)


async def test_countersignature_that_does_not_hold_changes_nothing(hub: RunningHub) -> None:
    subscription = await follow(hub)
    member = hub.members["approval"]
    path = f"/v1/subscriptions/{subscription}"
    answer = await hub.client.get(f"{path}/changes", headers=member.purposeful)
    cursor, delivery = answer.headers["Shuzheng-Next-Cursor"], answer.headers["Shuzheng-Delivery"]
    wrong = {"cursor": cursor, "countersignatures": {delivery: "AAAA" * 22}}
    refused = await hub.client.post(f"{path}/ack", json=wrong, headers=member.headers)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == f"/countersignatures/{delivery}"
    again = await hub.client.get(f"{path}/changes", headers=member.purposeful)
    assert again.content == answer.content
    for garbage in ("§", "A" * 300):
        wrong = {"cursor": cursor, "countersignatures": {delivery: garbage}}
        refused = await hub.client.post(f"{path}/ack", json=wrong, headers=member.headers)
        assert refused.status_code == 422
