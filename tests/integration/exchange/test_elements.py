"""The element registry over HTTP."""

from __future__ import annotations

from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import ITEMS, body, ok, send

BOILER = {
    "identifier": "TE.001",
    "title": "锅炉额定压力",
    "definition": "锅炉铭牌标明的压力,单位为兆帕",
    "format": "N..6,2",
    "synonyms": ["额定蒸汽压力"],
}


async def test_registered_element_is_found_matched_and_logged(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/elements", BOILER)
    assert [each["identifier"] for each in await ok(hub, "GET", "/v1/elements?q=蒸汽压力", who="civil")] == [
        "TE.001"
    ]
    assert len(await ok(hub, "GET", "/v1/elements")) > 20
    items = [*ITEMS, {"name": "p", "title": "额定蒸汽压力", "format": "C..9"}]
    await ok(hub, "POST", "/v1/resources", body(items=items))
    matched = {
        each["item"]: each["matches"] for each in await ok(hub, "GET", "/v1/resources/things/elements")
    }
    assert matched["p"][0]["element"] == "TE.001"
    assert matched["p"][0]["differences"] == ["type: C..9 here, N..6,2 there"]
    assert (await ok(hub, "GET", "/v1/code-lists"))["gbt2261.1"]["1"] == "男性"
    async with hub.services.database.acquire() as connection:
        logged = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'element.registered'"
        )
    assert logged == 1


async def test_wrong_or_taken_elements_give_one_clear_error(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/elements", BOILER)
    assert (await send(hub, "POST", "/v1/elements", BOILER)).status_code == 409
    shipped = await send(hub, "POST", "/v1/elements", BOILER | {"identifier": "DE00001"})
    assert shipped.status_code == 409
    wrong = {"identifier": "'; DROP", "title": "物" * 5000, "format": "Q", "code_list": "x", "synonyms": [""]}
    answer = await send(hub, "POST", "/v1/elements", BOILER | wrong)
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/identifier",
        "/title",
        "/format",
        "/code_list",
        "/synonyms/0",
    }
