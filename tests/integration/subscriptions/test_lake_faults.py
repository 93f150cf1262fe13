"""The lake when processes die and stores go away, and its place in reconciliation."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from core.database import Database
from core.settings import Settings
from hub.services import utc_now
from subscriptions.lake import store
from subscriptions.lake.assembly import assemble
from tests.exchange_world import build_row, open_world
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register
from tests.lake_behaviour import open_lake_world

ROOT = Path(__file__).resolve().parents[3]
VERSIONS = 12


async def test_writer_killed_at_random_moments_leaves_each_version_once(
    database: Database, migrated_url: str, hub_settings: Settings
) -> None:
    dice = random.Random(7)
    async with open_lake_world(database, hub_settings) as lake:
        for number in range(VERSIONS):
            rows = [build_row(n, XM=f"第{number}") for n in range(number * 30, number * 30 + 40)]
            await lake.world.publish(rows, [build_row(number * 30 - 1)["GMSFHM"]] if number else ())
        for _ in range(6):
            worker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.lake_worker", migrated_url, str(hub_settings.home),
                cwd=ROOT, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert worker.stdout is not None
            assert await worker.stdout.readline() == b"ready\n"
            await asyncio.sleep(dice.uniform(0.02, 0.6))
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
            async with database.transaction() as connection:  # a killed process's lease ends after a minute
                await connection.execute("UPDATE subscriptions.lake_state SET leased_until = now()")
        await lake.follow()
        assert lake.rows() == await lake.current()
        async with database.acquire() as connection:
            versions = await store.load_versions(connection, code="people")
            changed = await connection.fetch(
                "SELECT _version, _operation, count(*) FROM data.people__changes GROUP BY 1, 2"
            )
        assert [v.version for v in versions] == list(range(VERSIONS + 1))
        logged: dict[int, Counter[str]] = {}
        for version, operation, count in changed:
            logged.setdefault(version, Counter())[operation] = count
        for entry in versions[1:]:
            found = lake.changes(entry.delta_version)
            assert found["update_preimage"] == found["update_postimage"]
            assert {
                "insert": found["insert"], "update": found["update_preimage"], "delete": found["delete"],
            } == {name: logged[entry.version][name] for name in ("insert", "update", "delete")}  # fmt: skip
        committed = [
            json.loads(line)["commitInfo"].get("shuzheng.version")
            for path in sorted((hub_settings.home / "objects/lake/people/_delta_log").glob("*.json"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if "commitInfo" in line
        ]
        assert [int(each) for each in committed if each] == list(range(1, VERSIONS + 1))


async def test_store_that_is_away_is_recorded_as_trouble_and_tried_again(
    database: Database, hub_settings: Settings
) -> None:
    world = await open_world(database)
    hub_settings.spool_dir.mkdir(parents=True)
    await world.publish([build_row(1)])
    blocked = hub_settings.home / "objects"
    blocked.write_text("a file where the folder should be")
    lake = assemble(settings=hub_settings, database=database, log=world.log, now=utc_now)
    assert await lake.writer.follow("people") == 0
    async with database.acquire() as connection:
        state = await store.load_state(connection, code="people")
        assert state is not None
        assert (state.version, state.trouble, state.failures) == (None, "SERVICE-UNAVAILABLE", 1)
        assert await store.load_behind(connection, default="all", at=utc_now(), limit=9) == []
    blocked.unlink()
    assert await lake.writer.follow("people") == 1
    async with database.acquire() as connection:
        state = await store.load_state(connection, code="people")
    assert state is not None
    assert (state.version, state.trouble) == (1, None)


async def test_lost_table_is_written_anew(database: Database, hub_settings: Settings) -> None:
    async with open_lake_world(database, hub_settings) as lake:
        await lake.world.publish([build_row(n) for n in range(4)])
        await lake.follow()
        (hub_settings.home / "objects/lake/people").rename(hub_settings.home / "lost")
        await lake.world.publish([build_row(9)])
        await lake.follow()
        assert lake.rows() == await lake.current()


async def compare(hub: RunningHub) -> dict[str, Any]:
    answer = await hub.client.post(
        "/v1/resources/things/reconciliations/stations", headers=hub.members["market"].headers
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_reconciliation_compares_the_lake_and_names_keys_that_differ(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name,amount,at,yes\n1,甲,1.5,20240101120000,1\n2,乙,,,\n3,丙,,,\n", "a")
    assert "lake" not in await compare(hub)
    answer = await hub.client.put(
        "/v1/resources/things/lake", json={"followed": True}, headers=hub.members["market"].headers
    )
    assert answer.status_code == 200, answer.text
    async with asyncio.timeout(30):
        while (await show(hub))["lag_versions"]:
            await hub.services.lake.writer.follow_all()
    found = await compare(hub)
    assert found["equal"] is True
    assert found["lake"] == found["current"] | {"version": 1, "equal": True}
    async with hub.services.database.acquire() as connection:
        await connection.execute("UPDATE data.things SET name = '改' WHERE code = '1'")
        await connection.execute("DELETE FROM data.things WHERE code = '2'")
    found = await compare(hub)
    assert found["lake"]["equal"] is False
    lake = [d for d in found["differences"] if d["why"] == ["compared with the lake"]]
    assert {(d["key"][0], d["verdict"]) for d in lake} == {("1", "changed"), ("2", "only_right")}


async def show(hub: RunningHub) -> dict[str, Any]:
    answer = await hub.client.get("/v1/resources/things/lake", headers=hub.members["market"].headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_choice_of_another_department_is_refused(hub: RunningHub) -> None:
    await register(hub)
    for method, body in (("GET", None), ("PUT", {"followed": True})):
        answer = await hub.client.request(
            method, "/v1/resources/things/lake", json=body, headers=hub.members["police"].headers
        )
        assert answer.status_code == 403, answer.text
    assert (await show(hub))["followed"] is False
