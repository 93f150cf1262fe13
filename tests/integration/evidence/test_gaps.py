"""The gap map: what is replaceable, by whom, and what to apply for where it is not."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import quote

import openpyxl

from certs.types.shipped import BUSINESS_LICENCE
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld, certificate_way
from tests.hubs import RunningHub, organisation_code
from tests.integration.evidence.test_rules_api import PATH, save


async def draw(world: EvidenceWorld, member: str = "approval") -> dict[str, Any]:
    answer = await world.hub.client.get(f"{PATH}/gaps", headers=world.hub.members[member].headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def way(gaps: dict[str, Any], fact: str, number: int = 0) -> dict[str, Any]:
    return next(
        each["ways"][number] for found in gaps["materials"] for each in found["facts"] if each["code"] == fact
    )


async def test_gap_map_says_what_to_apply_for_and_closes_as_grants_come(world: EvidenceWorld) -> None:
    await save(world.hub, build_document())
    gaps = await draw(world)
    assert gaps["counts"] == {"replaceable": 0, "assisted": 0, "undertaken": 2, "blocked": 2}
    registration = way(gaps, "registration")
    assert (registration["reason"], registration["provider"]["code"]) == (
        "NO-GRANT",
        world.hub.members["market"].code,
    )
    assert registration["apply_for"] == {
        "resource": "fr_jbxx",
        "mode": "query",
        "items": ["cxzt", "fddbr", "frmc", "tyxydm", "zs"],
        "service_item": ITEM_CODE,
        "provider": world.hub.members["market"].code,
    }
    await world.grant("fr_jbxx", ["tyxydm", "frmc"], modes=["query"])
    lacking = await draw(world)
    assert way(lacking, "registration")["reason"] == "GRANT-LACKS-ITEMS"
    assert way(lacking, "representative")["reason"] == "GRANT-NOT-OF-MODE"
    await world.grant("rk_jbxx", ["GMSFHM", "XM"], service_items=["别的事项"])
    assert way(await draw(world), "manager_identity")["reason"] == "GRANT-NOT-FOR-ITEM"

    applied = registration["apply_for"]
    await world.grant(applied["resource"], applied["items"], modes=[applied["mode"], "verify"])
    await world.grant("rk_jbxx", ["GMSFHM", "XM"])
    closed = await draw(world)
    assert closed["counts"] == {"replaceable": 3, "assisted": 0, "undertaken": 1, "blocked": 0}


async def test_gap_map_agrees_with_what_a_case_then_gets(world: EvidenceWorld) -> None:
    await world.release(build_document())
    await world.grant("fr_jbxx", ["tyxydm", "frmc", "fddbr", "zs", "cxzt"])
    standing = {each["code"]: each["standing"] for each in (await draw(world))["materials"]}
    answer = await world.ask(
        applicants=[world.company, world.manager],
        inputs={"representative": world.firm["fddbr"], "premises": "leased"},
    )
    outcome = {each["code"]: each["outcome"] for each in answer["materials"]}
    assert (standing["M01"], outcome["M01"]) == ("replaceable", "supplied")
    assert (standing["M02"], outcome["M02"]) == ("replaceable", "supplied")
    assert (standing["M03"], outcome["M03"]) == ("blocked", "not_authorised")


async def test_gap_map_of_certificates_recalled_and_unknown_sources_names_each_reason(
    world: EvidenceWorld,
) -> None:
    document = build_document()
    document["facts"][0]["ways"] = [certificate_way(gives={"name": "holder_name"})]
    document["facts"][1]["ways"][0]["resource"] = "nosuch"
    document["facts"][2]["ways"][0]["subject"]["GMSFHM"] = "$manager.code"
    document["facts"][3]["ways"] = [
        {"kind": "certificate", "type_code": "nosuch", "holder": "company"},
        {"kind": "request", "department": world.hub.members["market"].code, "question": "是否有租赁备案？"},
    ]
    document["form"] = {}
    await save(world.hub, document)
    await world.grant("rk_jbxx", ["GMSFHM", "XM"])
    gaps = await draw(world)
    assert way(gaps, "registration")["reason"] == "NONE-ISSUED"
    assert way(gaps, "representative")["reason"] == "UNKNOWN-RESOURCE"
    assert way(gaps, "manager_identity")["standing"] == "replaceable"
    assert way(gaps, "lease")["reason"] == "UNKNOWN-TYPE"
    assert way(gaps, "lease", 1)["standing"] == "assisted"

    await world.issue_licence()
    assisted = way(await draw(world), "registration")
    assert (assisted["reason"], assisted["standing"]) == ("HOLDER-AUTHORISATION", "assisted")
    assert assisted["apply_for"] == {"certificate_type": BUSINESS_LICENCE.code}
    await world.allow_licence()
    assert way(await draw(world), "registration")["reason"] == "USABLE"
    recalled = await world.hub.client.post(
        "/v1/resources/rk_jbxx/recall",
        json={"reason": "系统改造"},
        headers=world.hub.members["police"].headers,
    )
    assert recalled.status_code == 200, recalled.text
    assert way(await draw(world), "manager_identity")["reason"] == "RESOURCE-RECALLED"


async def test_gap_map_is_exported_for_people(world: EvidenceWorld) -> None:
    await save(world.hub, build_document(title="x"))
    headers = world.hub.members["approval"].headers
    excel = await world.hub.client.get(f"{PATH}/gaps/export", headers=headers)
    sheet = openpyxl.load_workbook(io.BytesIO(excel.content)).active
    assert sheet is not None
    assert [cell.value for cell in next(iter(sheet.iter_rows()))][:2] == ["材料编码", "材料名称"]
    text = await world.hub.client.get(f"{PATH}/gaps/export?form=csv", headers=headers)
    rows = list(csv.DictReader(io.StringIO(text.content.decode("utf-8-sig"))))
    assert len(rows) == 5
    assert "service_item: " + ITEM_CODE in rows[0]["申请内容"]


async def test_gap_map_of_another_office_is_refused_but_not_to_its_superior(hub: RunningHub) -> None:
    document = build_document(office=organisation_code(77))
    admin, police = hub.admin.headers, hub.members["police"]
    body = {"code": organisation_code(77), "name": "下级局", "division_code": "990000"}
    made = await hub.client.post("/v1/organisations", json=body | {"parent_code": police.code}, headers=admin)
    assert made.status_code == 201, made.text
    saved = await hub.client.put(PATH, json=document, headers=admin)
    assert saved.status_code == 200, saved.text
    path = f"/v1/service-items/{quote(ITEM_CODE)}/gaps"
    assert (await hub.client.get(path, headers=police.headers)).status_code == 200
    assert (await hub.client.get(path, headers=hub.members["market"].headers)).status_code == 403
    assert (await hub.client.get(path, headers=hub.auditor.headers)).status_code == 200
