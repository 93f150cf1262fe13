"""Calls on the busy routes, whose token is proved by the statement that reads for them.

What another process does to a token, its system or its organisation is done here in the database, behind this
process's back.
"""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import httpx
import pytest

from exchange.access.ground import GroundReader
from tests.hubs import Member, RunningHub
from tests.integration.exchange.test_break_in import give, prepare

KEY = {"GMSFHM": f"K{1:017d}"}
CALLS = {
    "/v1/resources/people/query": {"keys": KEY},
    "/v1/resources/people/verify": {"subject": KEY, "assertions": [{"item": "XM", "value": "name-1-"}]},
    "/v1/verify": {
        "checks": [
            {"resource": "people", "subject": KEY, "assertions": [{"item": "XB", "value": "x1"}]},
        ]
    },
}
REVOKED = "UPDATE core.token SET revoked_at = {} WHERE system_id = $1"
OWN_ORGANISATION = "code = (SELECT organisation_code FROM core.system WHERE id = $1)"
ENDINGS = (
    (REVOKED, "now()", "NULL"),
    ("UPDATE core.system SET status = {} WHERE id = $1", "'suspended'", "'active'"),
    (
        "UPDATE core.organisation SET status = {} WHERE " + OWN_ORGANISATION,
        "'suspended'",
        "'active'",
    ),
)


async def open_grant(hub: RunningHub) -> Member:
    owner, holder = await prepare(hub)
    assert await give(hub, owner, holder, {"items": ["GMSFHM", "XM", "XB"], "modes": ["query", "verify"]})
    return holder


async def ask(hub: RunningHub, path: str, headers: dict[str, str]) -> httpx.Response:
    return await hub.client.post(path, json=CALLS[path], headers=headers)


async def change(hub: RunningHub, statement: str, *values: Any) -> None:
    async with hub.services.database.transaction() as connection:
        await connection.execute(statement, *values)


async def count_leaves(hub: RunningHub) -> int:
    async with hub.services.database.acquire() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM core.log_leaf"))


async def test_call_after_another_process_ended_its_token_is_refused_at_once(hub: RunningHub) -> None:
    holder = await open_grant(hub)
    for (statement, ended, undone), path in itertools.product(ENDINGS, CALLS):
        for _ in range(2):
            assert (await ask(hub, path, holder.purposeful)).status_code == 200
        await change(hub, statement.format(ended), UUID(holder.client_id))
        before = await count_leaves(hub)
        answer = await ask(hub, path, holder.purposeful)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-REQUIRED")
        assert await count_leaves(hub) == before
        await change(hub, statement.format(undone), UUID(holder.client_id))


async def test_wrong_call_with_an_ended_token_learns_only_that(hub: RunningHub) -> None:
    holder = await open_grant(hub)
    calls: list[tuple[str, dict[str, Any], dict[str, str] | None]] = [
        ("/v1/resources/people/query", {"keys": KEY}, {}),
        ("/v1/resources/people/query", {"keys": KEY}, {"Shuzheng-Service-Item": "%00"}),
        ("/v1/resources/absent/query", {"keys": KEY}, None),
        ("/v1/resources/No%20Code/query", {"keys": KEY}, None),
        ("/v1/verify", {"checks": [{"resource": "x", "subject": KEY, "assertions": []}]}, None),
        ("/v1/verify", {"checks": "none"}, None),
    ]
    for path, body, headers in calls:
        assert (await ask(hub, "/v1/resources/people/query", holder.purposeful)).status_code == 200
        await change(hub, REVOKED.format("now()"), UUID(holder.client_id))
        before = await count_leaves(hub)
        sent = holder.purposeful if headers is None else holder.headers | headers
        answer = await hub.client.post(path, json=body, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-REQUIRED")
        assert await count_leaves(hub) == before
        await change(hub, REVOKED.format("NULL"), UUID(holder.client_id))


async def test_call_after_its_organisation_demands_signatures_or_addresses_is_refused(
    hub: RunningHub,
) -> None:
    holder = await open_grant(hub)
    path = "/v1/resources/people/query"
    assert (await ask(hub, path, holder.purposeful)).status_code == 200
    networks = "UPDATE core.system SET networks = $2 WHERE id = $1"
    await change(hub, networks, UUID(holder.client_id), ["192.0.2.0/24"])
    assert (await ask(hub, path, holder.purposeful)).json()["code"] == "AUTH-ADDRESS"
    await change(hub, networks, UUID(holder.client_id), None)
    assert (await ask(hub, path, holder.purposeful)).status_code == 200
    await change(
        hub,
        "UPDATE core.organisation SET request_signatures = 'required' WHERE " + OWN_ORGANISATION,
        UUID(holder.client_id),
    )
    assert (await ask(hub, path, holder.purposeful)).json()["code"] == "AUTH-SIGNATURE"


async def test_call_after_a_harmless_change_of_its_system_is_answered(hub: RunningHub) -> None:
    holder = await open_grant(hub)
    path = "/v1/resources/people/query"
    assert (await ask(hub, path, holder.purposeful)).status_code == 200
    await change(hub, "UPDATE core.system SET name = 'renamed' WHERE id = $1", UUID(holder.client_id))
    before = await count_leaves(hub)
    assert (await ask(hub, path, holder.purposeful)).status_code == 200
    assert await count_leaves(hub) == before + 1


async def test_answer_whose_caller_nothing_proved_is_kept_until_the_token_is(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = await open_grant(hub)
    path = "/v1/resources/people/query"
    assert (await ask(hub, path, holder.purposeful)).status_code == 200
    read = GroundReader.read

    async def forgetful(*args: Any, **named: Any) -> Any:
        ground = await read(*args, **named)
        named["caller"].standing.is_confirmed = False
        await change(hub, REVOKED.format("now()"), UUID(holder.client_id))
        return ground

    monkeypatch.setattr(GroundReader, "read", forgetful)
    assert (await ask(hub, path, holder.purposeful)).status_code == 401
