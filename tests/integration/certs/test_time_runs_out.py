"""What holds for a time holds no longer: codes shown, confirmations, downloads, copies, codes of use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from certs.ofd.font_search import load_fonts
from certs.produce import build_producer
from tests.integration.certs.conftest import LICENCE, World
from tests.integration.certs.test_certificates import issue
from tests.integration.certs.test_use import CASE, HOLDER, authorise, get, in_hours, post, prepare, verify


@pytest.mark.parametrize(("late", "status"), [(59, 200), (61, 404)])
async def test_code_is_scanned_within_its_minute_only(world: World, late: int, status: int) -> None:
    identifier = (await prepare(world.hub))["identifier"]
    body = {"identifier": identifier, "acting": HOLDER}
    shown = (await post(world.hub, "/v1/presentations", body, "civil")).json()
    world.clock.ahead = timedelta(seconds=late)
    scanned = await post(world.hub, "/v1/presentations/scan", {"code": shown["code"]})
    assert scanned.status_code == status, scanned.text
    assert (shown["id"] in scanned.text) is (status == 200)


async def test_presentation_that_waited_too_long_is_neither_confirmed_nor_released(world: World) -> None:
    identifier = (await prepare(world.hub))["identifier"]
    body = {"identifier": identifier, "acting": HOLDER}
    paths = []
    for _ in range(2):
        shown = (await post(world.hub, "/v1/presentations", body, "civil")).json()
        await post(world.hub, "/v1/presentations/scan", {"code": shown["code"]})
        paths.append(f"/v1/presentations/{shown['id']}")
    confirm = {"acting": HOLDER, "confirm": True}
    assert (await post(world.hub, f"{paths[0]}/decide", confirm, "civil")).status_code == 200
    world.clock.ahead = timedelta(seconds=301)
    assert (await post(world.hub, f"{paths[1]}/decide", confirm, "civil")).status_code == 409
    late = await post(world.hub, f"{paths[0]}/release", None)
    assert late.status_code == 409
    assert "张三丰" not in late.text


async def make_copy(world: World) -> dict[str, Any]:
    world.certs.issue._produce = build_producer(load_fonts())  # copies are made of whole documents
    identifier = (await prepare(world.hub))["identifier"]
    path = f"/v1/certificates/{identifier}/copies"
    made = await post(world.hub, path, {"cause": "x", "expires_at": in_hours(1)})
    assert made.status_code == 201, made.text
    return dict(made.json())


@pytest.mark.parametrize(("late", "status"), [(599, 200), (601, 404)])
async def test_download_address_lapses_after_ten_minutes(world: World, late: int, status: int) -> None:
    copy = await make_copy(world)
    made = await post(world.hub, f"/v1/certificate-copies/{copy['id']}/download-url", None)
    world.clock.ahead = timedelta(seconds=late)
    assert (await world.client.get(urlsplit(made.json()["url"]).path)).status_code == status


async def test_copy_past_its_expiry_is_not_given_out(world: World) -> None:
    path = f"/v1/certificate-copies/{(await make_copy(world))['id']}"
    assert (await get(world.hub, f"{path}/file")).status_code == 200
    world.clock.ahead = timedelta(hours=1, seconds=1)
    assert (await get(world.hub, f"{path}/file")).status_code == 404
    assert (await post(world.hub, f"{path}/download-url", None)).status_code == 404


async def test_copy_is_examined_before_and_after_its_expiry(world: World) -> None:
    path = f"/v1/certificate-copies/{(await make_copy(world))['id']}"
    data = (await get(world.hub, f"{path}/file")).content
    found = (await verify(world.hub, data))["register"]
    assert {each["code"] for each in found["findings"]} == {"I197"}
    assert found["match"] == "copy"
    world.clock.ahead = timedelta(hours=1, seconds=1)
    late = (await verify(world.hub, data))["register"]
    assert {each["code"]: each["severity"] for each in late["findings"]} == {"I197": "info", "E198": "error"}
    assert late["status"] == "valid"  # of the original


async def test_authorisation_past_its_time_opens_nothing(world: World) -> None:
    identifier = (await prepare(world.hub))["identifier"]
    given = await authorise(world.hub, identifier, HOLDER, minutes=10, max_uses=5)
    code = {"Shuzheng-Authorisation": given.json()["code"]} | CASE
    path = f"/v1/certificates/{identifier}/data"
    assert (await get(world.hub, path, "police", **code)).status_code == 200
    world.clock.ahead = timedelta(minutes=10, seconds=1)
    late = await get(world.hub, path, "police", **code)
    assert (late.status_code, late.json()["code"]) == (403, "CERT-AUTHORISATION-REFUSED")


async def test_certificate_issued_not_activated_is_worth_nothing_before_it_is(world: World) -> None:
    await prepare(world.hub)
    issued = await issue(world, number="LATER", is_active=False)
    path = f"/v1/certificates/{issued['identifier']}"
    assert issued["status"] == "not_activated"
    refused = await get(world.hub, f"{path}/data")
    assert (refused.status_code, refused.json()["code"]) == (409, "CERT-NOT-VALID")
    assert issued["type_code"] == LICENCE
    done = await post(world.hub, f"{path}/status", {"to": "active", "reason": "领取"}, "market")
    assert done.json()["status"] == "active"
    assert (await get(world.hub, f"{path}/data")).status_code == 200
