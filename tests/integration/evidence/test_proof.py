"""Receipts to applicants verify offline; what was asked for needlessly is found and told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from certs.ofd.package import OfdPackage
from core.errors import BadInput
from evidence.proof.printed import read_printed
from hub.cli.main import app as cli
from tests.evidence_rules import build_document
from tests.evidence_world import EvidenceWorld
from tests.hubs import organisation_code


async def open_case(world: EvidenceWorld) -> dict[str, Any]:
    await world.grant("fr_jbxx", ["tyxydm", "frmc", "fddbr", "zs", "cxzt"])
    await world.release(build_document())
    return await world.ask(
        applicants=[world.company, world.manager],
        inputs={"representative": world.firm["fddbr"]},
    )


async def ask(world: EvidenceWorld, case: str, material: str, member: str = "approval") -> httpx.Response:
    return await world.hub.client.post(
        f"/v1/evidence/{case}/asked",
        json={"material": material, "operator": "王审批", "reason": "窗口要求"},
        headers=world.hub.members[member].headers,
    )


async def test_receipt_says_what_was_not_requested_and_verifies_offline(
    world: EvidenceWorld, tmp_path: Path
) -> None:
    case = (await open_case(world))["case"]
    path = f"/v1/evidence/{case}/receipt"
    answer = await world.hub.client.post(path, headers=world.hub.members["approval"].headers)
    assert answer.status_code == 200, answer.text
    payload = answer.json()["payload"]
    assert [each["code"] for each in payload["not_requested"]] == ["M01", "M02"]
    (because,) = payload["not_requested"][0]["because"]
    assert (because["words"], because["sources"][0]["source"]) == ("已由共享数据核验", "fr_jbxx")
    assert [each["code"] for each in payload["still_needed"]] == ["M03"]
    assert [each["code"] for each in payload["not_required"]] == ["M04"]
    for value in (*world.firm.values(), world.person["GMSFHM"], world.person["XM"]):
        assert len(value) < 6 or value not in answer.text

    file, ca = tmp_path / "receipt.json", tmp_path / "root.pem"
    file.write_bytes(answer.content)
    ca.write_bytes((await world.hub.client.get("/v1/trust/root.pem")).content)
    command = ["receipt", "verify", str(file), "--ca", str(ca)]
    verified = await asyncio.to_thread(CliRunner().invoke, cli, command)
    assert verified.exit_code == 0, verified.output
    assert "M01" in verified.output
    forged = json.loads(answer.content)
    forged["payload"]["still_needed"] = []
    file.write_text(json.dumps(forged, ensure_ascii=False))
    assert (await asyncio.to_thread(CliRunner().invoke, cli, command)).exit_code != 0

    other = await world.hub.client.post(path, headers=world.hub.members["market"].headers)
    assert other.status_code == 404


async def test_printed_receipt_says_the_same_holds_the_signed_one_and_verifies_offline(
    world: EvidenceWorld, tmp_path: Path
) -> None:
    case = (await open_case(world))["case"]
    path = f"/v1/evidence/{case}/receipt"
    headers = world.hub.members["approval"].headers
    answer = await world.hub.client.post(path, params={"form": "ofd"}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ofd")
    file, ca, alone = tmp_path / "receipt.ofd", tmp_path / "root.pem", tmp_path / "receipt.json"
    file.write_bytes(answer.content)
    ca.write_bytes((await world.hub.client.get("/v1/trust/root.pem")).content)
    alone.write_bytes(read_printed(answer.content))
    for each in (file, alone):
        command = ["receipt", "verify", str(each), "--ca", str(ca)]
        verified = await asyncio.to_thread(CliRunner().invoke, cli, command)
        assert verified.exit_code == 0, verified.output
        assert "M01" in verified.output
    package = OfdPackage.parse(answer.content)
    (page,) = package.pages(package.bodies[0])
    words = "".join(code.text or "" for code in package.xml(page.path).iter("TextCode"))
    for expected in ("M01", "已由共享数据核验", "fr_jbxx", "仍需申请人提交的材料", "2026-1"):
        assert expected in words
    assert world.firm["frmc"] not in words

    page_xml = package.read(page.path)
    other = page_xml.replace("仍需".encode(), "无需".encode())
    assert other != page_xml
    file.write_bytes(package.with_files({page.path: other}))
    refused = await asyncio.to_thread(
        CliRunner().invoke, cli, ["receipt", "verify", str(file), "--ca", str(ca)]
    )
    assert refused.exit_code != 0
    with pytest.raises(BadInput, match="pages do not say"):
        read_printed(file.read_bytes())


async def test_asking_for_what_the_hub_held_is_a_finding_told_to_office_and_superiors(
    world: EvidenceWorld,
) -> None:
    case = (await open_case(world))["case"]
    superior = world.hub.members["police"]
    async with world.hub.services.database.transaction() as connection:
        await connection.execute(
            "UPDATE core.organisation SET parent_code = $1 WHERE code = $2",
            superior.code,
            world.hub.members["approval"].code,
        )
    held = (await ask(world, case, "M01")).json()
    assert (held["finding"], held["outcome"]) == ("held", "supplied")
    assert (await ask(world, case, "M01")).json()["id"] == held["id"]
    rightly = (await ask(world, case, "M03")).json()
    assert (rightly["finding"], rightly["outcome"]) == (None, "not_authorised")
    assert (await ask(world, case, "M04")).json()["finding"] == "not_required"
    assert (await ask(world, case, "体检报告")).json()["finding"] == "not_in_guide"
    assert (await ask(world, case, " ")).status_code == 422
    assert (await ask(world, case, "M01", member="market")).status_code == 404

    async def findings(headers: dict[str, str]) -> list[str]:
        listed = await world.hub.client.get("/v1/evidence-findings", headers=headers)
        return [each["material"] for each in listed.json()]

    expected = ["体检报告", "M04", "M01"]
    assert await findings(world.hub.members["approval"].headers) == expected
    assert await findings(superior.headers) == expected
    assert await findings(world.hub.auditor.headers) == expected
    assert await findings(world.hub.members["market"].headers) == []
    notices = (await world.hub.client.get("/v1/notices", headers=superior.headers)).json()
    told = [each["details"]["material"] for each in notices if each["kind"] == "evidence.asked_needlessly"]
    assert sorted(told) == sorted(expected)
    asked = await world.hub.client.get(f"/v1/evidence/{case}/asked", headers=superior.headers)
    assert len(asked.json()) == 4


async def test_asking_for_what_stands_under_a_commitment_or_was_abolished_is_a_finding(
    world: EvidenceWorld,
) -> None:
    document = build_document()
    document["facts"][0]["ways"] = [{"kind": "abolished", "basis": "某市发〔2026〕1号"}]
    document["form"] = {"credit_code": "$company.code"}
    await world.release(document)
    answer = await world.ask()
    assert (await ask(world, answer["case"], "M01")).json()["finding"] == "waived"
    receipt = await world.hub.client.post(
        f"/v1/evidence/{answer['case']}/receipt", headers=world.hub.members["approval"].headers
    )
    (spared,) = receipt.json()["payload"]["not_requested"]
    assert spared["because"][0]["words"] == "已取消: 某市发〔2026〕1号"
    assert organisation_code(4) == receipt.json()["payload"]["organisation"]
