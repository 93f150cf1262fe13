"""What becomes of certificates over HTTP: replaced, expired, refused, found, and altered in the store."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest

from core.log.model import Event
from tests.integration.certs.conftest import LICENCE, World
from tests.integration.certs.test_certificates import (
    NUMBER,
    ORDER,
    allow_use,
    events_of,
    fetch,
    issue,
    register_seal,
    verify,
)


async def test_successor_supersedes_and_links_both_ways(world: World) -> None:
    await register_seal(world)
    await allow_use(world)
    old = await issue(world)
    file = (await fetch(world, old["identifier"])).content
    new = await issue(world, predecessor=old["identifier"], data=ORDER["data"] | {"FDDBR": "李四光"})
    assert (new["version"], new["predecessor"]) == (2, old["identifier"])
    report = await verify(world, file)
    assert (report["status"], report["register"]["status"]) == ("INVALID", "superseded")
    assert report["register"]["successor"] == new["identifier"]
    market = world.hub.members["market"].headers
    again = await world.client.post(
        "/v1/certificates", json=ORDER | {"predecessor": old["identifier"]}, headers=market
    )
    assert again.status_code == 409
    detail = await world.client.get(f"/v1/certificates/{old['identifier']}", headers=market)
    assert [change["to_status"] for change in detail.json()["changes"]] == ["active", "superseded"]


async def test_certificate_past_its_last_day_is_expired(world: World) -> None:
    await register_seal(world)
    await allow_use(world)
    last = (world.clock() + timedelta(days=9)).date().isoformat()
    identifier = (await issue(world, valid_until=last))["identifier"]
    file = (await fetch(world, identifier)).content
    world.clock.ahead = timedelta(days=11)
    assert (await fetch(world, identifier)).json()["code"] == "CERT-NOT-VALID"
    assert (await verify(world, file))["register"]["status"] == "expired"


@pytest.mark.parametrize("to", ["expired", "superseded", "not_activated"])
async def test_status_that_cannot_be_set_is_a_conflict(world: World, to: str) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    answer = await world.client.post(
        f"/v1/certificates/{identifier}/status",
        json={"to": to, "reason": "x"},
        headers=world.hub.members["market"].headers,
    )
    assert answer.status_code == 409


async def test_status_set_by_another_organisation_is_refused(world: World) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    answer = await world.client.post(
        f"/v1/certificates/{identifier}/status",
        json={"to": "revoked", "reason": "x"},
        headers=world.hub.members["police"].headers,
    )
    assert answer.status_code == 403
    assert (
        await world.client.get(f"/v1/certificates/{identifier}", headers=world.hub.members["police"].headers)
    ).status_code == 404


async def test_fetch_without_rule_is_refused_and_logged(world: World) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    answer = await fetch(world, identifier)
    assert (answer.status_code, answer.json()["code"]) == (403, "CERT-USE-REFUSED")
    assert (await events_of(world, identifier))[-1] == Event.ACCESS_REFUSED
    assert (await fetch(world, identifier, member="market")).status_code == 200


async def test_fetch_without_purpose_is_refused(world: World) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    answer = await world.client.get(
        f"/v1/certificates/{identifier}/file", headers=world.hub.members["approval"].headers
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "ACCESS-PURPOSE-MISSING")


async def test_search_shows_only_what_the_case_may_use(world: World) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    approval = world.hub.members["approval"].purposeful
    body = {"holder_code": NUMBER, "holder_code_type": "001", "type_code": LICENCE}
    before = await world.client.post("/v1/certificates/search", json=body, headers=approval)
    assert before.json() == []
    await allow_use(world)
    after = await world.client.post("/v1/certificates/search", json=body, headers=approval)
    assert [found["identifier"] for found in after.json()] == [identifier]
    other = approval | {"Shuzheng-Service-Item": quote("别的事项")}
    assert (await world.client.post("/v1/certificates/search", json=body, headers=other)).json() == []
    data = await world.client.get(f"/v1/certificates/{identifier}/data", headers=approval)
    assert data.json()["data"]["CLRQ"] == "20200229"


async def test_file_altered_in_the_store_is_not_handed_out(world: World) -> None:
    await register_seal(world)
    identifier = (await issue(world))["identifier"]
    objects = world.hub.services.objects
    [key] = objects.keys("certificates/")
    objects.delete(key)
    objects.put(key, b"something else")
    answer = await fetch(world, identifier, member="market")
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE-UNAVAILABLE")
