"""Evidence requests over HTTP: what is supplied, what remains and why, and what a further run tells."""

from __future__ import annotations

from typing import Any

import pytest

from signing import sm3
from signing.canonical_json import build_canonical_json
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld, certificate_way, fact, material, outcomes


async def test_everything_granted_is_supplied_with_source_age_and_prefill(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    answer = await world.ask(applicants=[world.company, world.manager], prefill=True)
    assert outcomes(answer) == {"M01": "supplied", "M02": "supplied", "M03": "supplied"}
    assert answer["not_required"] == ["M04"]
    assert answer["complete"] is True
    assert answer["summary"] | {"took_ms": 0} == {
        "required": 3,
        "supplied": 3,
        "waived": 0,
        "undertaken": 0,
        "remaining": 0,
        "calls": 3,
        "took_ms": 0,
    }
    found = fact(answer, "registration")
    assert found["data"] == {
        "name": world.firm["frmc"],
        "representative": world.firm["fddbr"],
        "address": world.firm["zs"],
    }
    assert (found["source"]["name"], found["source"]["version"]) == ("fr_jbxx", 1)
    assert found["source"]["age_s"] >= 0
    assert "data" not in fact(answer, "representative")
    assert answer["prefill"]["company_name"] == {
        "value": world.firm["frmc"],
        "from": "$fact.registration.name",
    }
    assert answer["prefill"]["credit_code"]["value"] == world.firm["tyxydm"]


async def test_receipt_vouches_for_the_answer(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    whole = (await world.post_evidence()).json()
    payload = whole["receipt"]["payload"]
    assert payload["answer_sm3"] == sm3.digest(build_canonical_json(whole["evidence"])).hex()
    assert payload["case_number"] == "2026-1"


async def test_without_grants_nothing_is_supplied_and_it_says_what_to_apply_for(
    world: EvidenceWorld,
) -> None:
    await world.release(build_document())
    answer = await world.ask(applicants=[world.company, world.manager])
    assert set(outcomes(answer).values()) == {"not_authorised"}
    remedies = material(answer, "M01")["remedies"]
    apply = next(each for each in remedies if each["who"] == "office")
    assert apply["apply_for"] == {
        "resource": "fr_jbxx",
        "mode": "query",
        "items": ["cxzt", "fddbr", "frmc", "tyxydm", "zs"],
    }
    assert any(each["action"] == "commit" for each in material(answer, "M02")["remedies"])
    assert world.firm["frmc"] not in str(answer["materials"])


async def test_mismatch_names_both_and_offers_no_commitment(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    answer = await world.ask(inputs={"representative": "别人"})
    found = material(answer, "M02")
    assert found["outcome"] == "conflicting"
    assert found["facts"][0]["reason"] == "MISMATCH"
    assert found["facts"][0]["source"]["name"] == "fr_jbxx"
    assert [each["action"] for each in found["remedies"]] == ["correct"]


async def test_second_run_reports_only_what_changed(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    first = await world.ask(inputs={"representative": "别人"})
    assert (first["run"], len(first["materials"])) == (1, 2)
    second = await world.ask(inputs={"representative": world.firm["fddbr"]})
    assert second["run"] == 2
    assert outcomes(second) == {"M02": "supplied"}
    assert second["unchanged"] == ["M01"]
    third = await world.ask(inputs={"representative": world.firm["fddbr"]})
    assert (third["materials"], third["unchanged"]) == ([], ["M01", "M02"])
    assert third["case"] == first["case"]


async def test_source_that_changes_in_the_middle_of_a_case_is_noticed(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    await world.ask()
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"fddbr": "新法人"}])
    answer = await world.ask()
    assert outcomes(answer) == {"M01": "supplied", "M02": "conflicting"}
    assert fact(answer, "registration")["data"]["representative"] == "新法人"
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"fddbr": "新法人", "cxzt": "4"}])
    answer = await world.ask()
    assert fact(answer, "registration")["reason"] == "REQUIREMENT"
    assert "data" not in fact(answer, "registration")


