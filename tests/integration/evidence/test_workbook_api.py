"""Service items as Excel over HTTP."""

from __future__ import annotations

import io

import openpyxl

from tests.evidence_rules import EXAMPLES, ITEM_CODE, build_document
from tests.hubs import RunningHub
from tests.integration.evidence.test_rules_api import PATH, publish_resources, save

WORKBOOK = "/v1/service-items/workbook"


async def test_workbook_is_exported_edited_and_imported_as_draft(hub: RunningHub) -> None:
    await publish_resources(hub)
    headers = hub.members["approval"].headers
    await save(hub, build_document(examples=EXAMPLES))
    await hub.client.post(f"{PATH}/release", headers=headers)
    exported = await hub.client.get(WORKBOOK, headers=headers)
    assert exported.status_code == 200
    unchanged = await hub.client.post(WORKBOOK, content=exported.content, headers=headers)
    assert unchanged.json() == [{"code": ITEM_CODE, "version": 1, "changed": False, "findings": []}]

    book = openpyxl.load_workbook(io.BytesIO(exported.content))
    book["事项"]["B2"] = "食品经营许可（变更）"
    book["方式"]["D2"] = "nosuch"
    out = io.BytesIO()
    book.save(out)
    checked = await hub.client.post(f"{WORKBOOK}?check_only=true", content=out.getvalue(), headers=headers)
    (item,) = checked.json()
    assert (item["version"], item["findings"][0]["place"]) == (None, "/方式/2/来源")
    (saved,) = (await hub.client.post(WORKBOOK, content=out.getvalue(), headers=headers)).json()
    assert (saved["version"], saved["changed"]) == (2, True)
    draft = await hub.client.get(f"{WORKBOOK}?code={ITEM_CODE}&version=2", headers=headers)
    again = openpyxl.load_workbook(io.BytesIO(draft.content))
    assert again["事项"]["B2"].value == "食品经营许可（变更）"


async def test_workbook_with_a_wrong_cell_changes_nothing(hub: RunningHub) -> None:
    await publish_resources(hub)
    headers = hub.members["approval"].headers
    await save(hub, build_document())
    exported = await hub.client.get(f"{WORKBOOK}?code={ITEM_CODE}", headers=headers)
    book = openpyxl.load_workbook(io.BytesIO(exported.content))
    book["事项"]["B2"] = "新名称"
    book["事项"]["C2"] = "91990000MA00000XXX"
    out = io.BytesIO()
    book.save(out)
    refused = await hub.client.post(WORKBOOK, content=out.getvalue(), headers=hub.admin.headers)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/事项/2/实施机构", "UNKNOWN-ORGANISATION")
    assert (await hub.client.get(PATH, headers=headers)).json()["rules"]["title"] == build_document()["title"]
    garbage = await hub.client.post(WORKBOOK, content=b"\x00\x01", headers=headers)
    assert garbage.status_code == 400
