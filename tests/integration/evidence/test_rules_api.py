"""Service items over HTTP: drafts, the model checker, releases, import and export."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evidence_rules import ITEM_CODE, build_document
from tests.hubs import RunningHub

PATH = f"/v1/service-items/{ITEM_CODE}"


async def publish_resources(hub: RunningHub) -> None:
    """Register the two standard resources that the rules name."""
    for owner, code in (("police", "rk_jbxx"), ("market", "fr_jbxx")):
        answer = await hub.client.post(
            f"/v1/resources/standard/{code}", json={}, headers=hub.members[owner].headers
        )
        assert answer.status_code == 201, answer.text


async def save(hub: RunningHub, document: dict[str, Any], member: str = "approval") -> Any:
    return await hub.client.put(PATH, json=document, headers=hub.members[member].headers)


async def test_draft_is_saved_checked_released_and_followed_by_another(hub: RunningHub) -> None:
    await publish_resources(hub)
    headers = hub.members["approval"].headers
    saved = (await save(hub, build_document())).json()
    assert (saved["version"], saved["state"]) == (1, "draft")
    assert [(each["code"], each["severity"]) for each in saved["findings"]] == [("UNTESTED", "warning")]
    again = (await save(hub, build_document())).json()
    assert again["changed"] is False
    released = (await hub.client.post(f"{PATH}/release", headers=headers)).json()
    assert (released["version"], released["state"]) == (1, "released")
    assert (await save(hub, build_document())).json()["changed"] is False

    second = (await save(hub, build_document(title="食品经营许可"))).json()
    assert (second["version"], second["state"]) == (2, "draft")
    third = (await save(hub, build_document(title="食品经营"))).json()
    assert third["version"] == 2
    diff = (await hub.client.get(f"{PATH}/diff?before=1&after=2", headers=headers)).json()
    assert diff == [{"pointer": "/title", "before": "食品经营许可（新办）", "after": "食品经营"}]
    assert (await hub.client.get(PATH, headers=headers)).json()["version"] == 1
    await hub.client.post(f"{PATH}/release", headers=headers)
    versions = (await hub.client.get(f"{PATH}/versions", headers=headers)).json()
    assert [(each["version"], each["state"]) for each in versions] == [(2, "released"), (1, "retired")]
    listed = (await hub.client.get("/v1/service-items", headers=headers)).json()
    assert [(each["code"], each["released"], each["draft"]) for each in listed] == [(ITEM_CODE, 2, None)]
    retired = (await hub.client.post(f"{PATH}/retire", headers=headers)).json()
    assert retired["state"] == "retired"
    assert (await hub.client.post(f"{PATH}/retire", headers=headers)).status_code == 409


async def test_release_of_rules_that_the_hub_cannot_meet_is_refused_with_pointers(hub: RunningHub) -> None:
    await publish_resources(hub)
    document = build_document()
    document["facts"][0]["ways"][0]["gives"]["name"] = "nosuch"
    document["facts"][1]["ways"][0]["resource"] = "nosuch"
    document["facts"][3]["ways"] = [{"kind": "certificate", "type_code": "nosuch", "holder": "company"}]
    assert (await save(hub, document)).status_code == 200
    refused = await hub.client.post(f"{PATH}/release", headers=hub.members["approval"].headers)
    assert refused.status_code == 422
    problem = refused.json()
    assert problem["code"] == "EVIDENCE-RULES-UNSOUND"
    assert {(each["pointer"], each["code"]) for each in problem["errors"]} == {
        ("/facts/0/ways/0/gives", "UNKNOWN-ITEM"),
        ("/facts/1/ways/0/resource", "UNKNOWN-RESOURCE"),
        ("/facts/3/ways/0/type_code", "UNKNOWN-TYPE"),
    }
    assert (await hub.client.get(PATH, headers=hub.members["approval"].headers)).json()["state"] == "draft"


async def test_rules_of_another_office_are_refused(hub: RunningHub) -> None:
    refused = await save(hub, build_document(), member="police")
    assert refused.status_code == 403
    assert (await save(hub, build_document())).status_code == 200
    other = await save(hub, build_document(office=hub.members["police"].code), member="police")
    assert other.status_code == 403
    admin = await hub.client.put(PATH, json=build_document(title="新"), headers=hub.admin.headers)
    assert admin.status_code == 200


async def test_export_is_imported_by_another_hub_without_a_change(hub: RunningHub) -> None:
    await publish_resources(hub)
    headers = hub.members["approval"].headers
    await save(hub, build_document())
    await hub.client.post(f"{PATH}/release", headers=headers)
    exported = (await hub.client.get("/v1/service-items/export", headers=headers)).json()
    assert exported == {"items": [build_document()]}
    answer = (await hub.client.post("/v1/service-items/import", json=exported, headers=headers)).json()
    assert [each["changed"] for each in answer] == [False]


async def test_import_with_one_malformed_item_imports_none(hub: RunningHub) -> None:
    headers = hub.members["approval"].headers
    bad = build_document(code="坏") | {"roles": 7}
    answer = await hub.client.post(
        "/v1/service-items/import", json={"items": [build_document(), bad]}, headers=headers
    )
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/items/1/roles"]
    assert (await hub.client.get("/v1/service-items", headers=headers)).json() == []


async def test_rules_are_checked_without_being_saved(hub: RunningHub) -> None:
    headers = hub.members["approval"].headers
    found = (await hub.client.post("/v1/service-items/check", json=build_document(), headers=headers)).json()
    assert {each["code"] for each in found if each["severity"] == "error"} == {"UNKNOWN-RESOURCE"}
    schema = (await hub.client.get("/v1/service-items/schema", headers=headers)).json()
    assert "ServiceItem" in str(schema)
    assert (await hub.client.get("/v1/service-items", headers=headers)).json() == []


@pytest.mark.parametrize("number", [2**31, 2**63, 0, -1])
async def test_version_that_no_item_can_have_is_refused_on_every_route(hub: RunningHub, number: int) -> None:
    headers = hub.members["approval"].headers
    for method, path in (
        ("GET", f"{PATH}?version={number}"),
        ("GET", f"{PATH}/diff?before={number}&after=1"),
        ("GET", f"{PATH}/diff?before=1&after={number}"),
        ("GET", f"{PATH}/gaps?version={number}"),
        ("GET", f"{PATH}/gaps/export?version={number}"),
        ("GET", f"{PATH}/examples?version={number}"),
        ("POST", f"{PATH}/demand?version={number}"),
        ("GET", f"/v1/service-items/workbook?code={ITEM_CODE}&version={number}"),
    ):
        json = {"roles": {}, "inputs": {}} if method == "POST" else None
        answer = await hub.client.request(method, path, json=json, headers=headers)
        assert answer.status_code == 422, (path, answer.text)
        assert answer.json()["errors"], path