async def test_condition_decides_which_materials_are_required(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    answer = await world.ask(inputs={"premises": "leased", "representative": world.firm["fddbr"]})
    assert answer["not_required"] == ["M03"]
    assert material(answer, "M04")["outcome"] == "not_held"
    assert material(answer, "M04")["facts"][0]["reason"] == "NO-SOURCE"


async def test_certificate_is_supplied_then_revoked_and_never_shown_without_permission(
    world: EvidenceWorld,
) -> None:
    document = build_document(form={})
    document["facts"][0]["ways"] = [certificate_way(gives={"name": "holder_name", "since": "CLRQ"})]
    await world.release(document)
    identifier = await world.issue_licence()
    refused = fact(await world.ask(case="c0"), "registration")
    assert (refused["outcome"], refused["reason"]) == ("not_authorised", "CERT-USE-REFUSED")
    assert identifier not in str(refused)
    await world.allow_licence()
    answer = await world.ask(case="c1", copies=True)
    found = fact(answer, "registration")
    assert found["source"]["certificate"] == identifier
    assert found["data"] == {"name": world.firm["frmc"], "since": "20200101"}
    copy = await world.hub.client.get(found["copy"]["file"], headers=world.hub.members["approval"].headers)
    assert copy.status_code == 200
    await world.hub.client.post(
        f"/v1/certificates/{identifier}/status",
        json={"to": "revoked", "reason": "提交虚假材料"},
        headers=world.hub.members["market"].headers,
    )
    answer = await world.ask(case="c1")
    found = fact(answer, "registration")
    assert (found["outcome"], found["reason"]) == ("revoked", "CERT-REVOKED")
    assert "data" not in found


async def test_holders_authorisation_opens_a_certificate_for_its_case_only(world: EvidenceWorld) -> None:
    document = build_document(form={})
    document["facts"][0]["ways"] = [certificate_way()]
    await world.release(document)
    identifier = await world.issue_licence()
    portal = world.hub.members["civil"].headers
    body = {
        "identifier": identifier,
        "acting": {"code": world.firm["tyxydm"], "code_type": "001"},
        "organisation_code": world.hub.members["approval"].code,
        "service_item": ITEM_CODE,
        "case_number": "c7",
        "max_uses": 2,
        "minutes": 60,
    }
    given = await world.hub.client.post("/v1/holders/authorisations", json=body, headers=portal)
    assert given.status_code == 201, given.text
    codes = [given.json()["code"]]
    assert fact(await world.ask(case="c8", authorisations=codes), "registration")["outcome"] == (
        "not_authorised"
    )
    assert fact(await world.ask(case="c7", authorisations=codes), "registration")["outcome"] == "supplied"


async def test_sources_that_disagree_are_both_named(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.allow_licence()
    await world.issue_licence()
    document = build_document(form={})
    dataset = document["facts"][0]["ways"][0]
    document["facts"][0] |= {
        "confirm": "all",
        "ways": [certificate_way(gives={"representative": "FDDBR"}), dataset],
    }
    await world.release(document)
    assert fact(await world.ask(), "registration")["outcome"] == "supplied"
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"fddbr": "新法人"}])
    found = fact(await world.ask(), "registration")
    assert (found["outcome"], found["reason"]) == ("conflicting", "SOURCES-DISAGREE")
    assert "营业执照" in found["detail"]
    assert "法人" in found["detail"]
    assert [each["kind"] for each in found["tried"]] == ["certificate", "dataset"]


async def test_next_way_is_tried_where_the_first_does_not_establish(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.allow_licence()
    document = build_document()
    document["facts"][0]["ways"].insert(0, certificate_way())
    await world.release(document)
    found = fact(await world.ask(), "registration")
    assert found["outcome"] == "supplied"
    assert [(each["kind"], each["outcome"]) for each in found["tried"]] == [
        ("certificate", "not_held"),
        ("dataset", "supplied"),
    ]


async def test_fact_that_another_gives_values_for_waits_for_it(world: EvidenceWorld) -> None:
    await world.grant_all()
    document = build_document()
    document["facts"][1]["ways"] = [
        {
            "kind": "verification",
            "resource": "fr_jbxx",
            "subject": {"tyxydm": "$company.code"},
            "assertions": {"fddbr": "$fact.registration.representative"},
        }
    ]
    await world.release(document)
    assert outcomes(await world.ask(case="a")) == {"M01": "supplied", "M02": "supplied"}
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"cxzt": "4"}])
    answer = await world.ask(case="b")
    assert fact(answer, "representative")["reason"] == "NEEDS-FACT"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"applicants": []}, "/applicants"),
        ({"applicants": [{"role": "ghost", "code": "1", "name": "x"}]}, "/applicants/0/role"),
        ({"inputs": {"ghost": "1"}}, "/inputs"),
        ({"bundle": {"code": "ghost", "reference": "1"}}, "/bundle/code"),
        ({"surplus": 1}, "/surplus"),
    ],
)
async def test_order_that_does_not_fit_the_item_is_refused_and_opens_no_case(
    world: EvidenceWorld, changes: dict[str, Any], pointer: str
) -> None:
    await world.release(build_document())
    answer = await world.post_evidence(**changes)
    assert answer.status_code == 422
    assert pointer in {each["pointer"] for each in answer.json()["errors"]}
    async with world.hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM evidence.case_") == 0


