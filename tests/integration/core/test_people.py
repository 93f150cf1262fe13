"""People sign in, act with the scopes of their roles, and duties stay in separate hands."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest

from core.people.factors import STEP_S, build_totp_code
from core.people.model import SCOPES_OF, Role
from hub.services import utc_now
from signing.sm2 import PrivateKey
from tests.hubs import RunningHub
from tests.integration.core.credentials_world import Keyed, public_pem

PASSWORD = "Zheng-Quan-2026-mi"
SEPARATED = [pair for pair in combinations(Role, 2) if set(pair) & {Role.ADMINISTRATOR, Role.AUDITOR}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A person of the police who has changed the initial password."""

    hub: RunningHub
    id: str
    login: str
    initial: str

    async def try_sign_in(self, password: str = PASSWORD, **proofs: str) -> httpx.Response:
        body = {"login": self.login, "password": password} | proofs
        headers = {"Content-Type": "application/json"}
        return await self.hub.client.post("/v1/people/session", content=json.dumps(body), headers=headers)

    async def sign_in(self, **proofs: str) -> dict[str, str]:
        answer = await self.try_sign_in(**proofs)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def register(hub: RunningHub, login: str, *roles: Role, **fields: Any) -> httpx.Response:
    body = {
        "organisation_code": hub.members["police"].code,
        "login": login,
        "name": "张三",
        "roles": [str(role) for role in roles],
    }
    return await hub.client.post("/v1/people", json=body | fields, headers=hub.admin.headers)


async def employ(hub: RunningHub, login: str, *roles: Role) -> Staff:
    answer = await register(hub, login, *roles)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    staff = Staff(hub=hub, id=made["person_id"], login=login, initial=made["initial_password"])
    body = {"login": login, "password": staff.initial, "new_password": PASSWORD}
    assert (await hub.client.post("/v1/people/password", json=body)).status_code == 204
    return staff


async def leaves(hub: RunningHub, event: str) -> list[dict[str, Any]]:
    answer = await hub.client.get("/v1/audit/events", params={"event": event}, headers=hub.auditor.headers)
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


# -------------------------------------------------------------------------------------- signing in


async def test_person_signs_in_and_is_named_with_scopes_of_the_roles(hub: RunningHub) -> None:
    staff = await employ(hub, "zhang.san", Role.DATA_OFFICER, Role.APPROVER)
    seen = (await hub.client.get("/v1/whoami", headers=await staff.sign_in())).json()
    assert (seen["person"], seen["client_id"]) == ("zhang.san", staff.id)
    assert seen["organisation_code"] == hub.members["police"].code
    assert set(seen["scopes"]) == {str(s) for s in SCOPES_OF[Role.DATA_OFFICER] | SCOPES_OF[Role.APPROVER]}


async def test_initial_password_must_be_changed_before_the_first_session(hub: RunningHub) -> None:
    made = (await register(hub, "li.si", Role.APPROVER)).json()
    staff = Staff(hub=hub, id=made["person_id"], login="li.si", initial=made["initial_password"])
    refused = await staff.try_sign_in(staff.initial)
    assert (refused.status_code, refused.json()["code"]) == (403, "AUTH-PASSWORD-INITIAL")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("Short-1", "LENGTH"),
        ("onlysmallletters", "KINDS"),
        ("has.the.Login.wang.wu9", "LOGIN"),
        (PASSWORD, "FORMER"),
        ("Zheng-Quan\x002026", "CONTROL-CHARACTER"),
    ],
)
async def test_weak_password_is_refused_and_the_former_stays(
    hub: RunningHub, password: str, code: str
) -> None:
    staff = await employ(hub, "wang.wu", Role.APPROVER)
    body = {"login": staff.login, "password": PASSWORD, "new_password": password}
    answer = await hub.client.post("/v1/people/password", json=body)
    assert answer.status_code == 422
    assert code in {error["code"] for error in answer.json()["errors"]}
    assert (await staff.try_sign_in()).status_code == 201


async def test_unknown_login_wrong_password_and_locked_login_are_told_in_the_same_words(
    hub: RunningHub,
) -> None:
    staff = await employ(hub, "zhao.liu", Role.APPROVER)
    nobody = Staff(hub=hub, id="", login="nobody.here", initial="")
    told = {(await nobody.try_sign_in()).text, (await staff.try_sign_in("wrong")).text}
    for _ in range(4):
        told.add((await staff.try_sign_in("wrong")).text)
    locked = await staff.try_sign_in()
    assert (locked.status_code, len(told | {locked.text})) == (401, 1)
    assert [leaf["details"]["is_locked"] for leaf in await leaves(hub, "person.sign_in_refused")].count(
        True
    ) == 1


