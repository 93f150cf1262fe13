"""What an undertaking came to is published by the hub itself into the credit dataset that is named for it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.evidence_rules import build_document
from tests.evidence_world import EvidenceWorld
from tests.integration.evidence.test_undertakings import (
    go_on_under_commitment,
    let_time_pass,
    notices,
    promise,
    verify,
)


async def name_dataset(world: EvidenceWorld, member: str = "market", code: str = "xy_cn") -> httpx.Response:
    return await world.hub.client.put(
        "/v1/evidence/credit-dataset", json={"resource_code": code}, headers=world.hub.members[member].headers
    )


async def register_dataset(world: EvidenceWorld) -> None:
    answer = await world.hub.client.post(
        "/v1/resources/standard/xy_cn", json={}, headers=world.hub.members["market"].headers
    )
    assert answer.status_code == 201, answer.text


async def publish_due(world: EvidenceWorld) -> None:
    """Let every entry be due, and run the duty once."""
    async with world.hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE evidence.credit_entry SET next_try_at = now() - interval '1 second'"
            " WHERE next_try_at IS NOT NULL"
        )
    await world.hub.services.evidence.credit.breaches.work_once()


async def breach(world: EvidenceWorld) -> None:
    """Make a commitment that the source refutes."""
    await go_on_under_commitment(world)
    await world.grant_all()
    await world.publish("market", "fr_jbxx", [dict(world.firm) | {"fddbr": "另一人"}])
    await verify(world)


async def current(world: EvidenceWorld) -> list[dict[str, Any]]:
    """Read the dataset's current rows."""
    async with world.hub.services.database.acquire() as connection:
        rows = await connection.fetch('SELECT "CNRMC", "CNLX", "LXZT", "WNQK", _version FROM data."xy_cn"')
    return [dict(row) for row in rows]


async def test_breach_is_published_once_and_told_to_the_office(world: EvidenceWorld) -> None:
    await register_dataset(world)
    assert (await name_dataset(world)).status_code == 200
    await breach(world)
    await publish_due(world)
    await publish_due(world)
    rows = await current(world)
    assert [(row["CNRMC"], row["LXZT"], row["_version"]) for row in rows] == [
        (world.firm["frmc"], "未履行", 1)
    ]
    assert rows[0]["WNQK"].startswith("MISMATCH")
    states = sorted(each["state"] for each in await notices(world))
    assert states == ["breached", "published in the credit dataset as breached"]
    async with world.hub.services.database.acquire() as connection:
        events = await connection.fetch(
            "SELECT event FROM core.log_leaf WHERE event LIKE 'credit_dataset.%' ORDER BY recorded_at"
        )
    assert [row["event"] for row in events] == [
        "credit_dataset.named",
        "credit_dataset.entered",
        "credit_dataset.published",
    ]


async def test_duty_that_died_after_publishing_publishes_nothing_twice(world: EvidenceWorld) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        batch = await connection.fetchval("SELECT batch_id FROM evidence.credit_entry")
        await connection.execute(
            "UPDATE evidence.credit_entry SET state = 'waiting', batch_id = NULL, settled_at = NULL,"
            " next_try_at = now()"
        )
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        entry = await connection.fetchrow("SELECT state, batch_id FROM evidence.credit_entry")
        batches = await connection.fetchval(
            "SELECT count(*) FROM exchange.batch WHERE resource_code = 'xy_cn'"
        )
    assert entry is not None
    assert (entry["state"], entry["batch_id"], batches) == ("published", batch, 1)


async def test_breach_published_by_a_duty_that_died_is_known_though_its_row_would_be_another_now(
    world: EvidenceWorld,
) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        batch = await connection.fetchval("SELECT batch_id FROM evidence.credit_entry")
        await connection.execute(
            "UPDATE evidence.credit_entry SET state = 'waiting', batch_id = NULL, settled_at = NULL,"
            " next_try_at = now()"
        )
        await connection.execute(
            "UPDATE core.organisation SET name = '改名的审批局' WHERE code = $1",
            world.hub.members["approval"].code,
        )
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        entry = await connection.fetchrow("SELECT state, batch_id FROM evidence.credit_entry")
    assert entry is not None
    assert (entry["state"], entry["batch_id"]) == ("published", batch)


async def test_breach_that_another_process_is_publishing_is_not_told_as_refused(world: EvidenceWorld) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    duty = world.hub.services.evidence.credit.breaches
    database = world.hub.services.database
    async with database.acquire() as table, database.acquire() as other:
        held = table.transaction()
        await held.start()
        await table.execute("LOCK TABLE exchange.version IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(duty.work_once())
        for _ in range(2000):
            if await other.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
            ):
                break
            await asyncio.sleep(0.01)
        await other.execute("UPDATE evidence.credit_entry SET next_try_at = now()")
        second = asyncio.create_task(duty.work_once())
        await asyncio.wait([second], timeout=5)
        await held.rollback()
        await asyncio.gather(first, second)
    await publish_due(world)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT state FROM evidence.credit_entry") == "published"
    assert len(await current(world)) == 1


