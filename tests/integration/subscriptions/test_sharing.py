"""Sharing over a directory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import GrantMissing
from hub.services import utc_now
from subscriptions.sharing import files
from tests.hubs import RunningHub
from tests.sharing_behaviour import FIRST, SharingBehaviour
from tests.sharing_world import SharingWorld, fetch_profile, give, open_sharing_world, read_lines


class TestSharingOverADirectory(SharingBehaviour):
    """The behaviour suite over a directory."""


async def test_table_that_is_not_written_yet_is_unavailable_and_not_an_error(hub: RunningHub) -> None:
    hub.services.lake.writer._default = "off"
    world = await open_sharing_world(hub)
    for method, path in (("GET", "/version"), ("POST", "/query")):
        answer = await world.call(method, path, **({"json": {}} if method == "POST" else {}))
        assert answer.status_code == 503, answer.text


async def test_suspended_system_stops_its_profiles(hub: RunningHub) -> None:
    world = await open_sharing_world(hub)
    await world.publish(FIRST)
    async with hub.services.database.transaction() as connection:
        await connection.execute(
            "UPDATE core.system SET status = 'suspended' WHERE organisation_code = $1",
            hub.members["police"].code,
        )
    assert (await world.call("POST", "/query", json={})).status_code == 401


async def test_file_that_is_being_sent_is_cut_off_when_the_grant_is_revoked(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE_BYTES", 100)
    world = await open_sharing_world(hub)
    await world.publish(FIRST)
    ticket = (await world.query())[1][0]["file"]["url"].rpartition("/")[2]
    service = hub.services.sharing.files
    pieces = service.read(await service.open(ticket, wanted=None))
    assert len(await anext(pieces)) == 100
    revoked = await hub.client.post(
        f"/v1/grants/{world.grant_id}/revocation", json={"reason": "止"}, headers=world.provider.headers
    )
    assert revoked.status_code == 200
    with pytest.raises(GrantMissing):
        await anext(pieces)


async def test_address_is_good_through_a_long_read_and_then_asked_for_anew(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE_BYTES", 100)
    world = await open_sharing_world(hub)
    await world.publish(FIRST)
    answer = (await world.query())[1][0]["file"]
    whole = (await hub.client.get(answer["url"])).content
    ends = datetime.fromtimestamp(answer["expirationTimestamp"] / 1000, UTC)
    life = timedelta(seconds=hub.services.settings.share_url_ttl_s)
    assert timedelta(0) < ends - utc_now() <= life
    service, ticket = hub.services.sharing.files, answer["url"].rpartition("/")[2]
    monkeypatch.setattr(service, "_now", lambda: ends - timedelta(seconds=1))
    pieces = service.read(await service.open(ticket, wanted=None))
    read = await anext(pieces)
    monkeypatch.setattr(service, "_now", lambda: ends + timedelta(seconds=1))
    read += b"".join([piece async for piece in pieces])
    assert read == whole
    assert (await hub.client.get(answer["url"])).status_code == 403
    again = (await world.query())[1][0]["file"]
    assert (again["id"], again["size"]) == (answer["id"], answer["size"])
    assert (await hub.client.get(again["url"])).content == whole


async def test_answers_tell_what_is_under_objection_in_the_rows_of_the_grant(hub: RunningHub) -> None:
    """Another department disputes values; a share tells of those in its rows and items alone."""
    world = await open_sharing_world(
        hub, items=["code", "name"], row_filter={"some": {"item": "code", "in": ["1", "2"]}}
    )
    await world.publish(FIRST)
    await give(hub, modes=["query"], service_items=["食品经营许可"])
    police = hub.members["police"].purposeful
    assert "shuzheng.disputed" not in (await world.query())[0]["configuration"]
    for code, item in (("2", "name"), ("1", "amount"), ("3", "name")):
        asked = {"keys": {"code": code}, "item": item, "claim": "有误", "basis": "执照"}
        raised = await hub.client.post("/v1/resources/things/objections", json=asked, headers=police)
        assert raised.status_code == 201, raised.text
    told = [{"key": {"code": "2"}, "items": ["name"]}]
    assert json.loads((await world.query())[0]["configuration"]["shuzheng.disputed"]) == told
    answer = await world.call("GET", "/changes", params={"startingVersion": "1"})
    assert json.loads(read_lines(answer)[0]["configuration"]["shuzheng.disputed"]) == told
    delta = await hub.client.post(
        world.table + "/query",
        json={},
        headers=world.bearer | {"delta-sharing-capabilities": "responseformat=delta"},
    )
    described = json.loads(delta.text.splitlines()[1])["metaData"]["deltaMetadata"]
    assert json.loads(described["configuration"]["shuzheng.disputed"]) == told


async def test_items_read_in_a_share_are_not_reported_as_unused(hub: RunningHub) -> None:
    world = await open_sharing_world(hub, items=["code", "name"])
    await world.publish(FIRST)
    path, headers = f"/v1/grants/{world.grant_id}/use", hub.members["police"].headers
    assert (await hub.client.get(path, headers=headers)).json()["unused_items"] == ["code", "name"]
    assert await world.rows()
    told = (await hub.client.get(path, headers=headers)).json()
    assert (told["calls"], told["rows"], told["unused_items"]) == (1, 3, [])


async def test_correction_reaches_whoever_read_the_old_value_in_a_share_and_nobody_else(
    hub: RunningHub,
) -> None:
    """Of two grants in bulk one has the row; a third reads the share once the value is corrected."""
    terms = {"items": ["code", "name"]}
    world = await open_sharing_world(hub, **terms, row_filter={"some": {"item": "code", "in": ["1", "2"]}})
    await world.publish(FIRST)
    assert await world.rows()
    other = await give(hub, **terms, row_filter={"none": {"item": "code", "equals": "1"}})
    other_world = SharingWorld(hub=hub, grant_id=other, profile=await fetch_profile(hub, other))
    assert await other_world.rows()
    await give(hub, modes=["query"], service_items=["食品经营许可"])
    police = hub.members["police"].purposeful
    asked = {"keys": {"code": "2"}, "item": "name", "claim": "有误", "basis": "执照"}
    raised = await hub.client.post("/v1/resources/things/objections", json=asked, headers=police)
    await world.publish("code,name\n2,正\n")
    late = await give(hub, **terms)
    late_world = SharingWorld(hub=hub, grant_id=late, profile=await fetch_profile(hub, late))
    assert await late_world.rows()
    ruled = await hub.client.post(
        f"/v1/objections/{raised.json()['id']}/ruling",
        json={"ruling": "uphold", "reason": "已核实"},
        headers=world.provider.headers,
    )
    assert ruled.status_code == 200, ruled.text
    (correction,) = (await hub.client.get("/v1/corrections", headers=police)).json()
    assert (correction["grant_id"], correction["basis"]) == (world.grant_id, "share")
    assert correction["change"]["row"] == {"code": "2", "name": "正"}
