"""What the log holds after a whole story, and that refusals on any route are in it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from core.database import Database
from core.log.privacy import contains_number
from tests.hubs import RunningHub
from tests.integration.hub.test_process import free_port, run_demo


async def test_no_leaf_of_a_whole_story_holds_a_personal_number(database_url: str, tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        run_demo, tmp_path, free_port(), SHUZHENG_DATABASE_URL=database_url, SHUZHENG_LOG_CHECK_HOUR="-1"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    database = await Database.connect(database_url, pool_size=2, timeout_s=10)
    try:
        async with database.acquire() as connection:
            leaves = [row[0] for row in await connection.fetch("SELECT l::text FROM core.log_leaf l")]
            events = {row[0] for row in await connection.fetch("SELECT DISTINCT event FROM core.log_leaf")}
            people = await load_numbers(connection)
    finally:
        await database.close()
    assert len(people) >= 500
    assert {"facts.verified", "data.queried", "access.refused", "batch.published"} <= events
    assert not [leaf for leaf in leaves if contains_number(leaf)]
    told = {number for leaf in leaves for number in re.findall(r"[0-9]{17}[0-9Xx]", leaf)}
    assert not told & people


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
