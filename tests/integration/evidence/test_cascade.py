"""Cascades: shown before, done by rule, each change once; whatever fails in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from certs.types.shipped import BUSINESS_LICENCE
from core.log.writer import LogWriter
from evidence.cascade.follower import Follower
from evidence.cascade.store import follow_new, load_needed_after
from tests.evidence_rules import build_document
from tests.evidence_world import EvidenceWorld, certificate_way

CANCELLED = "3"


def rule(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "code": "deregistered",
        "title": "企业注销即暂停执照",
        "source": {
            "kind": "row",
            "resource": "fr_jbxx",
            "holder": "tyxydm",
            "on": ["update", "delete"],
            "when": [{"item": "cxzt", "test": "one_of", "values": ["2", CANCELLED]}],
        },
        "target": BUSINESS_LICENCE.code,
        "action": "suspend",
    }
    return document | changes


async def set_rule(world: EvidenceWorld, **changes: Any) -> None:
    document = rule(**changes)
    answer = await world.hub.client.put(
        f"/v1/cascade/rules/{document['code']}", json=document, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 204, answer.text


async def open_case(world: EvidenceWorld, **changes: Any) -> dict[str, Any]:
    """Grant, release and open a case whose registration and representative rest on the firm's row."""
    await world.grant_all()
    await world.release(build_document())
    return await world.ask(**changes)


async def deregister(world: EvidenceWorld) -> None:
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"cxzt": CANCELLED}])


async def follow(world: EvidenceWorld) -> int:
    return await world.hub.services.evidence.office.follower.work_once(lag_s=0)


async def effects(world: EvidenceWorld, member: str) -> list[dict[str, Any]]:
    answer = await world.hub.client.get("/v1/cascade/effects", headers=world.hub.members[member].headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def status_of(world: EvidenceWorld, identifier: str) -> str:
    async with world.hub.services.database.acquire() as connection:
        found: str = await connection.fetchval(
            "SELECT status FROM certs.certificate WHERE identifier = $1", identifier
        )
    return found


async def preview(world: EvidenceWorld, body: dict[str, Any], member: str = "market") -> Any:
    return await world.hub.client.post(
        "/v1/cascade/preview", json=body, headers=world.hub.members[member].headers
    )


async def test_deregistration_is_shown_before_and_then_suspends_and_notifies_once(
    world: EvidenceWorld,
) -> None:
    licence = await world.issue_licence()
    await set_rule(world)
    case = await open_case(world)
    await follow(world)
    change = {
        "resource": "fr_jbxx",
        "keys": {"tyxydm": world.firm["tyxydm"]},
        "operation": "update",
        "after": {"cxzt": CANCELLED},
    }
    shown = (await preview(world, {"row": change})).json()
    (cases,) = shown["cases"]
    assert (cases["office"], cases["cases"], cases["case_numbers"]) == (
        world.hub.members["approval"].code,
        1,
        [],
    )
    (certificates,) = shown["certificates"]
    assert (certificates["rule"], certificates["identifiers"]) == ("deregistered", [licence])
    assert await status_of(world, licence) == "active"
    assert await effects(world, "approval") == []

    await deregister(world)
    assert await follow(world) == 3
    assert await status_of(world, licence) == "suspended"
    mine = await effects(world, "approval")
    assert {(each["fact"], each["action"], each["case_number"]) for each in mine} == {
        ("registration", "notify", "2026-1"),
        ("representative", "notify", "2026-1"),
    }
    assert {each["case"] for each in mine} == {case["case"]}
    assert all(each["settled_at"] is None for each in mine)
    (suspended,) = await effects(world, "market")
    assert (suspended["certificate"], suspended["state"]) == (licence, "done")
    notices = await world.hub.client.get("/v1/notices", headers=world.hub.members["approval"].headers)
    assert [each["kind"] for each in notices.json()].count("evidence.cascade") == 2

    assert await follow(world) == 0
    assert len(await effects(world, "approval")) == 2
    again = await world.ask()
    assert {each["code"]: each["outcome"] for each in again["materials"]}["M01"] == "not_held"
    assert all(each["settled_at"] is not None for each in await effects(world, "approval"))


async def test_change_of_another_row_or_under_a_closed_case_moves_nothing(world: EvidenceWorld) -> None:
    licence = await world.issue_licence()
    await set_rule(world)
    case = await open_case(world)
    closed = await world.hub.client.post(
        f"/v1/evidence/{case['case']}/close", headers=world.hub.members["approval"].headers
    )
    assert closed.status_code == 204
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"zs": "新地址1号"}])
    assert await follow(world) == 0
    assert await status_of(world, licence) == "active"


async def test_penalty_that_appears_where_none_was_to_be_is_told_to_the_office(
    world: EvidenceWorld,
) -> None:
    document = build_document()
    document["facts"][3]["ways"] = [
        {"kind": "credit", "resource": "rk_jbxx", "where": {"XM": "$company.name"}, "clean": "absent"}
    ]
    await world.grant_all()
    await world.release(document)
    await world.ask(inputs={"representative": world.firm["fddbr"], "premises": "leased"})
    await world.publish("police", "rk_jbxx", [dict(world.person) | {"XM": world.firm["frmc"]}])
    assert await follow(world) == 1
    (effect,) = await effects(world, "approval")
    assert (effect["fact"], effect["source"], effect["version"]) == ("lease", "rk_jbxx", "2")


