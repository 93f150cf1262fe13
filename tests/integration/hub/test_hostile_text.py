"""Text that PostgreSQL cannot keep, and bodies of another kind: a clear 4xx wherever they come in."""

from __future__ import annotations

import pytest

from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import ITEMS, publish, register

NUL_IN_TARGET = [
    "/v1/resources?q=a%00b",
    "/v1/resources/%00",
    "/v1/resources/th%00ings/batches/x/rejects",
    "/v1/certificates/%00/file",
    "/v1/certificate-types/%00",
    "/v1/audit/cases?case_number=%00",
    "/v1/applications?as=%00",
]


@pytest.mark.parametrize("target", NUL_IN_TARGET)
async def test_nul_in_the_target_gets_400_that_names_it(hub: RunningHub, target: str) -> None:
    answer = await hub.client.get(target, headers=hub.admin.headers | hub.members["police"].purposeful)
    assert answer.status_code == 400
    assert answer.json()["code"] == "INPUT-INVALID"
    assert "NUL" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["a\\u0000b", "a\\ud800b"])
async def test_text_that_cannot_be_kept_in_a_body_gets_4xx(hub: RunningHub, text: str) -> None:
    await register(hub, items=list(ITEMS[:2]))
    assert (await publish(hub, "code,name\nfirst,旧\n", "0")).status_code == 200
    headers = hub.members["police"].purposeful | {"Content-Type": "application/json"}
    bodies = {
        "/v1/resources/things/query": f'{{"keys": {{"code": "{text}"}}}}',
        "/v1/resources/things/verify": f'{{"subject": {{"code": "{text}"}}, "assertions":'
        f' [{{"item": "name", "value": "{text}"}}]}}',
        "/v1/resources/things/applications": f'{{"items": ["{text}"], "modes": ["query"], "service_items":'
        f' ["{text}"], "purpose": "{text}", "legal_basis": "{text}"}}',
        "/v1/certificates/search": f'{{"holder_code": "{text}", "holder_code_type": "{text}"}}',
    }
    for path, body in bodies.items():
        answer = await hub.client.post(path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_json_under_another_media_type_gets_415_that_says_so(hub: RunningHub) -> None:
    headers = hub.admin.headers | {"Content-Type": "text/plain"}
    answer = await hub.client.post("/v1/organisations", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "INPUT-UNSUPPORTED")
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
async def test_text_that_reaches_the_database_all_the_same_is_the_callers_mistake(
    hub: RunningHub, text: str
) -> None:
    @hub.app.get("/probe")
    async def probe() -> None:
        async with hub.services.database.acquire() as connection:
            await connection.fetchval("SELECT $1::text", text)

    answer = await hub.client.get("/probe")
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT-INVALID")