async def test_tries_made_at_once_are_counted_one_by_one(hub: RunningHub) -> None:
    staff = await employ(hub, "sun.qi", Role.APPROVER)
    wrong = await asyncio.gather(*(staff.try_sign_in("wrong") for _ in range(12)))
    assert {answer.status_code for answer in wrong} == {401}
    assert len(await leaves(hub, "person.sign_in_refused")) == 5
    assert (await staff.try_sign_in()).status_code == 401


async def test_lock_ends_after_a_while_or_with_a_new_initial_password(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = await employ(hub, "zhou.ba", Role.APPROVER)
    for _ in range(5):
        await staff.try_sign_in("wrong")
    listed = (await hub.client.get("/v1/people", headers=hub.admin.headers)).json()
    assert [each["is_locked"] for each in listed] == [True]
    monkeypatch.setattr(hub.services.sessions, "_now", lambda: utc_now() + timedelta(minutes=16))
    assert (await staff.try_sign_in("wrong")).status_code == 401
    assert (await staff.try_sign_in()).status_code == 201
    monkeypatch.undo()
    for _ in range(5):
        await staff.try_sign_in("wrong")
    reset = await hub.client.post(f"/v1/people/{staff.id}/password", headers=hub.admin.headers)
    again = await staff.try_sign_in(reset.json()["initial_password"])
    assert again.json()["code"] == "AUTH-PASSWORD-INITIAL"


# --------------------------------------------------------------------------------- ending sessions


@pytest.mark.parametrize(
    "how", ["sign-out", "revocation", "suspend", "suspend-organisation", "password", "reset"]
)
async def test_session_ends_at_once(hub: RunningHub, how: str) -> None:
    staff = await employ(hub, "wu.jiu", Role.APPROVER)
    headers = await staff.sign_in()
    client, police = hub.client, hub.members["police"]
    match how:
        case "sign-out":
            done = await client.delete("/v1/people/session", headers=headers)
        case "revocation":
            done = await client.post("/v1/oauth/revocation", headers=headers)
        case "suspend":
            path = f"/v1/people/{staff.id}/status"
            done = await client.post(path, json={"status": "suspended"}, headers=hub.admin.headers)
        case "suspend-organisation":
            path = f"/v1/organisations/{police.code}/status"
            done = await client.post(path, json={"status": "suspended"}, headers=hub.admin.headers)
        case "password":
            body = {"login": staff.login, "password": PASSWORD, "new_password": PASSWORD + "2"}
            done = await client.post("/v1/people/password", json=body)
        case _:
            done = await client.post(f"/v1/people/{staff.id}/password", headers=hub.admin.headers)
    assert done.is_success, done.text
    assert (await client.get("/v1/whoami", headers=headers)).status_code == 401


async def test_expired_session_is_told_so(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = await (await employ(hub, "zheng.shi", Role.APPROVER)).sign_in()
    monkeypatch.setattr(hub.services.sessions, "_now", lambda: utc_now() + timedelta(hours=5))
    answer = await hub.client.get("/v1/whoami", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-TOKEN-EXPIRED")


async def test_new_roles_hold_at_once_in_a_running_session(hub: RunningHub) -> None:
    staff = await employ(hub, "qian.yi", Role.APPROVER)
    headers = await staff.sign_in()
    path = f"/v1/people/{staff.id}/roles"
    await hub.client.put(path, json={"roles": ["certificate_officer"]}, headers=hub.admin.headers)
    assert (await hub.client.get("/v1/whoami", headers=headers)).json()["scopes"] == ["certificate:issue"]


# --------------------------------------------------------------------------------- second factors


async def enrol(hub: RunningHub, headers: dict[str, str]) -> bytes:
    uri = (await hub.client.post("/v1/people/me/totp", headers=headers)).json()["uri"]
    return base64.b32decode(parse_qs(urlsplit(uri).query)["secret"][0])


def step_now() -> int:
    return int(utc_now().timestamp()) // STEP_S


async def test_totp_code_is_asked_for_once_confirmed_and_works_once(hub: RunningHub) -> None:
    staff = await employ(hub, "feng.er", Role.APPROVER)
    headers = await staff.sign_in()
    secret, step = await enrol(hub, headers), step_now()
    assert (await staff.try_sign_in()).status_code == 201  # not confirmed: not asked for
    confirm = "/v1/people/me/totp/confirmation"
    wrong = await hub.client.post(confirm, json={"code": "00000"}, headers=headers)
    assert wrong.status_code == 409
    code = build_totp_code(secret, step=step - 1)
    assert (await hub.client.post(confirm, json={"code": code}, headers=headers)).status_code == 204
    assert (await staff.try_sign_in()).json()["code"] == "AUTH-SECOND-FACTOR"
    assert (await staff.try_sign_in(code=code)).status_code == 401  # used up by the confirmation
    assert (await staff.try_sign_in(code=build_totp_code(secret, step=step))).status_code == 201
    assert (await staff.try_sign_in(code=build_totp_code(secret, step=step))).status_code == 401
    again = await hub.client.post("/v1/people/me/totp", headers=headers)
    assert again.status_code == 409


async def test_wrong_codes_lock_the_login_although_the_password_is_right(hub: RunningHub) -> None:
    staff = await employ(hub, "chen.san", Role.APPROVER)
    headers = await staff.sign_in()
    secret, step = await enrol(hub, headers), step_now()
    code = build_totp_code(secret, step=step - 1)
    await hub.client.post("/v1/people/me/totp/confirmation", json={"code": code}, headers=headers)
    for _ in range(5):
        await staff.try_sign_in(code="000000x")
    assert (await staff.try_sign_in(code=build_totp_code(secret, step=step))).status_code == 401


async def test_key_of_a_person_is_asked_for_and_its_assertion_works_once(hub: RunningHub) -> None:
    staff = await employ(hub, "chu.si", Role.APPROVER)
    key = PrivateKey.from_scalar(0x5EC2)
    path = f"/v1/people/{staff.id}/key"
    done = await hub.client.put(path, json={"pem": public_pem(key)}, headers=hub.admin.headers)
    assert done.status_code == 204, done.text
    assert (await staff.try_sign_in()).json()["code"] == "AUTH-SECOND-FACTOR"
    keyed = Keyed(hub=hub, member=hub.members["police"], key=key, credential_id="")
    names = {"iss": staff.login, "sub": staff.login}
    assertion = keyed.assertion(**names)
    strange = replace(keyed, key=PrivateKey.from_scalar(7)).assertion(**names)
    another = keyed.assertion(iss="another", sub="another")
    for wrong in (strange, another, "no.assertion.at-all"):
        assert (await staff.try_sign_in(assertion=wrong)).status_code == 401
    assert (await staff.try_sign_in(assertion=assertion)).status_code == 201
    assert (await staff.try_sign_in(assertion=assertion)).status_code == 401
    cleared = await hub.client.delete(f"/v1/people/{staff.id}/factors", headers=hub.admin.headers)
    assert cleared.status_code == 204
    assert (await staff.try_sign_in()).status_code == 201


async def test_totp_secret_lies_sealed_in_the_database(hub: RunningHub) -> None:
    staff = await employ(hub, "wei.wu", Role.APPROVER)
    secret = await enrol(hub, await staff.sign_in())
    async with hub.services.database.acquire() as connection:
        dump = await connection.fetchval("SELECT p::text FROM core.person p WHERE login = 'wei.wu'")
    assert secret.hex() not in dump
    assert PASSWORD not in dump


async def test_system_has_no_authenticator(hub: RunningHub) -> None:
    answer = await hub.client.post("/v1/people/me/totp", headers=hub.members["police"].headers)
    assert answer.status_code == 403


# ---------------------------------------------------------------------------- separation of duties


@pytest.mark.parametrize("roles", SEPARATED, ids="+".join)
async def test_person_holds_no_two_separated_roles(hub: RunningHub, roles: tuple[Role, ...]) -> None:
    refused = await register(hub, "jiang.liu", *roles)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "SEPARATION")
    staff = await employ(hub, "jiang.liu", roles[0])
    body = {"roles": [str(role) for role in roles]}
    refused = await hub.client.put(f"/v1/people/{staff.id}/roles", json=body, headers=hub.admin.headers)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "SEPARATION")
    async with hub.services.database.acquire() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE core.person SET roles = $1", body["roles"])


@pytest.mark.parametrize("scopes", [["admin", "audit"], ["admin", "query"], ["audit", "publish"]])
async def test_system_holds_no_two_separated_scopes(hub: RunningHub, scopes: list[str]) -> None:
    body = {"organisation_code": hub.members["police"].code, "name": "全能系统", "scopes": scopes}
    refused = await hub.client.post("/v1/systems", json=body, headers=hub.admin.headers)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "SEPARATION")
    async with hub.services.database.acquire() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE core.system SET scopes = $1", scopes)


