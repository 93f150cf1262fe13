"""Open cases whose sources change: told, checked again by the hub, or suspended, as their rules say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.errors import Unavailable
from evidence.cascade.rechecker import Rechecker
from evidence.cascade.store_effects import load_suspensions
from evidence.cases.resolve import Resolver
from tests.evidence_rules import build_document
from tests.evidence_world import EvidenceWorld
from tests.integration.evidence.test_cascade import deregister, effects, follow


async def open_case(world: EvidenceWorld, on_change: str, **changes: Any) -> str:
    """Open a case whose registration and representative rest on the firm's row, under a rule of changes."""
    document = build_document()
    for fact in document["facts"][:2]:
        fact["on_change"] = on_change
    await world.grant_all()
    await world.release(document)
    return str((await world.ask(**changes))["case"])


def rechecker(world: EvidenceWorld) -> Rechecker:
    return world.hub.services.evidence.duties.rechecker


async def move(world: EvidenceWorld, **changes: str) -> None:
    """Publish the firm's row anew with some values changed, and follow it."""
    await world.publish("market", "fr_jbxx", [dict(world.firm) | changes])
    await follow(world)


async def look(world: EvidenceWorld, case: str) -> dict[str, Any]:
    answer = await world.hub.client.get(f"/v1/evidence/{case}", headers=world.hub.members["approval"].headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def post(world: EvidenceWorld, case: str, verb: str) -> tuple[int, str]:
    path = f"/v1/evidence/{case}/{verb}"
    answer = await world.hub.client.post(path, headers=world.hub.members["approval"].headers)
    return answer.status_code, answer.text


async def findings(world: EvidenceWorld) -> dict[str, tuple[str, str | None, str]]:
    """Return state, finding and the code of its reason of each of the office's effects, by fact."""
    return {
        each["fact"]: (each["state"], each["finding"], (each["reason"] or "").split(":")[0])
        for each in await effects(world, "approval")
    }


async def kept_orders(world: EvidenceWorld) -> list[bytes]:
    async with world.hub.services.database.acquire() as connection:
        return [row["sealed"] for row in await connection.fetch("SELECT sealed FROM evidence.case_order")]


async def test_change_that_leaves_the_facts_as_they_are_is_checked_and_settled_by_the_hub(
    world: EvidenceWorld,
) -> None:
    case = await open_case(world, "recheck")
    await move(world, zczb="123.45")
    assert await findings(world) == {
        "registration": ("pending", None, ""),
        "representative": ("pending", None, ""),
    }
    assert await rechecker(world).work_once() == 2
    assert await findings(world) == {
        "registration": ("done", "held", "DATA"),
        "representative": ("done", "held", "MATCH"),
    }
    assert all(each["settled_at"] for each in await effects(world, "approval"))
    assert (await look(world, case))["suspended"] == []
    assert await rechecker(world).work_once() == 0
    assert (await post(world, case, "receipt"))[0] == 200
    assert (await post(world, case, "close"))[0] == 204


async def test_changed_value_suspends_the_case_until_it_is_run_again(world: EvidenceWorld) -> None:
    case = await open_case(world, "recheck")
    await move(world, zs="新地址1号")
    await rechecker(world).work_once()
    assert await findings(world) == {
        "registration": ("done", "changed", "OTHER-VALUES"),
        "representative": ("done", "held", "MATCH"),
    }
    (why,) = (await look(world, case))["suspended"]
    assert (why["fact"], why["source"], why["version"], why["trigger"]) == (
        "registration",
        "fr_jbxx",
        "2",
        "row changed",
    )
    for verb in ("close", "receipt"):
        status, text = await post(world, case, verb)
        assert (status, "registration" in text, "run it again" in text) == (409, True, True)
    again = await world.ask()
    assert [each["code"] for each in again["materials"]] == ["M01"]
    assert (await look(world, case))["suspended"] == []
    assert all(each["settled_at"] for each in await effects(world, "approval"))
    assert (await post(world, case, "close"))[0] == 204


async def test_fact_that_is_so_no_more_is_told_with_the_reason_and_each_access_is_on_record(
    world: EvidenceWorld,
) -> None:
    await open_case(world, "recheck")
    await deregister(world)
    await follow(world)
    await rechecker(world).work_once()
    assert (await findings(world))["registration"] == ("done", "changed", "not_held (REQUIREMENT)")
    notices = await world.hub.client.get("/v1/notices", headers=world.hub.members["approval"].headers)
    told = [each["details"] for each in notices.json() if each["kind"] == "evidence.cascade"]
    assert sorted((each["fact"], each.get("finding", each.get("state"))) for each in told) == [
        ("registration", "changed"),
        ("registration", "pending"),
        ("representative", "held"),
        ("representative", "pending"),
    ]
    async with world.hub.services.database.acquire() as connection:
        asked = await connection.fetch(
            "SELECT event FROM core.log_leaf WHERE operator LIKE 'hub:%' ORDER BY 1"
        )
    assert {row["event"] for row in asked} == {"data.queried", "facts.verified"}


@pytest.mark.parametrize("on_change", ["notify", "suspend"])
async def test_case_is_told_or_suspended_without_any_check_where_the_rules_say_so(
    world: EvidenceWorld, on_change: str
) -> None:
    case = await open_case(world, on_change)
    assert await kept_orders(world) == []
    await move(world, zczb="123.45")
    assert await rechecker(world).work_once() == 0
    assert {each["action"] for each in await effects(world, "approval")} == {on_change}
    suspended = {each["fact"] for each in (await look(world, case))["suspended"]}
    assert suspended == (set() if on_change == "notify" else {"registration", "representative"})
    assert (await post(world, case, "close"))[0] == (204 if on_change == "notify" else 409)


async def test_order_is_kept_sealed_while_the_case_is_open_and_erased_with_its_end(
    world: EvidenceWorld,
) -> None:
    case = await open_case(world, "recheck")
    (sealed,) = await kept_orders(world)
    for clear in (world.firm["tyxydm"], world.firm["frmc"], world.firm["fddbr"]):
        assert clear.encode() not in sealed
    assert (await post(world, case, "close"))[0] == 204
    assert await kept_orders(world) == []


async def test_check_waits_while_the_source_is_recalled(world: EvidenceWorld) -> None:
    case = await open_case(world, "recheck")
    await move(world, zczb="123.45")
    headers = world.hub.members["market"].headers
    path = "/v1/resources/fr_jbxx"
    recalled = await world.hub.client.post(f"{path}/recall", json={"reason": "核对"}, headers=headers)
    assert recalled.status_code == 200, recalled.text
    assert await rechecker(world).work_once() == 2
    assert {each[0] for each in (await findings(world)).values()} == {"pending"}
    assert await rechecker(world).work_once() == 0
    reopened = await world.hub.client.post(f"{path}/submit", headers=headers)
    assert reopened.status_code == 200, reopened.text
    await make_due(world)
    await rechecker(world).work_once()
    assert {each[1] for each in (await findings(world)).values()} == {"held"}
    assert (await look(world, case))["suspended"] == []


async def make_due(world: EvidenceWorld) -> None:
    async with world.hub.services.database.transaction() as connection:
        await connection.execute(
            "UPDATE evidence.cascade_effect SET next_check_at = now() WHERE next_check_at IS NOT NULL"
        )


@pytest.mark.parametrize("lost", ["system", "grant", "order"])
async def test_what_cannot_be_established_any_more_suspends_the_case(world: EvidenceWorld, lost: str) -> None:
    case = await open_case(world, "recheck")
    approval, admin = world.hub.members["approval"], world.hub.admin
    await move(world, zczb="123.45")
    if lost == "system":
        path = f"/v1/systems/{approval.client_id}"
        answer = await world.hub.client.post(
            f"{path}/status", json={"status": "suspended"}, headers=admin.headers
        )
        assert answer.status_code == 200, answer.text
    elif lost == "grant":
        market = world.hub.members["market"].headers
        given = await world.hub.client.get("/v1/grants", params={"as": "provider"}, headers=market)
        assert given.json()
        for grant in given.json():
            path = f"/v1/grants/{grant['id']}/revocation"
            answer = await world.hub.client.post(path, json={"reason": "到期"}, headers=market)
            assert answer.status_code == 200, answer.text
    else:
        async with world.hub.services.database.transaction() as connection:
            await connection.execute("DELETE FROM evidence.case_order")
    await rechecker(world).work_once()
    expected = {"system": "NO-SYSTEM", "grant": "not_authorised (NOT-GRANTED)", "order": "NOT-KEPT"}[lost]
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT finding, reason FROM evidence.cascade_effect")
    assert {(row["finding"], row["reason"].split(":")[0]) for row in rows} == {("changed", expected)}
    if lost == "grant":
        assert len((await look(world, case))["suspended"]) == 2


@pytest.mark.parametrize("how", ["run", "close"])
async def test_office_that_ran_or_closed_the_case_itself_is_not_overruled(
    world: EvidenceWorld, how: str
) -> None:
    case = await open_case(world, "recheck")
    await move(world, zs="新地址1号")
    if how == "run":
        await world.ask()
    else:
        assert (await post(world, case, "close"))[0] == 204
    await rechecker(world).work_once()
    assert {each[1] for each in (await findings(world)).values()} == {"overtaken"}
    assert (await look(world, case))["suspended"] == []


async def test_effect_is_checked_once_by_many_processes_and_again_where_one_died(
    world: EvidenceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_case(world, "recheck")
    await move(world, zs="新地址1号")

    async def die(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Resolver, "establish", die)
        with pytest.raises(asyncio.CancelledError):
            await rechecker(world).work_once()
    await make_due(world)
    tried = await asyncio.gather(*(rechecker(world).work_once() for _ in range(4)))
    assert sum(tried) == 2
    assert {each[1] for each in (await findings(world)).values()} == {"held", "changed"}
    async with world.hub.services.database.acquire() as connection:
        count = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'cascade.checked'"
        )
    assert count == 2


async def test_database_that_is_gone_is_waited_for(
    world: EvidenceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_case(world, "recheck")
    await move(world, zs="新地址1号")

    async def be_gone(*_: Any, **__: Any) -> Any:
        msg = "gone"
        raise Unavailable(msg)

    with monkeypatch.context() as patch:
        patch.setattr(Resolver, "establish", be_gone)
        with pytest.raises(Unavailable):
            await rechecker(world).work_once()
    assert {each[0] for each in (await findings(world)).values()} == {"pending"}
    await make_due(world)
    assert await rechecker(world).work_once() == 2


async def test_run_from_before_the_change_that_is_saved_meanwhile_is_checked_again(
    world: EvidenceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await open_case(world, "recheck")
    await move(world, zs="新地址1号")
    establish = Resolver.establish

    async def run_meanwhile(self: Resolver, *args: Any, **more: Any) -> Any:
        states = await establish(self, *args, **more)
        async with world.hub.services.database.transaction() as connection:
            await connection.execute("UPDATE evidence.case_ SET runs = runs + 1")
        return states

    with monkeypatch.context() as patch:
        patch.setattr(Resolver, "establish", run_meanwhile)
        await rechecker(world).work_once()
    assert {each[0] for each in (await findings(world)).values()} == {"pending"}
    await make_due(world)
    await rechecker(world).work_once()
    assert len((await look(world, case))["suspended"]) == 1


async def test_preview_says_what_would_follow_for_open_cases(world: EvidenceWorld) -> None:
    await open_case(world, "recheck")
    await follow(world)
    row = {
        "resource": "fr_jbxx",
        "keys": {"tyxydm": world.firm["tyxydm"]},
        "operation": "update",
        "after": {"zs": "新地址1号"},
    }
    shown = await world.hub.client.post(
        "/v1/cascade/preview", json={"row": row}, headers=world.hub.members["market"].headers
    )
    assert [each["actions"] for each in shown.json()["cases"]] == [["recheck"]]
    assert await effects(world, "approval") == []


async def test_case_that_took_a_fact_over_is_found_though_the_other_one_is_closed(
    world: EvidenceWorld,
) -> None:
    document = build_document(bundles=["开办"])
    document["facts"][1] |= {"on_change": "recheck", "reuse_days": 7}
    await world.grant_all()
    await world.release(document)
    bundle = {"code": "开办", "reference": "一次"}
    first = (await world.ask(bundle=bundle))["case"]
    second = await world.ask(case="2026-2", bundle=bundle)
    facts = {each["fact"]: each for each in (await look(world, second["case"]))["facts"]}
    assert facts["representative"]["reused_from"] == first
    assert (await post(world, first, "close"))[0] == 204
    await move(world, fddbr="另一人")
    made = [each for each in await effects(world, "approval") if each["fact"] == "representative"]
    assert [each["case"] for each in made] == [second["case"]]
    await rechecker(world).work_once()
    assert (await findings(world))["representative"][1] == "changed"
    third = await world.ask(case="2026-3", bundle=bundle)
    assert {each["code"]: each["outcome"] for each in third["materials"]}["M02"] == "conflicting"


async def test_fact_that_is_seen_to_have_changed_is_taken_over_by_no_further_case(
    world: EvidenceWorld,
) -> None:
    document = build_document(bundles=["开办"])
    document["facts"][1] |= {"reuse_days": 7}
    await world.grant_all()
    await world.release(document)
    bundle = {"code": "开办", "reference": "一次"}
    await world.ask(bundle=bundle)
    await move(world, fddbr="另一人")
    second = await world.ask(case="2026-2", bundle=bundle)
    facts = {each["fact"]: each for each in (await look(world, second["case"]))["facts"]}
    assert facts["representative"]["reused_from"] is None
    assert facts["representative"]["outcome"] == "conflicting"


async def test_time_of_a_run_decides_what_it_settles(world: EvidenceWorld) -> None:
    case = await open_case(world, "suspend")
    await move(world, zs="新地址1号")
    async with world.hub.services.database.transaction() as connection:
        made_at = await connection.fetchval("SELECT max(made_at) FROM evidence.cascade_effect")
        for last_run_at, count in ((made_at, 2), (made_at + timedelta(microseconds=1), 0)):
            await connection.execute("UPDATE evidence.case_ SET last_run_at = $1", last_run_at)
            rows = await connection.fetch("SELECT id FROM evidence.case_")
            assert len(rows) == 1
            assert len(await load_suspensions(connection, case_id=rows[0]["id"])) == count
    assert case
