"""What somebody says about a certificate, held against the register (信息验证)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from certs.use.store_statements import Asked, load_stated
from certs.use.verdict import MAX_TOGETHER
from core.caller import Caller, OrganisationCode, SystemId
from core.log.model import Event
from tests.hubs import RunningHub
from tests.integration.certs.conftest import LICENCE
from tests.integration.certs.test_certificates import NUMBER, ORDER
from tests.integration.certs.test_use import CASE, post, prepare

BODY = {
    "type_code": LICENCE,
    "number": NUMBER,
    "holder_name": ORDER["holder"]["name"],
    "holder_code": NUMBER,
    "holder_code_type": "001",
}


@pytest.mark.parametrize(
    ("change", "result", "national"),
    [
        ({}, 0, 0),
        ({"data": {"FDDBR": "张三丰"}}, 0, 0),
        ({"data": {"FDDBR": "李四"}}, 6, 99),
        ({"holder_name": "别家"}, 6, 99),
        ({"holder_name": ""}, 4, 12),
        ({"number": "X"}, 5, 10),
        ({"holder_code": "91990000MA0TE5T089"}, 5, 10),
    ],
)
async def test_statement_gets_the_standards_result(
    hub: RunningHub, change: dict[str, Any], result: int, national: int
) -> None:
    await prepare(hub)
    answer = await post(hub, "/v1/certificates/verify-data", BODY | change)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["result"], answer.json()["national"]) == (result, national)
    assert "张三丰" not in answer.text


@pytest.mark.parametrize(
    ("to", "result", "national"), [("suspended", 2, 23), ("revoked", 3, 21), ("cancelled", 3, 21)]
)
async def test_statement_about_a_certificate_out_of_force_says_so(
    hub: RunningHub, to: str, result: int, national: int
) -> None:
    identifier = (await prepare(hub))["identifier"]
    await post(hub, f"/v1/certificates/{identifier}/status", {"to": to, "reason": "x"}, "market")
    answer = (await post(hub, "/v1/certificates/verify-data", BODY)).json()
    assert (answer["result"], answer["national"], answer["status"]) == (result, national, to)
    page = await hub.client.get(f"/c/{identifier}")
    assert to in page.text


async def test_statement_for_an_item_that_the_type_does_not_serve_is_refused_and_logged(
    hub: RunningHub,
) -> None:
    identifier = (await prepare(hub))["identifier"]
    path = "/v1/certificates/verify-data"
    for said in (BODY, BODY | {"number": "X"}, BODY | {"holder_name": ""}):
        answer = await post(hub, path, said, "approval", **CASE)
        assert (answer.status_code, answer.json()["code"]) == (403, "CERT-USE-REFUSED"), answer.text
        assert identifier not in answer.text
    async with hub.services.database.acquire() as connection:
        leaves = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = $1 AND body LIKE '%statement%'",
            Event.ACCESS_REFUSED,
        )
    assert leaves == 3
    own = (await post(hub, path, BODY, "market", **CASE)).json()
    assert (own["result"], own["identifier"]) == (0, identifier)
    unknown = (await post(hub, path, BODY | {"type_code": "NONE"}, "approval", **CASE)).json()
    assert (unknown["result"], unknown["identifier"]) == (5, None)


async def test_statements_at_once_are_each_answered_and_logged_for_their_own_case(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    count = 2 * MAX_TOGETHER + 12  # more than one reading, and one statement of the log, carry
    asked = [BODY | ({} if each % 3 else {"number": f"N{each}"}) for each in range(count)]
    answers = await asyncio.gather(
        *(
            post(hub, "/v1/certificates/verify-data", said, **{"Shuzheng-Case-Number": f"C{number}"})
            for number, said in enumerate(asked)
        )
    )
    assert [each.json()["result"] for each in answers] == [0 if each % 3 else 5 for each in range(count)]
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT case_number, certificate_id FROM core.log_leaf WHERE event = $1", Event.STATEMENT_VERIFIED
        )
    assert {row["case_number"]: row["certificate_id"] for row in rows} == {
        f"C{each}": identifier if each % 3 else None for each in range(count)
    }


async def test_statement_that_the_log_does_not_take_is_not_answered(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    async with hub.services.database.acquire() as connection:
        await connection.execute(
            f"ALTER TABLE core.log_leaf ADD CONSTRAINT full_up CHECK (event <> '{Event.STATEMENT_VERIFIED}')"
            " NOT VALID"
        )
    answer = await post(hub, "/v1/certificates/verify-data", BODY)
    assert answer.status_code >= 500
    assert identifier not in answer.text
    assert "result" not in answer.json()


async def test_statement_under_a_revoked_token_is_not_answered(hub: RunningHub) -> None:
    identifier = (await prepare(hub))["identifier"]
    assert (await post(hub, "/v1/certificates/verify-data", BODY)).status_code == 200
    async with hub.services.database.transaction() as connection:
        await connection.execute("UPDATE core.token SET revoked_at = now()")
    refused = await post(hub, "/v1/certificates/verify-data", BODY)
    assert refused.status_code == 401
    assert identifier not in refused.text


async def test_statements_are_planned_once_however_many_are_read_together(hub: RunningHub) -> None:
    caller = Caller(
        system_id=SystemId(uuid4()),
        system_name="x",
        organisation_code=OrganisationCode("91990000MA0TE5T089"),
        organisation_name="x",
        scopes=frozenset(),
    )
    asked = Asked(type_code=LICENCE, number=NUMBER, service_item="x", caller=caller, with_data=False)
    async with hub.services.database.acquire() as connection:
        for count in (1, 8, 3, 1, 24, 2, 5, 8, 1, 4):
            assert len(await load_stated(connection, asked=[asked] * count)) == count
        plans = await connection.fetchrow(
            "SELECT custom_plans, generic_plans FROM pg_prepared_statements"
            " WHERE statement LIKE 'SELECT asked.place%'"
        )
    assert plans is not None
    assert tuple(plans) == (5, 5)  # PostgreSQL tries five times before it keeps one