async def test_breach_from_before_the_dataset_was_named_is_published_too(world: EvidenceWorld) -> None:
    await breach(world)
    await publish_due(world)
    await register_dataset(world)
    assert (await name_dataset(world)).status_code == 200
    await publish_due(world)
    assert [row["LXZT"] for row in await current(world)] == ["未履行"]


async def test_what_was_not_delivered_in_time_is_told_to_the_office_and_published_nowhere(
    world: EvidenceWorld,
) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await world.grant_all()
    await world.release(build_document())
    inputs = {"representative": world.firm["fddbr"], "premises": "leased"}
    answer = await world.ask(inputs=inputs)
    made = await promise(world, answer["case"], {"fact": "lease", "action": "deliver-later"}, inputs=inputs)
    assert made.status_code == 201, made.text
    await let_time_pass(world, 60)
    async with world.hub.services.database.acquire() as connection:
        await connection.execute("UPDATE evidence.undertaking SET made_at = made_at - interval '60 days'")
    await verify(world)
    await publish_due(world)
    assert await current(world) == []
    assert [each["state"] for each in await notices(world)] == ["overdue"]


async def test_breach_waits_while_the_dataset_is_recalled(world: EvidenceWorld) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    headers = world.hub.members["market"].headers
    path = "/v1/resources/xy_cn"
    recalled = await world.hub.client.post(f"{path}/recall", json={"reason": "核对"}, headers=headers)
    assert recalled.status_code == 200, recalled.text
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT state FROM evidence.credit_entry") == "waiting"
    reopened = await world.hub.client.post(f"{path}/submit", headers=headers)
    assert reopened.status_code == 200, reopened.text
    await publish_due(world)
    assert [row["LXZT"] for row in await current(world)] == ["未履行"]


async def test_breach_that_waits_goes_into_the_dataset_that_is_named_after(world: EvidenceWorld) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    headers = world.hub.members["market"].headers
    await world.hub.services.evidence.credit.breaches.work_once()
    async with world.hub.services.database.transaction() as connection:
        await connection.execute(
            "UPDATE evidence.credit_entry SET state = 'waiting', batch_id = NULL, settled_at = NULL,"
            " next_try_at = now(), resource_code = 'nosuch'"
        )
    made = await world.hub.client.post(
        "/v1/resources/standard/xy_cn", json={"code": "xy_cn_2", "title": "信用承诺（新）"}, headers=headers
    )
    assert made.status_code == 201, made.text
    assert (await name_dataset(world, code="xy_cn_2")).status_code == 200
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        entry = await connection.fetchrow("SELECT state, resource_code FROM evidence.credit_entry")
        assert await connection.fetchval('SELECT count(*) FROM data."xy_cn_2"') == 1
    assert entry is not None
    assert tuple(entry) == ("published", "xy_cn_2")


async def test_row_that_the_dataset_refuses_is_told_and_not_tried_for_ever(world: EvidenceWorld) -> None:
    await register_dataset(world)
    await name_dataset(world)
    await breach(world)
    async with world.hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE evidence.undertaking SET made_at = made_at + interval '3 days',"
            " due_at = due_at + interval '3 days'"
        )
    await publish_due(world)
    async with world.hub.services.database.acquire() as connection:
        entry = await connection.fetchrow("SELECT state, reason, next_try_at FROM evidence.credit_entry")
    assert entry is not None
    assert (entry["state"], entry["next_try_at"]) == ("refused", None)
    assert entry["reason"]
    assert "refused in the credit dataset as breached" in {each["state"] for each in await notices(world)}


async def test_only_the_provider_names_a_dataset_that_fits_and_takes_it_back(world: EvidenceWorld) -> None:
    await register_dataset(world)
    assert (await name_dataset(world, "police")).status_code == 403
    unfit = await name_dataset(world, code="fr_jbxx")
    assert (unfit.status_code, unfit.json()["code"]) == (400, "INPUT-INVALID")
    assert (await name_dataset(world)).status_code == 200
    path, members = "/v1/evidence/credit-dataset", world.hub.members
    shown = await world.hub.client.get(path, headers=members["approval"].headers)
    assert shown.json()["resource_code"] == "xy_cn"
    assert (await world.hub.client.delete(path, headers=members["police"].headers)).status_code == 404
    assert (await world.hub.client.delete(path, headers=members["market"].headers)).status_code == 204
    assert (await world.hub.client.get(path, headers=members["approval"].headers)).status_code == 404
    await breach(world)
    await publish_due(world)
    assert await current(world) == []
