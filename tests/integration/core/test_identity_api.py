"""Tokens, organisations and systems over HTTP, with every wrong way to ask."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from core.caller import Scope
from hub.services import utc_now
from tests.hubs import RunningHub, organisation_code


async def test_whoami_with_token_tells_the_organisation(hub: RunningHub) -> None:
    member = hub.members["police"]
    answer = await hub.client.get("/v1/whoami", headers=member.headers)
    assert answer.status_code == 200
    assert answer.json()["organisation_code"] == member.code


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer unknown", "Basic abc", "Bearer " + "x" * 5000, "Bearer \u00e9"],
)
async def test_call_without_good_token_gets_401_problem(hub: RunningHub, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = await hub.client.get("/v1/whoami", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "AUTH-REQUIRED"


async def test_expired_token_gets_401_that_says_so(hub: RunningHub) -> None:
    tokens = hub.services.tokens
    member = hub.members["police"]
    tokens._now = lambda: utc_now() + timedelta(hours=2)
    try:
        answer = await hub.client.get("/v1/whoami", headers=member.headers)
    finally:
        tokens._now = utc_now
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-TOKEN-EXPIRED")


async def test_revoked_token_stops_at_once(hub: RunningHub) -> None:
    member = hub.members["police"]
    assert (await hub.client.post("/v1/oauth/revocation", headers=member.headers)).status_code == 200
    assert (await hub.client.get("/v1/whoami", headers=member.headers)).status_code == 401


async def test_missing_scope_gets_403_that_names_it(hub: RunningHub) -> None:
    body = {"code": organisation_code(9), "name": "示例局", "division_code": "990000"}
    answer = await hub.client.post("/v1/organisations", json=body, headers=hub.members["police"].headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-SCOPE-MISSING")
    assert "admin" in answer.json()["detail"]


async def test_wrong_secret_and_unknown_client_get_the_same_answer(hub: RunningHub) -> None:
    member = hub.members["police"]
    answers = []
    for client_id in (member.client_id, "00000000-0000-0000-0000-000000000000", "no-uuid'; --"):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "wrong"}
        answers.append(await hub.client.post("/v1/oauth/token", data=form))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_token_from_http_basic_narrowed_to_a_scope_holds_only_that(hub: RunningHub) -> None:
    member = hub.members["police"]
    basic = base64.b64encode(f"{member.client_id}:{member.client_secret}".encode()).decode()
    answer = await hub.client.post(
        "/v1/oauth/token",
        data={"grant_type": "client_credentials", "scope": "query"},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert answer.json()["scope"] == "query"
    beyond = await hub.client.post(
        "/v1/oauth/token",
        data={"grant_type": "client_credentials", "scope": "query admin"},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert beyond.status_code == 422


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 422),
        (b"[1]", "application/json", 422),
        (b'{"code": 1}', "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_malformed_body_gets_4xx_problem(
    hub: RunningHub, content: bytes, content_type: str, status: int
) -> None:
    headers = hub.admin.headers | {"Content-Type": content_type}
    answer = await hub.client.post("/v1/organisations", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["status"] == status


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 5000, "a\nb", "\u202e\x1b[31m"])
async def test_hostile_organisation_name_is_refused_and_changes_nothing(hub: RunningHub, name: str) -> None:
    before = (await hub.client.get("/v1/organisations", headers=hub.admin.headers)).json()
    body = {"code": organisation_code(9), "name": name, "division_code": "990000"}
    answer = await hub.client.post("/v1/organisations", json=body, headers=hub.admin.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/name"
    assert (await hub.client.get("/v1/organisations", headers=hub.admin.headers)).json() == before


@pytest.mark.parametrize("name", ['"; drop table core.organisation; --', "../../etc", "局😀", "𠮷野家"])
async def test_odd_but_honest_name_is_kept_as_it_is(hub: RunningHub, name: str) -> None:
    body = {"code": organisation_code(9), "name": name, "division_code": "990000"}
    answer = await hub.client.post("/v1/organisations", json=body, headers=hub.admin.headers)
    assert answer.status_code == 201
    listed = (await hub.client.get("/v1/organisations", headers=hub.admin.headers)).json()
    assert name in [entry["name"] for entry in listed]


async def test_organisation_with_wrong_check_character_is_refused(hub: RunningHub) -> None:
    code = organisation_code(9)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    body = {"code": wrong, "name": "示例局", "division_code": "99"}
    answer = await hub.client.post("/v1/organisations", json=body, headers=hub.admin.headers)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/code", "/division_code"]


async def test_organisation_twice_gets_409(hub: RunningHub) -> None:
    body = {"code": hub.members["police"].code, "name": "示例局", "division_code": "990000"}
    answer = await hub.client.post("/v1/organisations", json=body, headers=hub.admin.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "STATE-CONFLICT")


async def test_body_over_the_limit_gets_413_before_it_is_read(hub: RunningHub) -> None:
    limit = hub.services.settings.max_body_bytes

    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(limit // 65536 + 2):
            yield b" " * 65536

    headers = hub.admin.headers | {"Content-Type": "application/json"}
    declared = await hub.client.post("/v1/organisations", content=b" " * (limit + 1), headers=headers)
    streamed = await hub.client.post("/v1/organisations", content=chunks(), headers=headers)
    assert [declared.status_code, streamed.status_code] == [413, 413]
    assert declared.json()["code"] == streamed.json()["code"] == "INPUT-TOO-LARGE"


async def test_secrets_stay_out_of_reprs(hub: RunningHub) -> None:
    identity = hub.services.identity
    made = await identity.register_system(
        organisation_code=hub.members["police"].code,  # type: ignore[arg-type]
        name="另一系统",
        scopes=frozenset({Scope.QUERY}),
        actor=None,
    )
    assert made.secret not in repr(made)
    assert made.secret not in repr(replace(made, secret=made.secret))


async def test_unknown_path_gets_problem(hub: RunningHub) -> None:
    answer = await hub.client.get("/v1/nothing-here")
    assert (answer.status_code, answer.json()["code"]) == (404, "HTTP-404")
    assert answer.headers["content-type"] == "application/problem+json"
