"""All sources of a case are read in the case's own transaction, and what holds is asked anew each time."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from core.database import Connection
from core.log.store import MAX_IN_STATEMENT
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld, certificate_way, fact, outcomes


def build_mixed() -> dict[str, Any]:
    """Build rules with a certificate, a row, a verification, and a credit list."""
    document = build_document()
    document["facts"][0]["ways"][0]["gives"] = {"name": "frmc"}
    clean = {
        "kind": "credit",
        "resource": "fr_jbxx",
        "where": {"tyxydm": "$company.code"},
        "clean": "present",
    }
    document["facts"] += [
        {"code": "licence", "title": "执照", "ways": [certificate_way(gives={"holder": "holder_name"})]},
        {"code": "listed", "title": "在册", "ways": [clean]},
    ]
    document["materials"] += [
        {"code": "M05", "title": "执照", "facts": ["licence"]},
        {"code": "M06", "title": "在册证明", "facts": ["listed"]},
    ]
    document["form"] = {}
    return document


async def open_mixed(world: EvidenceWorld) -> None:
    """Release the rules of `build_mixed`, with everything granted and a licence issued."""
    await world.issue_licence()
    await world.allow_licence()
    await world.grant_all()
    await world.release(build_mixed() | {"examples": []})


async def test_case_of_every_kind_of_source_is_one_transaction(world: EvidenceWorld) -> None:
    await open_mixed(world)
    answer = await world.ask(applicants=[world.company, world.manager])
    assert outcomes(answer) == dict.fromkeys(["M01", "M02", "M03", "M05", "M06"], "supplied")
    async with world.hub.services.database.acquire() as connection:
        leaves = await connection.fetch(
            "SELECT event, xmin::text AS transaction FROM core.log_leaf WHERE case_number = '2026-1'"
        )
        saved = await connection.fetchval("SELECT xmin::text FROM evidence.case_")
    events = sorted(row["event"] for row in leaves)
    assert events == [
        "certificate.fetched",
        "data.queried",
        "data.queried",
        "evidence.resolved",
        "facts.verified",
        "facts.verified",
    ]
    assert {row["transaction"] for row in leaves} == {saved}


async def test_case_of_more_leaves_than_one_statement_holds_records_them_all(world: EvidenceWorld) -> None:
    await world.grant_all()
    document = build_document(examples=[], form={})
    way = document["facts"][0]["ways"][0]
    codes = [f"again_{number}" for number in range(MAX_IN_STATEMENT)]
    document["facts"] += [{"code": code, "title": "企业登记", "ways": [way]} for code in codes]
    document["materials"] += [{"code": code, "title": "企业登记", "facts": [code]} for code in codes]
    await world.release(document)
    answer = await world.ask()
    assert set(outcomes(answer).values()) == {"supplied"}
    async with world.hub.services.database.acquire() as connection:
        leaves = await connection.fetch(
            "SELECT l.xmin::text AS transaction, coalesce(p.leaf_id, e.leaf_id) IS NOT NULL AS kept"
            " FROM core.log_leaf l LEFT JOIN core.log_pending p ON p.leaf_id = l.id"
            " LEFT JOIN core.log_entry e ON e.leaf_id = l.id WHERE l.case_number = '2026-1'"
        )
    assert len(leaves) == len(codes) + len(["registration", "representative", "evidence.resolved"])
    assert len({row["transaction"] for row in leaves}) == 1
    assert all(row["kept"] for row in leaves)


async def test_grant_that_is_revoked_between_two_runs_holds_at_once(world: EvidenceWorld) -> None:
    await world.grant("rk_jbxx", ["GMSFHM", "XM"])
    grant = await world.grant("fr_jbxx", ["tyxydm", "frmc", "fddbr", "zs", "cxzt"])
    await world.release(build_document())
    assert (await world.ask())["complete"] is True
    revoked = await world.hub.client.post(
        f"/v1/grants/{grant}/revocation",
        json={"reason": "不再需要"},
        headers=world.hub.members["market"].headers,
    )
    assert revoked.status_code == 200, revoked.text
    answer = await world.ask()
    assert set(outcomes(answer).values()) == {"not_authorised"}
    assert fact(answer, "registration")["reason"] == "NOT-GRANTED"


async def test_type_that_a_case_may_no_longer_use_is_refused_at_once(world: EvidenceWorld) -> None:
    await open_mixed(world)
    assert fact(await world.ask(), "licence")["outcome"] == "supplied"
    await world.allow_licence("其他事项")
    assert fact(await world.ask(), "licence")["reason"] == "CERT-USE-REFUSED"


async def test_token_that_is_revoked_between_two_runs_opens_no_case(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    assert (await world.post_evidence()).status_code == 200
    headers = world.hub.members["approval"].headers
    gone = await world.hub.client.post(
        "/v1/oauth/revocation", data={"token": headers["Authorization"].partition(" ")[2]}, headers=headers
    )
    assert gone.status_code == 200, gone.text
    assert (await world.post_evidence()).status_code == 401
    async with world.hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT runs FROM evidence.case_") == 1


async def test_first_runs_of_one_case_at_once_report_once(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    answers: list[httpx.Response] = list(await asyncio.gather(*(world.post_evidence() for _ in range(4))))
    assert [each.status_code for each in answers] == [200] * 4
    runs = sorted((each.json()["evidence"] for each in answers), key=lambda each: each["run"])
    assert [each["run"] for each in runs] == [1, 2, 3, 4]
    assert len({each["case"] for each in runs}) == 1
    assert [len(each["materials"]) for each in runs] == [2, 0, 0, 0]


async def test_value_in_a_wrong_form_takes_no_other_material_with_it(world: EvidenceWorld) -> None:
    await world.grant_all()
    document = build_document(examples=[])
    document["facts"][1]["ways"][0]["assertions"] = {"djrq": "$input.representative"}
    await world.grant("fr_jbxx", ["djrq"])
    await world.release(document)
    answer = await world.ask(inputs={"representative": "不是日期"})
    assert outcomes(answer)["M01"] == "supplied"
    assert fact(answer, "representative")["reason"] in {"VALUE", "NOT-GRANTED"}
    async with world.hub.services.database.acquire() as connection:
        count = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'data.queried' AND service_item = $1", ITEM_CODE
        )
    assert count == 1


async def test_first_run_that_waits_for_a_run_that_waits_for_it_is_run_again(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    database = world.hub.services.database
    async with database.acquire() as table, database.acquire() as other:
        held = table.transaction()
        await held.start()
        await table.execute("LOCK TABLE data.fr_jbxx IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(world.post_evidence())
        lock = await until_locked(other)
        await other.execute(
            "INSERT INTO evidence.case_ (id, organisation_code, item_code, item_version, case_number,"
            " opened_at, last_run_at, runs, outcomes, marks)"
            " VALUES (gen_random_uuid(), $1, $2, 1, $3, now(), now(), 1, '{}', '{}')",
            world.hub.members["approval"].code,
            ITEM_CODE,
            "2026-1",
        )
        async with other.transaction():
            await other.execute("SET LOCAL deadlock_timeout = '1h'")  # the case finds out, not this one
            await other.execute("SELECT FROM evidence.case_ FOR UPDATE")
            waiting = asyncio.create_task(other.execute("SELECT pg_advisory_xact_lock($1)", lock))
            await held.rollback()
            await waiting
    answer = await first
    assert answer.status_code == 200, answer.text
    assert answer.json()["evidence"]["run"] == 2


async def until_locked(connection: Connection) -> int:
    """Wait until a case holds the lock of its subject and waits for a table; return the lock's key."""
    while True:
        row = await connection.fetchrow(
            "SELECT (a.classid::bigint << 32) | a.objid::bigint AS key FROM pg_locks a"
            " JOIN pg_locks w ON w.pid = a.pid AND NOT w.granted AND w.locktype = 'relation'"
            " WHERE a.locktype = 'advisory' AND a.granted AND a.objsubid = 1 ORDER BY 1 LIMIT 1"
        )
        if row is not None:
            return int(row["key"])
        await asyncio.sleep(0.01)