async def test_case_keeps_no_personal_value_and_is_seen_by_its_office_alone(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    answer = await world.ask(applicants=[world.company, world.manager])
    path = f"/v1/evidence/{answer['case']}"
    members = world.hub.members
    view = (await world.hub.client.get(path, headers=members["approval"].headers)).json()
    assert view["outcomes"] == {"M01": "supplied", "M02": "supplied", "M03": "supplied"}
    assert {each["source"] for each in view["sources"]} == {"fr_jbxx", "rk_jbxx"}
    assert (await world.hub.client.get(path, headers=members["police"].headers)).status_code == 404
    async with world.hub.services.database.acquire() as connection:
        for table in ("case_", "case_fact", "case_basis", "case_run"):
            rows = await connection.fetch(f"SELECT row_to_json(t)::text AS row FROM evidence.{table} t")
            kept = "".join(row["row"] for row in rows)
            for value in (world.firm["tyxydm"], world.firm["frmc"], *world.manager.values()):
                assert value == "manager" or value not in kept
    closed = await world.hub.client.post(f"{path}/close", headers=members["approval"].headers)
    assert closed.status_code == 204
    assert (await world.post_evidence()).status_code == 409


async def test_every_access_of_a_case_has_its_leaf(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.allow_licence()
    await world.issue_licence()
    document = build_document()
    document["facts"][0]["ways"].insert(0, certificate_way(gives={"name": "holder_name"}))
    document["facts"][0]["confirm"] = "all"
    await world.release(document)
    await world.ask(case="leaf", applicants=[world.company, world.manager])
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT event, count(*) AS times FROM core.log_leaf WHERE case_number = 'leaf' GROUP BY event"
        )
    assert {row["event"]: row["times"] for row in rows} == {
        "data.queried": 1,
        "facts.verified": 2,
        "certificate.fetched": 1,
        "evidence.resolved": 1,
    }


async def test_bundle_takes_over_what_is_fresh_enough_under_ones_own_grant(world: EvidenceWorld) -> None:
    await world.grant_all()
    first = build_document(bundles=["开餐馆"])
    first["facts"][2]["reuse_days"] = 7
    second = first | {"code": "消防", "title": "消防检查", "office": world.hub.members["civil"].code}
    await world.release(first)
    await world.release(second, member="civil")
    bundle = {"code": "开餐馆", "reference": "B-1"}
    applicants = [world.company, world.manager]
    made = await world.ask(bundle=bundle, applicants=applicants)
    asked: dict[str, Any] = {"item": "消防", "member": "civil", "applicants": applicants, "bundle": bundle}
    without = fact(await world.ask(**asked, case="x"), "manager_identity")
    assert without["outcome"] == "not_authorised"
    await world.grant("rk_jbxx", ["GMSFHM", "XM"], service_items=["消防"], member="civil")
    taken = fact(await world.ask(**asked, case="y"), "manager_identity")
    assert (taken["outcome"], taken["reason"], taken["reused_from"]) == ("supplied", "REUSED", made["case"])
    other = asked | {"bundle": bundle | {"reference": "B-2"}}
    assert fact(await world.ask(**other, case="z"), "manager_identity")["reason"] == "MATCH"
    async with world.hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE evidence.case_fact SET established_at = established_at - interval '8 days'"
        )
    assert fact(await world.ask(**asked, case="w"), "manager_identity")["reason"] == "MATCH"
