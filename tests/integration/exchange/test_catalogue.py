"""The life of a resource over HTTP: draft, review, published, recalled; hostile descriptions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.settings import Settings
from hub.app import create_app
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import ITEMS, body, grant, ok, publish, send


@pytest.fixture
async def reviewing_hub(hub_settings: Settings) -> AsyncIterator[RunningHub]:
    """A hub where an administrator reviews what enters the catalogue."""
    app = create_app(hub_settings.model_copy(update={"catalogue_review": True}))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", timeout=60) as client:
            yield await RunningHub.start(app=app, client=client)


async def test_resource_under_review_goes_from_draft_to_published_and_each_step_is_logged(
    reviewing_hub: RunningHub,
) -> None:
    hub = reviewing_hub
    made = await ok(hub, "POST", "/v1/resources", body() | {"draft": True})
    assert made["state"] == "draft"
    assert (await send(hub, "GET", "/v1/resources/things", who="police")).status_code == 404
    assert await ok(hub, "GET", "/v1/resources?q=物品") == []
    own = hub.members["market"].code
    drafts = await ok(hub, "GET", f"/v1/resources?state=draft&provider={own}")
    assert [found["code"] for found in drafts] == ["things"]
    await ok(hub, "PUT", "/v1/resources/things/draft", body(title="物品登记"))
    assert (await ok(hub, "POST", "/v1/resources/things/submit"))["state"] == "in_review"
    refused = await send(hub, "POST", "/v1/resources/things/review", {"decision": "approve"})
    assert refused.json()["code"] == "AUTH-SCOPE-MISSING"
    returned = {"decision": "return", "reason": "摘要没有写"}
    assert (await ok(hub, "POST", "/v1/resources/things/review", returned, who="admin"))["state"] == "draft"
    await ok(hub, "PUT", "/v1/resources/things/draft", body(title="物品登记", summary="登记的物品"))
    await ok(hub, "POST", "/v1/resources/things/submit")
    approved = await ok(hub, "POST", "/v1/resources/things/review", {"decision": "approve"}, who="admin")
    assert approved["state"] == "published"
    assert approved["published_at"]
    found = await ok(hub, "GET", "/v1/resources?q=物品登记", who="police")
    assert [each["code"] for each in found] == ["things"]
    assert (await publish(hub, "things", "code,name\na,甲\n", "1"))["accepted"] == 1
    history = await ok(hub, "GET", "/v1/resources/things/history")
    assert [step["state"] for step in history] == ["draft", "in_review", "draft", "in_review", "published"]
    async with hub.services.database.acquire() as connection:
        logged = await connection.fetch(
            "SELECT body::jsonb -> 'details' ->> 'to' AS state FROM core.log_leaf"
            " WHERE event = 'resource.state_changed' ORDER BY recorded_at"
        )
    assert [each["state"] for each in logged] == [step["state"] for step in history]


async def test_draft_has_no_data_and_no_grants(reviewing_hub: RunningHub) -> None:
    hub = reviewing_hub
    await ok(hub, "POST", "/v1/resources", body())
    answer = await hub.client.post(
        "/v1/resources/things/batches",
        content="code,name\na,b\n",
        headers=hub.members["market"].headers | {"Idempotency-Key": "1", "Content-Type": "text/csv"},
    )
    assert answer.status_code == 404
    assert (await send(hub, "POST", "/v1/resources/things/query", {"keys": {"code": "a"}})).status_code == 404


async def test_recalled_resource_is_closed_to_everybody_with_the_reason_and_opens_again(
    hub: RunningHub,
) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name\na,甲\n", "1")
    await grant(hub, "things", ["code", "name"], ["query", "subscribe"])
    followed = await ok(
        hub, "POST", "/v1/subscriptions", {"resource": "things", "from": "start"}, who="approval"
    )
    recall = {"reason": "来源系统数据有误"}
    assert (await send(hub, "POST", "/v1/resources/things/recall", {"reason": " "})).status_code == 422
    stranger = await send(hub, "POST", "/v1/resources/things/recall", recall, who="police")
    assert stranger.status_code == 403
    assert (await ok(hub, "POST", "/v1/resources/things/recall", recall))["state"] == "recalled"
    asked = {
        "items": ["name"],
        "modes": ["query"],
        "service_items": ["*"],
        "purpose": "x",
        "legal_basis": "y",
    }
    closed = [
        await send(hub, "POST", "/v1/resources/things/query", {"keys": {"code": "a"}}, who="approval"),
        await send(hub, "GET", f"/v1/subscriptions/{followed['id']}/changes", who="approval"),
        await send(hub, "POST", "/v1/resources/things/applications", asked | {"valid_days": 3}, who="civil"),
        await hub.client.post(
            "/v1/resources/things/batches",
            content="code,name\nb,乙\n",
            headers=hub.members["market"].headers | {"Idempotency-Key": "2", "Content-Type": "text/csv"},
        ),
    ]
    for answer in closed:
        assert (answer.status_code, answer.json()["code"]) == (409, "RESOURCE-CLOSED"), answer.text
        assert "来源系统数据有误" in answer.json()["detail"]
    assert await ok(hub, "GET", "/v1/resources?q=物品") == []
    assert (await ok(hub, "POST", "/v1/resources/things/submit"))["state"] == "published"
    rows = await ok(hub, "POST", "/v1/resources/things/query", {"keys": {"code": "a"}}, who="approval")
    assert rows["rows"][0]["name"] == "甲"


async def test_resource_keeps_its_whole_metadata_and_gets_a_national_code(hub: RunningHub) -> None:
    metadata = {
        "title_en": "Things",
        "aliases": ["物件"],
        "classification_code": "307001",
        "classification_titles": ["部门", "市场监管", "登记"],
        "share_methods": ["interface", "file"],
        "open_type": "conditional",
        "open_condition": "脱敏后",
        "source_system": "登记系统",
        "format_type": "postgresql",
    }
    items = [
        *ITEMS,
        {"name": "note", "title": "备注", "format": "C..50", "description": "说明", "element": "DE1"},
    ]
    sent = body(metadata=metadata, items=items, external_codes={"province": "ZJ-1"})
    made = await ok(hub, "POST", "/v1/resources", sent)
    shown = await ok(hub, "GET", "/v1/resources/things", who="police")
    assert made == shown
    assert {name: shown["metadata"][name] for name in metadata} == metadata
    assert shown["external_codes"] == {"national": "307001/00001", "province": "ZJ-1"}
    assert (shown["items"][3]["element"], shown["share_type"]) == ("DE1", "unconditional")
    taken = await send(hub, "POST", "/v1/resources", body("other", external_codes={"province": "ZJ-1"}))
    assert taken.status_code == 409


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "title of 5,000 characters": ({"title": "物" * 5000}, "/title"),
    "NUL in a title": ({"title": "a\x00b"}, "/title"),
    "lone surrogate": ({"summary": "\ud800"}, ""),
    "SQL in the code": ({"code": 'x"; DROP TABLE exchange.resource; --'}, "/code"),
    "SQL in an item": ({"items": [ITEMS[0] | {"name": 'a" text, b'}]}, "/items/0/name"),
    "no key": ({"items": [ITEMS[1]]}, "/items"),
    "501 items": ({"items": [ITEMS[0] | {"name": f"i{n}"} for n in range(501)]}, "/items"),
    "names that differ by case": ({"items": [ITEMS[0], ITEMS[1] | {"name": "CODE"}]}, "/items/0/name"),
    "related to itself": ({"metadata": {"related_codes": ["things"]}}, "/metadata/related_codes"),
    "related to nothing": ({"metadata": {"related_codes": ["nothing"]}}, "/metadata/related_codes/0"),
    "open but conditional": ({"items": [ITEMS[0] | {"is_open": True}]}, "/items/0/is_open"),
    "five levels": (
        {"metadata": {"classification_titles": list("abcde")}},
        "/metadata/classification_titles",
    ),
    "wrong national code": ({"external_codes": {"national": "x/1"}}, "/external_codes/national"),
    "wrong classification": ({"metadata": {"classification_code": "0"}}, "/metadata/classification_code"),
}


async def test_hostile_descriptions_each_give_one_clear_error_and_change_nothing(hub: RunningHub) -> None:
    headers = hub.members["market"].headers | {"Content-Type": "application/json"}
    for case, (changes, pointer) in HOSTILE.items():
        content = json.dumps(body() | changes).encode()
        answer = await hub.client.post("/v1/resources", content=content, headers=headers)
        assert answer.status_code in {400, 422}, (case, answer.text)
        pointers = {error["pointer"] for error in answer.json().get("errors", [])}
        assert pointer == "" or pointer in pointers, (case, pointers)
    assert await ok(hub, "GET", "/v1/resources") == []
