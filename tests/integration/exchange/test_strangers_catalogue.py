"""Data elements and catalogue documents, tried with the token of an organisation they are not of."""

from __future__ import annotations

import json

from tests.hubs import RunningHub
from tests.integration.exchange.test_break_in import RESOURCE, prepare
from tests.integration.exchange.test_strangers import describe

ELEMENT = {"identifier": "DE90001", "title": "住房面积", "definition": "套内面积", "format": "N..8,2"}


async def test_element_of_another_organisation_cannot_be_registered_over(hub: RunningHub) -> None:
    owner, stranger = hub.members["police"], hub.members["market"]
    made = await hub.client.post("/v1/elements", json=ELEMENT, headers=owner.headers)
    assert made.status_code == 201, made.text
    over = await hub.client.post("/v1/elements", json=ELEMENT | {"title": "别的"}, headers=stranger.headers)
    assert over.status_code in {403, 409}, over.text
    for headers in ({}, hub.admin.headers, hub.auditor.headers):
        refused = await hub.client.post("/v1/elements", json=ELEMENT, headers=headers)
        assert refused.status_code in {401, 403}, refused.text
    found = await hub.client.get("/v1/elements", params={"q": "DE90001"}, headers=stranger.headers)
    assert [(each["title"], each["owner_code"]) for each in found.json()] == [("住房面积", owner.code)]


async def test_resource_of_another_organisation_cannot_be_imported_over(hub: RunningHub) -> None:
    owner, _ = await prepare(hub)
    stranger = hub.members["market"]
    before = await describe(hub, owner)
    for change in ({}, {"title": "别的"}, {"items": RESOURCE["items"][:2]}):
        document = {"format": "shuzheng-catalogue", "version": 1, "resources": [RESOURCE | change]}
        for asked in ({}, {"draft": "true"}, {"dry_run": "true"}):
            answer = await hub.client.post(
                "/v1/catalogue/import",
                params=asked,
                content=json.dumps(document).encode(),
                headers=stranger.headers | {"Content-Type": "application/json"},
            )
            assert answer.status_code in {403, 409, 422}, answer.text
    assert await describe(hub, owner) == before


async def test_export_shows_a_stranger_no_draft_and_no_row(hub: RunningHub) -> None:
    owner, _ = await prepare(hub)
    draft = RESOURCE | {"code": "drafted", "title": "草稿中的题目"}
    document = {"format": "shuzheng-catalogue", "version": 1, "resources": [draft]}
    kept = await hub.client.post(
        "/v1/catalogue/import",
        params={"draft": "true"},
        content=json.dumps(document).encode(),
        headers=owner.headers | {"Content-Type": "application/json"},
    )
    assert kept.json()["created"] == ["drafted"], kept.text
    stranger = hub.members["market"].headers
    for form in ("json", "dcat"):
        answer = await hub.client.get("/v1/catalogue/export", params={"format": form}, headers=stranger)
        assert answer.status_code == 200
        assert "people" in answer.text
        assert "草稿中的题目" not in answer.text
        assert "name-1-" not in answer.text
    assert (await hub.client.get("/v1/catalogue/export")).status_code == 401