async def test_certificate_that_is_revoked_is_told_to_cases_and_moves_what_rests_on_it(
    world: EvidenceWorld,
) -> None:
    licence = await world.issue_licence()
    await world.allow_licence()
    document = build_document()
    document["facts"][0]["ways"] = [certificate_way(gives={"name": "holder_name"})]
    document["form"] = {}
    await world.grant_all()
    await world.release(document)
    await world.ask()
    body = {"certificate": {"identifier": licence, "status": "revoked"}}
    assert (await preview(world, body)).json()["cases"][0]["cases"] == 1
    assert (await preview(world, body, member="police")).status_code == 404
    revoked = await world.hub.client.post(
        f"/v1/certificates/{licence}/status",
        json={"to": "revoked", "reason": "吊销"},
        headers=world.hub.members["market"].headers,
    )
    assert revoked.status_code == 200, revoked.text
    assert await follow(world) == 1
    (effect,) = await effects(world, "approval")
    assert (effect["fact"], effect["source"], effect["trigger"]) == ("registration", licence, "revoked")
    assert await follow(world) == 0


@pytest.mark.parametrize(("verb", "status"), [("confirm", "suspended"), ("dismiss", "active")])
async def test_rule_that_asks_for_confirmation_moves_nothing_before_it(
    world: EvidenceWorld, verb: str, status: str
) -> None:
    licence = await world.issue_licence()
    await set_rule(world, confirm=True)
    await deregister(world)
    assert await follow(world) == 1
    (effect,) = await effects(world, "market")
    assert (effect["state"], await status_of(world, licence)) == ("pending", "active")
    path = f"/v1/cascade/effects/{effect['id']}/{verb}"
    other = await world.hub.client.post(path, headers=world.hub.members["police"].headers)
    assert other.status_code == 404
    settled = await world.hub.client.post(path, headers=world.hub.members["market"].headers)
    assert settled.status_code == 200, settled.text
    assert await status_of(world, licence) == status
    assert (await world.hub.client.post(path, headers=world.hub.members["market"].headers)).status_code == 409


async def test_version_is_followed_once_by_many_processes_and_again_after_a_failure(
    world: EvidenceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    licence = await world.issue_licence()
    await set_rule(world)
    await open_case(world)
    await deregister(world)
    append = LogWriter.append
    calls = 0

    async def fail_at_the_third(self: LogWriter, *args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            msg = "the log fails"
            raise RuntimeError(msg)
        return await append(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(LogWriter, "append", fail_at_the_third)
        with pytest.raises(RuntimeError):
            await follow(world)
    assert await effects(world, "approval") == []
    assert await status_of(world, licence) == "active"

    office = world.hub.services.evidence.office
    followers: list[Follower] = [office.follower] * 4
    counts = await asyncio.gather(*(each.work_once(lag_s=0) for each in followers))
    assert sum(counts) == 3
    assert len(await effects(world, "approval")) == 2
    assert len(await effects(world, "market")) == 1


async def test_rule_of_what_is_not_there_or_of_another_organisation_is_refused(
    world: EvidenceWorld,
) -> None:
    headers = world.hub.members["market"].headers
    wrong = rule(target="nosuch")
    wrong["source"] = wrong["source"] | {"holder": "ghost", "when": [{"item": "x", "test": "filled"}]}
    refused = await world.hub.client.put("/v1/cascade/rules/deregistered", json=wrong, headers=headers)
    assert refused.status_code == 422
    assert {each["pointer"] for each in refused.json()["errors"]} == {
        "/target",
        "/source/holder",
        "/source/when/0/item",
    }
    await set_rule(world)
    taken = await world.hub.client.put(
        "/v1/cascade/rules/deregistered", json=rule(), headers=world.hub.members["police"].headers
    )
    assert taken.status_code == 409
    assert (
        await preview(
            world,
            {"row": {"resource": "fr_jbxx", "keys": {"tyxydm": "x"}, "operation": "delete"}},
            member="police",
        )
    ).status_code == 403
    retired = await world.hub.client.post("/v1/cascade/rules/deregistered/retire", headers=headers)
    assert retired.status_code == 204
    assert (await world.hub.client.get("/v1/cascade/rules", headers=headers)).json() == []


async def test_changes_that_are_not_followed_yet_are_not_pruned(world: EvidenceWorld) -> None:
    await open_case(world)
    async with world.hub.services.database.acquire() as connection:
        assert await load_needed_after(connection, resource_code="fr_jbxx") == 1
        assert await load_needed_after(connection, resource_code="nosuch") is None
    await deregister(world)
    await follow(world)
    async with world.hub.services.database.acquire() as connection:
        assert await load_needed_after(connection, resource_code="fr_jbxx") == 2


async def cursors(world: EvidenceWorld) -> dict[str, int]:
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT resource_code, version FROM evidence.cascade_cursor")
    return {row["resource_code"]: row["version"] for row in rows}


@pytest.mark.parametrize("is_closed", [False, True])
async def test_resource_that_a_case_rests_on_is_followed_from_the_first_look_on(
    world: EvidenceWorld, *, is_closed: bool
) -> None:
    case = await open_case(world)
    if is_closed:
        headers = world.hub.members["approval"].headers
        await world.hub.client.post(f"/v1/evidence/{case['case']}/close", headers=headers)
    assert await follow(world) == 0
    assert await cursors(world) == {"fr_jbxx": 1}
    await deregister(world)
    assert await follow(world) == (0 if is_closed else 2)
    assert await cursors(world) == {"fr_jbxx": 2}


async def test_resource_is_followed_from_before_what_a_case_under_way_may_rest_on(
    world: EvidenceWorld,
) -> None:
    await open_case(world)
    await deregister(world)
    await world.ask(case="2026-2")
    async with world.hub.services.database.transaction() as connection:
        await connection.execute("UPDATE evidence.case_ SET closed_at = now() WHERE case_number = '2026-1'")
        second = await connection.fetchval("SELECT committed_at FROM exchange.version WHERE version = 2")
        await follow_new(connection, before=second - timedelta(microseconds=1))
    assert await cursors(world) == {"fr_jbxx": 1}
