"""Going on without a fact, and the hub's verification of it afterwards."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from evidence.cases.remedies import template_digest
from evidence.commitments.confirming import build_confirmed
from signing.cms import build_signed_data
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld, fact, material, outcomes
from tests.unit.signing.hierarchy import END, hierarchy, issue

TEMPLATE = "本人承诺法定代表人信息属实"


async def promise(world: EvidenceWorld, case: str, *promises: dict[str, Any], **changes: Any) -> Any:
    body = {
        "promises": list(promises),
        "role": "company",
        "applicants": [world.company],
        "inputs": {"representative": world.firm["fddbr"]},
    } | changes
    headers = world.hub.members["approval"].headers | {
        "Shuzheng-Service-Item": quote(ITEM_CODE),
        "Shuzheng-Case-Number": "2026-1",
        "Shuzheng-Operator": quote("王审批"),
    }
    path = f"/v1/evidence/{case}/undertakings"
    return await world.hub.client.post(path, json=body, headers=headers)


def commit(code: str = "representative", text: str = TEMPLATE) -> dict[str, Any]:
    return {"fact": code, "action": "commit", "text_sm3": template_digest(text)}


async def listed(world: EvidenceWorld, member: str = "approval") -> list[dict[str, Any]]:
    headers = world.hub.members[member].headers
    answer = await world.hub.client.get("/v1/evidence/undertakings", headers=headers)
    return list(answer.json())


async def notices(world: EvidenceWorld, member: str = "approval") -> list[dict[str, Any]]:
    answer = await world.hub.client.get("/v1/notices", headers=world.hub.members[member].headers)
    return [each["details"] for each in answer.json() if each["kind"] == "evidence.undertaking"]


async def verify(world: EvidenceWorld) -> None:
    """Let every open undertaking be due for a check, and run the duty once."""
    async with world.hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE evidence.undertaking SET next_check_at = now() - interval '1 second'"
            " WHERE next_check_at IS NOT NULL"
        )
    await world.hub.services.evidence.duties.verifier.work_once()


async def let_time_pass(world: EvidenceWorld, days: int) -> None:
    async with world.hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE evidence.undertaking SET due_at = due_at - make_interval(days => $1)", days
        )


async def go_on_under_commitment(world: EvidenceWorld) -> dict[str, Any]:
    """Open a case while nothing is granted, commit, and return the run after that."""
    await world.release(build_document())
    answer = await world.ask()
    made = await promise(world, answer["case"], commit())
    assert made.status_code == 201, made.text
    return await world.ask()


async def test_case_goes_on_under_a_commitment_that_is_kept_once_the_source_answers(
    world: EvidenceWorld,
) -> None:
    answer = await go_on_under_commitment(world)
    found = material(answer, "M02")
    assert (found["outcome"], found["remedies"]) == ("committed", [])
    assert answer["summary"]["undertaken"] == 1
    undertaking = (await listed(world))[0]
    assert (undertaking["state"], undertaking["text"]) == ("open", TEMPLATE)
    assert undertaking["text_sm3"] == template_digest(TEMPLATE)
    await verify(world)
    assert (await listed(world))[0]["state"] == "open"
    await world.grant_all()
    await verify(world)
    undertaking = (await listed(world))[0]
    assert (undertaking["state"], undertaking["reason"]) == ("kept", "MATCH")
    assert outcomes(await world.ask()) == {"M01": "supplied", "M02": "supplied"}
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT event FROM core.log_leaf WHERE event LIKE 'undertaking.%' ORDER BY recorded_at"
        )
    assert [row["event"] for row in rows] == ["undertaking.made", "undertaking.closed"]


async def test_commitment_that_a_source_refutes_is_a_breach_told_to_office_and_credit(
    world: EvidenceWorld,
) -> None:
    await go_on_under_commitment(world)
    await world.grant_all()
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"fddbr": "另一人"}])
    await verify(world)
    undertaking = (await listed(world))[0]
    assert undertaking["state"] == "breached"
    assert [each["state"] for each in await notices(world)] == ["breached"]
    found = material(await world.ask(), "M02")
    assert found["outcome"] == "conflicting"
    rows = await world.hub.client.get(
        "/v1/evidence/undertakings/credit-rows", headers=world.hub.members["approval"].headers
    )
    market = world.hub.members["market"].headers
    await world.hub.client.post("/v1/resources/standard/xy_cn", json={}, headers=market)
    published = await world.hub.client.post(
        "/v1/resources/xy_cn/batches",
        content=rows.content,
        headers=market | {"Content-Type": "text/csv; charset=utf-8", "Idempotency-Key": "k"},
    )
    assert (published.json()["accepted"], published.json()["rejected"]) == (1, 0), published.text
    assert world.firm["frmc"] in rows.text
    assert "未履行" in rows.text


async def test_commitment_is_overdue_but_no_breach_where_nobody_knew_in_time(world: EvidenceWorld) -> None:
    await go_on_under_commitment(world)
    await let_time_pass(world, 38)
    await verify(world)
    assert (await listed(world))[0]["state"] == "open"
    assert [each["state"] for each in await notices(world)] == ["due soon"]
    await verify(world)
    assert len(await notices(world)) == 1
    await let_time_pass(world, 3)
    await verify(world)
    assert (await listed(world))[0]["state"] == "overdue"
    await verify(world)
    assert sorted(each["state"] for each in await notices(world)) == ["due soon", "overdue"]
    await world.grant_all()
    await verify(world)
    assert (await listed(world))[0]["state"] == "kept"


async def test_commitment_to_another_text_or_fact_is_refused(world: EvidenceWorld) -> None:
    await world.release(build_document())
    case = (await world.ask())["case"]

    async def refused(*promises: dict[str, Any], **changes: Any) -> set[tuple[str, str]]:
        answer: httpx.Response = await promise(world, case, *promises, **changes)
        assert answer.status_code == 422, answer.text
        return {(each["pointer"], each["code"]) for each in answer.json()["errors"]}

    assert await refused(commit(text="别的文本")) == {("/promises/0/text_sm3", "OTHER-TEXT")}
    assert await refused(commit("registration")) == {("/promises/0/fact", "NOT-OFFERED")}
    assert await refused(commit("ghost"), commit()) == {("/promises/0/fact", "NOT-OFFERED")}
    assert await refused(commit(), role="ghost") == {("/role", "UNKNOWN-ROLE")}
    assert await listed(world) == []
    await world.grant_all()
    await world.ask(inputs={"representative": "别人"})
    assert await refused(commit()) == {("/promises/0/fact", "NOT-OFFERED")}


async def test_same_commitment_twice_is_one(world: EvidenceWorld) -> None:
    await world.release(build_document())
    case = (await world.ask())["case"]
    assert len((await promise(world, case, commit())).json()) == 1
    assert (await promise(world, case, commit())).json() == []
    assert len(await listed(world)) == 1


async def test_material_that_may_follow_is_delivered_or_overdue(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    inputs = {"representative": world.firm["fddbr"], "premises": "leased"}
    case = (await world.ask(inputs=inputs))["case"]
    later = {"fact": "lease", "action": "deliver-later"}
    made = await promise(world, case, later, inputs=inputs)
    assert made.status_code == 201, made.text
    assert outcomes(await world.ask(inputs=inputs)) == {"M04": "tolerated"}
    await let_time_pass(world, 60)
    await verify(world)
    found = fact(await world.ask(inputs=inputs), "lease")
    assert (found["outcome"], found["reason"]) == ("not_held", "TOLERANCE-OVERDUE")
    office = world.hub.members["approval"].headers
    path = f"/v1/evidence/undertakings/{made.json()[0]['id']}/deliver"
    done = await world.hub.client.post(path, json={"note": "纸质合同，窗口收件"}, headers=office)
    assert done.json()["state"] == "delivered"
    assert (await world.hub.client.post(path, json={"note": "再次"}, headers=office)).status_code == 409
    assert outcomes(await world.ask(inputs=inputs)) == {"M04": "supplied"}


def ask_police() -> dict[str, Any]:
    document = build_document()
    way = {"kind": "request", "department": "", "question": "该企业场所是否已备案", "within_days": 3}
    document["facts"][3]["ways"] = [way]
    return document


async def test_department_that_knows_is_asked_once_and_its_answer_counts(world: EvidenceWorld) -> None:
    await world.grant_all()
    document = ask_police()
    document["facts"][3]["ways"][0]["department"] = world.hub.members["police"].code
    await world.release(document)
    inputs = {"representative": world.firm["fddbr"], "premises": "leased"}
    assert outcomes(await world.ask(inputs=inputs))["M04"] == "requested"
    assert "M04" in (await world.ask(inputs=inputs))["unchanged"]
    members, client = world.hub.members, world.hub.client
    assert (await client.get("/v1/evidence/inquiries", headers=members["civil"].headers)).json() == []
    asked = (await client.get("/v1/evidence/inquiries", headers=members["police"].headers)).json()
    assert [(each["text"], each["applicants"]) for each in asked] == [
        ("该企业场所是否已备案", [world.company])
    ]
    assert [each["state"] for each in await notices(world, "police")] == ["asked"]
    path = f"/v1/evidence/inquiries/{asked[0]['id']}/answer"
    body = {"confirmed": True, "note": "已备案，见登记簿"}
    assert (await client.post(path, json=body, headers=members["civil"].headers)).status_code == 404
    answered = await client.post(path, json=body, headers=members["police"].headers)
    assert answered.json()["state"] == "confirmed"
    found = fact(await world.ask(inputs=inputs), "lease")
    assert (found["outcome"], found["reason"]) == ("supplied", "DEPARTMENT")
    assert [each["state"] for each in await notices(world)] == ["confirmed"]


async def test_order_is_sealed_while_it_is_needed_and_erased_afterwards(world: EvidenceWorld) -> None:
    await world.grant_all()
    document = ask_police()
    document["facts"][3]["ways"][0]["department"] = world.hub.members["police"].code
    await world.release(document)
    await world.ask(inputs={"premises": "leased"})
    async with world.hub.services.database.acquire() as connection:
        kept = await connection.fetchrow("SELECT id, sealed FROM evidence.undertaking")
        assert world.firm["tyxydm"].encode() not in kept["sealed"]
        headers = world.hub.members["approval"].headers
        path = f"/v1/evidence/undertakings/{kept['id']}/withdraw"
        done = await world.hub.client.post(path, json={"note": "撤件"}, headers=headers)
        assert done.json()["state"] == "withdrawn"
        assert await connection.fetchval("SELECT sealed FROM evidence.undertaking") is None


async def test_undertakings_of_another_office_are_not_there(world: EvidenceWorld) -> None:
    await go_on_under_commitment(world)
    assert await listed(world, "civil") == []
    path = f"/v1/evidence/undertakings/{(await listed(world))[0]['id']}/withdraw"
    headers = world.hub.members["civil"].headers
    assert (await world.hub.client.post(path, json={"note": "x"}, headers=headers)).status_code == 404


async def test_signature_of_the_applicant_is_verified_and_the_form_of_confirmation_kept(
    world: EvidenceWorld,
) -> None:
    await world.release(build_document())
    case = (await world.ask())["case"]
    holder = issue(
        hierarchy().issuing,
        41,
        Profile.SEAL_SIGNER,
        subject=Name.build(common_name="经办人", organization=world.firm["frmc"]),
        not_after=END - timedelta(days=400),
    )

    def sign(text_sm3: str) -> str:
        content = build_confirmed(UUID(case), "company", [("representative", "commit", text_sm3)])
        signed = build_signed_data(content, signer=holder.key, certificate=holder.certificate, detached=True)
        return base64.b64encode(signed).decode()

    wrong = await promise(world, case, commit(), signature=sign("0" * 64))
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "SIGNATURE")
    assert await listed(world) == []
    made = await promise(world, case, commit(), signature=sign(template_digest(TEMPLATE)))
    assert made.status_code == 201, made.text
    undertaking = (await listed(world))[0]
    assert undertaking["confirmation"] == "signed_unknown_authority"
    async with world.hub.services.database.acquire() as connection:
        body = await connection.fetchval("SELECT body FROM core.log_leaf WHERE event = 'undertaking.made'")
    assert json.loads(body)["details"]["signature_sm3"] == undertaking["signature_sm3"]


async def test_confirmation_without_a_signature_is_stated_by_the_office(world: EvidenceWorld) -> None:
    await go_on_under_commitment(world)
    undertaking = (await listed(world))[0]
    assert (undertaking["confirmation"], undertaking["signature_sm3"]) == ("stated", None)