async def test_administrator_does_not_change_what_they_themselves_may_do(hub: RunningHub) -> None:
    staff = await employ(hub, "shen.qi", Role.ADMINISTRATOR)
    headers = await staff.sign_in()
    for method, path, body in (
        ("PUT", "roles", {"roles": ["auditor"]}),
        ("POST", "status", {"status": "suspended"}),
        ("POST", "password", None),
        ("DELETE", "factors", None),
        ("PUT", "key", {"pem": public_pem(PrivateKey.from_scalar(9))}),
    ):
        answer = await hub.client.request(method, f"/v1/people/{staff.id}/{path}", json=body, headers=headers)
        assert answer.status_code == 409, path


DATA = re.compile(r"/(query|verify|changes|bulk|rows|rejects|batches|corrections)\b")
REFUSED = {401, 403}  # 401 by Delta Sharing, which knows only tokens of its own
OWN = {
    ("post", "/v1/oauth/revocation"),
    ("delete", "/v1/people/session"),
    ("post", "/v1/people/me/totp"),
    ("post", "/v1/people/me/totp/confirmation"),
}


async def every_operation(hub: RunningHub) -> list[tuple[str, str]]:
    """List the operations that ask for a token, by whether an unknown one is refused."""
    paths = (await hub.client.get("/openapi.json")).json()["paths"]
    found = []
    for path, operations in paths.items():
        for method in operations:
            url = re.sub(r"\{[^}]+\}", "00000000-0000-0000-0000-000000000000", path)
            answer = await hub.client.request(method, url, headers={"Authorization": "Bearer nobody"})
            if answer.status_code == 401:
                found.append((method, path))
    return found


