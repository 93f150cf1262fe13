"""Secrets and keys rotate with an overlap, assertions are used once, suspension works at once."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.database import Database
from core.settings import Settings
from hub.app import create_app
from hub.services import utc_now
from signing.sm2 import PrivateKey
from signing.x509.profiles import Profile
from tests.hubs import Member, RunningHub
from tests.integration.core.credentials_world import AUDIENCE, Keyed, encode, give_key, later, public_pem
from tests.unit.signing.hierarchy import hierarchy

WHOAMI = "/v1/whoami"


@pytest.fixture
async def keyed(hub: RunningHub) -> Keyed:
    return await give_key(hub, hub.members["police"], 0xA55E)


async def token_for(hub: RunningHub, client_id: str, secret: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return await hub.client.post("/v1/oauth/token", data=form)


async def whoami(hub: RunningHub, token: str) -> int:
    return (await hub.client.get(WHOAMI, headers={"Authorization": f"Bearer {token}"})).status_code


def move_clock(hub: RunningHub, monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    for part in (hub.services.tokens, hub.services.credentials, hub.services.admission):
        monkeypatch.setattr(part, "_now", lambda: utc_now() + by)


# ------------------------------------------------------------------------------------ assertions


async def test_assertion_brings_a_token_that_works(hub: RunningHub, keyed: Keyed) -> None:
    answer = await keyed.ask_token(keyed.assertion(), scope="query")
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "query"
    assert "no-store" in answer.headers["cache-control"]
    assert await whoami(hub, answer.json()["access_token"]) == 200


@pytest.mark.parametrize("audience", [f"{AUDIENCE}/v1/oauth/token", [AUDIENCE, "https://other.example"]])
async def test_assertion_may_name_the_endpoint_or_several(keyed: Keyed, audience: Any) -> None:
    assert (await keyed.ask_token(keyed.assertion(aud=audience))).status_code == 200


async def test_assertion_without_kid_is_tried_with_every_key(hub: RunningHub, keyed: Keyed) -> None:
    await give_key(hub, keyed.member, 0xA55F)
    assert (await keyed.ask_token(keyed.assertion(header={"kid": None}))).status_code == 200


@pytest.mark.parametrize(
    ("header", "claims", "words"),
    [
        ({"alg": "none"}, {}, "alg"),
        ({"alg": "ES256"}, {}, "alg"),
        ({"crit": ["exp"]}, {}, "crit"),
        ({"kid": "00000000-0000-0000-0000-000000000000"}, {}, "no key"),
        ({}, {"aud": "https://other.example"}, "aud"),
        ({}, {"aud": None}, "aud"),
        ({}, {"exp": None}, "exp"),
        ({}, {"exp": "soon"}, "exp"),
        ({}, {"exp": True}, "exp"),
        ({}, {"exp": 10**15}, "exp"),
        ({}, {"exp": int(later(-3600).timestamp())}, "expired"),
        ({}, {"exp": int(later(3600).timestamp())}, "ahead"),
        ({}, {"iat": int(later(3600).timestamp())}, "iat"),
        ({}, {"jti": None}, "jti"),
        ({}, {"jti": "x" * 200}, "jti"),
        ({}, {"sub": "somebody else"}, "sub"),
        ({}, {"iss": "no-uuid", "sub": "no-uuid"}, "no key"),
    ],
)
async def test_assertion_that_is_not_in_order_is_refused_with_the_reason(
    keyed: Keyed, header: dict[str, Any], claims: dict[str, Any], words: str
) -> None:
    answer = await keyed.ask_token(keyed.assertion(header=header, **claims))
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-REQUIRED")
    assert words in answer.json()["detail"]


async def test_assertion_with_any_character_changed_is_refused(keyed: Keyed) -> None:
    assertion = keyed.assertion()
    for place in range(0, len(assertion), 9):
        other = "A" if assertion[place] != "A" else "B"
        altered = assertion[:place] + other + assertion[place + 1 :]
        assert (await keyed.ask_token(altered)).status_code == 401
    assert (await keyed.ask_token(assertion)).status_code == 200, "what failed used the jti up"


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "é", "x" * 5000, ".." + "A" * 86, encode({}) + ".." + "A" * 86]
)
async def test_text_that_is_no_assertion_is_refused(keyed: Keyed, text: str) -> None:
    assert (await keyed.ask_token(text)).status_code in {400, 401}


async def test_assertion_of_another_systems_key_or_for_another_client_is_refused(
    hub: RunningHub, keyed: Keyed
) -> None:
    other = hub.members["market"]
    stolen = keyed.assertion(iss=other.client_id, sub=other.client_id)
    assert (await keyed.ask_token(stolen)).status_code == 401
    assert (await keyed.ask_token(keyed.assertion(), client_id=other.client_id)).status_code == 401


async def test_assertion_and_secret_together_are_refused(keyed: Keyed) -> None:
    answer = await keyed.ask_token(keyed.assertion(), client_secret=keyed.member.client_secret)
    assert answer.status_code == 400
    without_type = await keyed.hub.client.post(
        "/v1/oauth/token",
        data={"grant_type": "client_credentials", "client_assertion": keyed.assertion()},
    )
    assert without_type.status_code == 400


async def test_assertion_used_twice_is_refused_on_every_process(
    hub: RunningHub, keyed: Keyed, hub_settings: Settings
) -> None:
    assertion = keyed.assertion()
    assert (await keyed.ask_token(assertion)).status_code == 200
    again = await keyed.ask_token(assertion)
    assert again.status_code == 401
    assert "jti" in again.json()["detail"]
    other_process = create_app(hub_settings)
    async with other_process.router.lifespan_context(other_process):
        transport = httpx.ASGITransport(app=other_process)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
            }
            assert (await client.post("/v1/oauth/token", data=form)).status_code == 401


async def test_expired_jti_is_forgotten(hub: RunningHub, keyed: Keyed, database: Database) -> None:
    await keyed.ask_token(keyed.assertion())
    async with hub.services.database.acquire() as connection:
        await connection.execute("UPDATE core.used_once SET expires_at = now() - interval '1 hour'")
        await keyed.ask_token(keyed.assertion())
        assert await connection.fetchval("SELECT count(*) FROM core.used_once") == 1


# -------------------------------------------------------------------------------------- rotation


async def rotate(hub: RunningHub, member: Member, overlap_s: int) -> str:
    answer = await hub.client.post(
        f"/v1/systems/{member.client_id}/secrets",
        json={"overlap_s": overlap_s},
        headers=hub.admin.headers,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_secret"])


async def test_secret_rotated_overlaps_with_the_former_one_and_then_replaces_it(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = hub.members["police"]
    secret = await rotate(hub, member, 3600)
    for each in (member.client_secret, secret):
        assert (await token_for(hub, member.client_id, each)).status_code == 200
    move_clock(hub, monkeypatch, timedelta(seconds=3601))
    assert (await token_for(hub, member.client_id, member.client_secret)).status_code == 401
    assert (await token_for(hub, member.client_id, secret)).status_code == 200


async def test_secret_rotated_without_overlap_replaces_the_former_at_once(hub: RunningHub) -> None:
    member = hub.members["police"]
    secret = await rotate(hub, member, 0)
    assert (await token_for(hub, member.client_id, member.client_secret)).status_code == 401
    assert (await token_for(hub, member.client_id, secret)).status_code == 200


async def test_key_rotated_overlaps_with_the_former_one(
    hub: RunningHub, keyed: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = PrivateKey.from_scalar(0xA560)
    answer = await hub.client.post(
        f"/v1/systems/{keyed.member.client_id}/keys",
        json={"pem": public_pem(new), "overlap_s": 600},
        headers=hub.admin.headers,
    )
    later_key = Keyed(hub=hub, member=keyed.member, key=new, credential_id=answer.json()["credential_id"])
    assert (await keyed.ask_token(keyed.assertion())).status_code == 200
    assert (await later_key.ask_token(later_key.assertion())).status_code == 200
    move_clock(hub, monkeypatch, timedelta(seconds=601))
    then = int(later(601).timestamp())
    assert (await keyed.ask_token(keyed.assertion(iat=then, exp=then + 60))).status_code == 401
    assert (await later_key.ask_token(later_key.assertion(iat=then, exp=then + 60))).status_code == 200


async def test_certificate_is_registered_until_it_ends(hub: RunningHub) -> None:
    member, holder = hub.members["police"], hierarchy()[Profile.ORGANISATION_SYSTEM]
    answer = await hub.client.post(
        f"/v1/systems/{member.client_id}/keys",
        json={"pem": holder.certificate.pem},
        headers=hub.admin.headers,
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["not_after"].startswith(holder.certificate.not_after.date().isoformat())
    keyed = Keyed(hub=hub, member=member, key=holder.key, credential_id=answer.json()["credential_id"])
    assert (await keyed.ask_token(keyed.assertion())).status_code == 200


async def test_revoked_credential_takes_its_tokens_with_it_and_no_others(
    hub: RunningHub, keyed: Keyed
) -> None:
    by_key = (await keyed.ask_token(keyed.assertion())).json()["access_token"]
    path = f"/v1/systems/{keyed.member.client_id}/credentials/{keyed.credential_id}"
    assert (await hub.client.delete(path, headers=hub.admin.headers)).status_code == 204
    assert await whoami(hub, by_key) == 401
    assert await whoami(hub, keyed.member.token) == 200
    assert (await keyed.ask_token(keyed.assertion())).status_code == 401
    listed = await hub.client.get(path.rpartition("/")[0], headers=hub.admin.headers)
    assert [each["kind"] for each in listed.json()] == ["key", "secret"]
    assert listed.json()[0]["revoked_at"]
    assert keyed.member.client_secret not in listed.text
    assert "argon2" not in listed.text


@pytest.mark.parametrize(
    "body",
    [
        {"pem": "no pem"},
        {"pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"},
        {"pem": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"},
        {"pem": "\ud800"},
        {"pem": "x", "overlap_s": -1},
        {"pem": "x", "extra": 1},
        {},
    ],
)
async def test_key_that_is_none_is_refused_and_changes_nothing(hub: RunningHub, body: dict[str, Any]) -> None:
    path = f"/v1/systems/{hub.members['police'].client_id}"
    content = str(body).replace("'", '"').encode("utf-8", "surrogatepass")
    headers = hub.admin.headers | {"Content-Type": "application/json"}
    answer = await hub.client.post(f"{path}/keys", content=content, headers=headers)
    assert answer.status_code in {400, 422}
    listed = await hub.client.get(f"{path}/credentials", headers=hub.admin.headers)
    assert len(listed.json()) == 1


async def test_credentials_of_a_system_that_is_not_there_are_not_found(hub: RunningHub) -> None:
    path = "/v1/systems/00000000-0000-0000-0000-000000000000"
    answers = [
        await hub.client.get(f"{path}/credentials", headers=hub.admin.headers),
        await hub.client.post(f"{path}/secrets", json={}, headers=hub.admin.headers),
        await hub.client.post(
            f"{path}/keys", json={"pem": public_pem(PrivateKey.from_scalar(5))}, headers=hub.admin.headers
        ),
        await hub.client.put(f"{path}/networks", json={"networks": None}, headers=hub.admin.headers),
        await hub.client.delete(
            f"{path}/credentials/00000000-0000-0000-0000-000000000000", headers=hub.admin.headers
        ),
        await hub.client.post(
            "/v1/organisations/nobody/status", json={"status": "active"}, headers=hub.admin.headers
        ),
        await hub.client.put(
            "/v1/organisations/nobody/request-signatures", json={"rule": "off"}, headers=hub.admin.headers
        ),
    ]
    assert {answer.status_code for answer in answers} == {404}


async def test_credentials_are_an_administrators_alone(hub: RunningHub) -> None:
    member = hub.members["police"]
    path = f"/v1/systems/{member.client_id}"
    for method, url, body in (
        ("GET", f"{path}/credentials", None),
        ("POST", f"{path}/secrets", {}),
        ("POST", f"{path}/keys", {"pem": "x"}),
        ("DELETE", f"{path}/credentials/{member.client_id}", None),
        ("PUT", f"{path}/networks", {"networks": None}),
        ("POST", f"/v1/organisations/{member.code}/status", {"status": "suspended"}),
        ("PUT", f"/v1/organisations/{member.code}/request-signatures", {"rule": "off"}),
    ):
        answer = await hub.client.request(method, url, json=body, headers=member.headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-SCOPE-MISSING"), url


# ------------------------------------------------------------------------ suspension, revocation


async def test_suspended_organisation_stops_at_once_and_comes_back(hub: RunningHub, keyed: Keyed) -> None:
    member = keyed.member

    async def set_status(status: str) -> None:
        path = f"/v1/organisations/{member.code}/status"
        answer = await hub.client.post(path, json={"status": status}, headers=hub.admin.headers)
        assert answer.status_code == 200

    await set_status("suspended")
    assert await whoami(hub, member.token) == 401
    assert (await token_for(hub, member.client_id, member.client_secret)).status_code == 401
    assert (await keyed.ask_token(keyed.assertion())).status_code == 401
    await set_status("active")
    assert await whoami(hub, member.token) == 200


async def test_administrator_cannot_suspend_itself(hub: RunningHub) -> None:
    for path in (f"/v1/systems/{hub.admin.client_id}/status", f"/v1/organisations/{hub.admin.code}/status"):
        answer = await hub.client.post(path, json={"status": "suspended"}, headers=hub.admin.headers)
        assert answer.status_code == 409
    assert await whoami(hub, hub.admin.token) == 200


async def test_token_named_in_a_form_is_revoked_and_the_calling_one_is_not(hub: RunningHub) -> None:
    member = hub.members["police"]
    second = (await token_for(hub, member.client_id, member.client_secret)).json()["access_token"]
    answer = await hub.client.post("/v1/oauth/revocation", data={"token": second}, headers=member.headers)
    assert answer.status_code == 200
    assert await whoami(hub, second) == 401
    assert await whoami(hub, member.token) == 200


async def test_token_of_another_system_is_not_revoked_and_nobody_is_told(hub: RunningHub) -> None:
    member, other = hub.members["police"], hub.members["market"]
    answers = [
        await hub.client.post("/v1/oauth/revocation", data={"token": token}, headers=member.headers)
        for token in (other.token, "unknown")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "null")}
    assert await whoami(hub, other.token) == 200


async def test_secret_in_http_basic_still_works_beside_a_key(hub: RunningHub, keyed: Keyed) -> None:
    member = keyed.member
    basic = base64.b64encode(f"{member.client_id}:{member.client_secret}".encode()).decode()
    answer = await hub.client.post(
        "/v1/oauth/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert answer.status_code == 200
