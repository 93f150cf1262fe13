"""What the log holds after a whole story, and that refusals on any route are in it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from pydantic import SecretStr

from core.database.embedded import EmbeddedPostgres
from core.log.privacy import contains_number
from core.settings import Settings
from hub.demo.stage import demo_home
from hub.log_alone import open_log
from tests.hubs import RunningHub
from tests.integration.hub.test_process import free_port, run_demo


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The database and the folder of a hub after the demo's whole story."""

    settings: Settings


@pytest.fixture(scope="module")
async def played(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Played]:
    admin = await asyncpg.connect(postgres.url)
    await admin.execute('CREATE DATABASE "story"')
    url = postgres.url.replace("/postgres?", "/story?", 1)
    home = tmp_path_factory.mktemp("story")
    try:
        done = await asyncio.to_thread(
            run_demo, home, free_port(), SHUZHENG_DATABASE_URL=url, SHUZHENG_LOG_CHECK_HOUR="-1"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        folder = demo_home(Settings(home=home))
        yield Played(settings=Settings(home=folder, database_url=SecretStr(url), database_pool_size=4))
    finally:
        await admin.execute('DROP DATABASE "story" WITH (FORCE)')
        await admin.close()


async def test_no_leaf_of_a_whole_story_holds_a_personal_number(played: Played) -> None:
    async with open_log(played.settings) as log, log.database.acquire() as connection:
        leaves = [row[0] for row in await connection.fetch("SELECT l::text FROM core.log_leaf l")]
        events = {row[0] for row in await connection.fetch("SELECT DISTINCT event FROM core.log_leaf")}
        people = await load_numbers(connection)
    assert len(people) >= 500
    assert {"facts.verified", "data.queried", "access.refused", "batch.published"} <= events
    assert not [leaf for leaf in leaves if contains_number(leaf)]
    told = {number for leaf in leaves for number in re.findall(r"[0-9]{17}[0-9Xx]", leaf)}
    assert not told & people


async def test_event_tables_of_a_whole_story_agree_with_its_leaves_until_one_is_altered(
    played: Played,
) -> None:
    async with open_log(played.settings) as log:
        while await log.sequencer.integrate_once():
            pass
        report = await log.check.assess()
        assert report.is_whole, report.findings
        for table, columns in ALTERED.items():
            async with log.database.acquire() as connection:
                assert await connection.fetchval(f"SELECT count(*) FROM {table}"), table
                await connection.execute(f"CREATE TEMP TABLE kept AS TABLE {table}")
                for column, value in columns.items():
                    async with connection.transaction():
                        await connection.execute("SET LOCAL session_replication_role = replica")
                        where = "ctid = (SELECT min(ctid) FROM " + table + CHANGED.get(table, "") + ")"
                        await connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")
                    found = (await log.check.assess()).findings
                    assert {(each.table, column in each.problem) for each in found} == {(table, True)}, found
                    async with connection.transaction():
                        await connection.execute("SET LOCAL session_replication_role = replica")
                        await connection.execute(f"DELETE FROM {table}")
                        await connection.execute(f"INSERT INTO {table} SELECT * FROM kept")
                await connection.execute("DROP TABLE kept")
        assert (await log.check.assess()).is_whole


CHANGED = {"certs.status_change": " WHERE from_status IS NOT NULL"}
ALTERED = {
    "exchange.version": {
        "inserted_rows": "inserted_rows + 1000000",
        "current_rows": "current_rows + 1000000",
        "batch_id": "gen_random_uuid()",
    },
    "certs.certificate": {"digest_sm3": "sealed_sm3", "issuer_code": "'x'"},
    "certs.status_change": {"reason": "'x'", "to_status": "'x'"},
}


async def load_numbers(connection) -> set[str]:  # type: ignore[no-untyped-def]
    """Load every citizen number that stands in any dataset of the story."""
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'data'")
    found: set[str] = set()
    for table in tables:
        rows = await connection.fetch(f'SELECT t::text FROM data."{table[0]}" t')
        found |= {number for row in rows for number in re.findall(r"[0-9]{17}[0-9X]", row[0])}
    return {number for number in found if contains_number(number)}


async def refusals(hub: RunningHub) -> list[dict[str, str]]:
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetch("SELECT body FROM core.log_leaf WHERE event = 'access.refused'")
    return [json.loads(row["body"]) for row in rows]


async def test_refusal_on_a_route_of_any_package_leaves_one_leaf(hub: RunningHub) -> None:
    member = hub.members["market"]
    calls = [
        ("POST", "/v1/audit/subjects", {"number": "x"}, "POST /v1/audit/subjects", "AUTH-SCOPE-MISSING"),
        (
            "POST",
            "/v1/certificates/search",
            {"holder_code": "x", "holder_code_type": "111"},
            "POST /v1/certificates/search",
            "ACCESS-PURPOSE-MISSING",
        ),
    ]
    for method, path, body, action, code in calls:
        before = len(await refusals(hub))
        answer = await hub.client.request(method, path, json=body, headers=member.headers)
        assert answer.status_code == 403, answer.text
        found = (await refusals(hub))[before:]
        assert [each["details"] for each in found] == [{"action": action, "code": code}]
        assert found[0]["organisation"] == member.code


async def test_refusal_that_its_package_recorded_is_not_recorded_twice(hub: RunningHub) -> None:
    member = hub.members["market"]
    body = {"subject": {"x": "y"}, "assertions": [{"item": "x", "value": "y"}]}
    answer = await hub.client.post("/v1/resources/people/verify", json=body, headers=member.headers)
    assert answer.status_code == 403
    assert len(await refusals(hub)) == 1