async def test_auditor_changes_nothing_on_any_route(hub: RunningHub) -> None:
    headers = await (await employ(hub, "han.ba", Role.AUDITOR)).sign_in()
    changing = [each for each in await every_operation(hub) if each[0] != "get" and each not in OWN]
    assert len(changing) > 60
    reading = {
        "/v1/audit/subjects",
        "/v1/audit/subjects/proof",
        "/v1/service-items/check",
        "/v1/service-items/{code}/demand",
    }
    allowed = []
    for method, path in changing:
        url = re.sub(r"\{[^}]+\}", "00000000-0000-0000-0000-000000000000", path)
        answer = await hub.client.request(method, url, json={}, headers=headers)
        if answer.status_code not in REFUSED and path not in reading:
            allowed.append((method, path, answer.status_code))
    assert not allowed


async def test_administrator_reads_no_data_on_any_route(hub: RunningHub) -> None:
    headers = await (await employ(hub, "yang.jiu", Role.ADMINISTRATOR)).sign_in()
    reading = [each for each in await every_operation(hub) if DATA.search(each[1])]
    assert len(reading) > 8
    allowed = []
    for method, path in reading:
        url = re.sub(r"\{[^}]+\}", "00000000-0000-0000-0000-000000000000", path)
        answer = await hub.client.request(method, url, json={}, headers=headers)
        if answer.status_code not in REFUSED:
            allowed.append((method, path, answer.status_code))
    assert not allowed


# ------------------------------------------------------------------------------- names in the log


async def test_decision_of_a_person_names_the_person_in_the_leaf(hub: RunningHub) -> None:
    staff = await employ(hub, "zhu.shi", Role.ADMINISTRATOR)
    path = f"/v1/systems/{hub.members['civil'].client_id}/status"
    await hub.client.post(path, json={"status": "suspended"}, headers=await staff.sign_in())
    (leaf,) = await leaves(hub, "system.status_changed")
    assert (leaf["person"], leaf["operator"], leaf["system"]) == ("zhu.shi", "zhu.shi", staff.id)
    (leaf,) = await leaves(hub, "person.registered")
    assert (leaf["person"], leaf["details"]["login"]) == (None, "zhu.shi")


async def test_log_with_leaves_of_people_passes_its_self_check(hub: RunningHub) -> None:
    await (await employ(hub, "qin.yi", Role.AUDITOR)).sign_in()
    report = await hub.services.log.check.assess()
    assert report.is_whole
