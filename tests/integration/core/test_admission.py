"""Signed requests (RFC 9421) and addresses: what is demanded, what is refused, and on every process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.settings import Settings
from hub.app import create_app
from hub.services import utc_now
from signing.sm2 import PrivateKey
from tests.hubs import PURPOSE, RunningHub
from tests.integration.core.credentials_world import Keyed, give_key, set_rule

WHOAMI = "/v1/whoami"
CSV = "text/csv; charset=utf-8"


@pytest.fixture
async def keyed(hub: RunningHub) -> Keyed:
    made = await give_key(hub, hub.members["market"], 0xB0D1)
    await set_rule(hub, made.member, "required")
    return made


async def refusals(hub: RunningHub) -> list[str]:
    async with hub.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT body::json #>> '{details,code}' AS code FROM core.log_leaf"
            " WHERE event = 'request.refused'"
        )
    return [row["code"] for row in rows]


async def test_signed_request_is_admitted(hub: RunningHub, keyed: Keyed) -> None:
    assert (await hub.client.send(keyed.signed("GET", WHOAMI))).status_code == 200
    assert (await hub.client.send(keyed.signed("GET", f"{WHOAMI}?a=%20b&c"))).status_code == 200


async def test_unsigned_request_is_refused_where_signatures_are_required(
    hub: RunningHub, keyed: Keyed
) -> None:
    answer = await hub.client.get(WHOAMI, headers=keyed.member.headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-SIGNATURE")
    assert "must be signed" in answer.json()["detail"]
    assert await refusals(hub) == ["AUTH-SIGNATURE"]


async def test_rule_off_looks_at_no_signature_and_accepted_at_every_one(
    hub: RunningHub, keyed: Keyed
) -> None:
    wrong = {"key": PrivateKey.from_scalar(77)}
    for rule, unsigned, badly in (("off", 200, 200), ("accepted", 200, 401), ("required", 401, 401)):
        await set_rule(hub, keyed.member, rule)
        assert (await hub.client.get(WHOAMI, headers=keyed.member.headers)).status_code == unsigned
        assert (await hub.client.send(keyed.signed("GET", WHOAMI, **wrong))).status_code == badly
        assert (await hub.client.send(keyed.signed("GET", WHOAMI))).status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"created_at": timedelta(seconds=-400)}, "older than"),
        ({"created_at": timedelta(seconds=400)}, "in the future"),
        ({"key": PrivateKey.from_scalar(77)}, "does not verify"),
        ({"leave_out": ("@method",)}, "@method"),
        ({"leave_out": ("@target-uri",)}, "@target-uri"),
        ({"leave_out": ("authorization",)}, "authorization"),
        ({"headers": PURPOSE, "leave_out": ("shuzheng-operator",)}, "shuzheng-operator"),
        ({"headers": PURPOSE, "leave_out": ("shuzheng-case-number",)}, "shuzheng-case-number"),
        ({"nonce": "x" * 200}, "nonce"),
        ({"tag": "another"}, "must be signed"),
    ],
)
async def test_signature_that_does_not_bind_the_call_is_refused(
    hub: RunningHub, keyed: Keyed, changes: dict[str, Any], words: str
) -> None:
    # A time is told from now: minutes may pass between the collection of the tests and this one.
    signing = {
        name: utc_now() + each if isinstance(each, timedelta) else each for name, each in changes.items()
    }
    answer = await hub.client.send(keyed.signed("GET", WHOAMI, **signing))
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-SIGNATURE")
    assert words in answer.json()["detail"]


async def test_request_altered_after_it_was_signed_is_refused(hub: RunningHub, keyed: Keyed) -> None:
    def of() -> httpx.Request:
        return keyed.signed("GET", WHOAMI, headers=PURPOSE)

    other_path, other_operator, other_token, other_method = of(), of(), of(), of()
    other_path.url = other_path.url.copy_with(query=b"x=1")
    other_operator.headers["Shuzheng-Operator"] = "somebody"
    other_token.headers["Authorization"] = hub.members["police"].headers["Authorization"]
    other_method.method = "HEAD"
    for request in (other_path, other_operator, other_method):
        assert (await hub.client.send(request)).status_code in {401, 405}
    # The other organisation does not sign: its token is good, and nothing was said in the signer's name.
    whose = await hub.client.send(other_token)
    assert whose.json()["organisation_code"] == hub.members["police"].code


async def test_key_of_another_system_signs_for_nobody_else(hub: RunningHub, keyed: Keyed) -> None:
    other = await give_key(hub, hub.members["police"], 0xB0D2)
    borrowed = Keyed(hub=hub, member=keyed.member, key=other.key, credential_id=other.credential_id)
    answer = await hub.client.send(borrowed.signed("GET", WHOAMI))
    assert answer.status_code == 401
    assert "no key that is known" in answer.json()["detail"]


async def test_revoked_key_signs_nothing_more(hub: RunningHub, keyed: Keyed) -> None:
    path = f"/v1/systems/{keyed.member.client_id}/credentials/{keyed.credential_id}"
    assert (await hub.client.delete(path, headers=hub.admin.headers)).status_code == 204
    assert (await hub.client.send(keyed.signed("GET", WHOAMI))).status_code == 401


@pytest.fixture
async def other_process(hub_settings: Settings, hub: RunningHub) -> AsyncIterator[httpx.AsyncClient]:
    """A second process on the same database."""
    app = create_app(hub_settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
            yield client


async def test_request_sent_again_is_refused_on_every_process(
    hub: RunningHub, keyed: Keyed, other_process: httpx.AsyncClient
) -> None:
    request = keyed.signed("GET", WHOAMI)
    assert (await hub.client.send(request)).status_code == 200
    for client in (hub.client, other_process):
        answer = await client.send(request)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-SIGNATURE")
        assert "nonce" in answer.json()["detail"]


async def test_nonce_of_a_refused_signature_is_not_used_up(hub: RunningHub, keyed: Keyed) -> None:
    forged = keyed.signed("GET", WHOAMI, nonce="n1", key=PrivateKey.from_scalar(77))
    assert (await hub.client.send(forged)).status_code == 401
    assert (await hub.client.send(keyed.signed("GET", WHOAMI, nonce="n1"))).status_code == 200


# ---------------------------------------------------------------------------------------- bodies

RESOURCES = "/v1/resources"
JSON = b'{"resource": "none"}'


async def test_json_body_must_be_the_one_that_was_digested(hub: RunningHub, keyed: Keyed) -> None:
    good = keyed.signed("POST", "/v1/resources", body=JSON, headers={"Content-Type": "application/json"})
    answer = await hub.client.send(good)
    assert answer.json()["code"] != "AUTH-SIGNATURE"
    other = keyed.signed("POST", "/v1/resources", body=JSON, headers={"Content-Type": "application/json"})
    swapped = hub.client.build_request(
        "POST", "/v1/resources", content=JSON.replace(b"none", b"nine"), headers=other.headers
    )
    answer = await hub.client.send(swapped)
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-SIGNATURE")


async def test_body_without_digest_or_with_an_uncovered_one_is_refused(hub: RunningHub, keyed: Keyed) -> None:
    for leave_out, digest in ((("content-digest",), True), (("content-digest",), False)):
        request = keyed.signed(
            "POST",
            "/v1/oauth/revocation",
            body=b"token=x",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            leave_out=leave_out,
        )
        if not digest:
            del request.headers["Content-Digest"]
        answer = await hub.client.send(request)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-SIGNATURE")


async def publish(hub: RunningHub, request: httpx.Request, parts: list[bytes]) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    sent = hub.client.build_request(request.method, request.url, content=stream(), headers=headers)
    return await hub.client.send(sent)


async def test_streamed_batch_is_held_against_its_digest_before_it_is_a_version(
    hub: RunningHub, keyed: Keyed
) -> None:
    items = [{"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True}]
    body = {"code": "things", "title": "物品", "theme": "other", "update_cycle": "daily", "items": items}
    await set_rule(hub, keyed.member, "off")
    made = await hub.client.post("/v1/resources", json=body, headers=keyed.member.headers)
    assert made.status_code == 201, made.text
    await set_rule(hub, keyed.member, "required")
    content = b"code\n" + b"\n".join(b"%d" % number for number in range(2000)) + b"\n"
    altered = content[:-2] + b"0\n"
    headers = {"Content-Type": CSV, "Idempotency-Key": "k1"}

    def signed() -> httpx.Request:
        return keyed.signed("POST", "/v1/resources/things/batches", body=content, headers=headers)

    forged = await publish(hub, signed(), [altered[:100], altered[100:]])
    assert (forged.status_code, forged.json()["code"]) == (401, "AUTH-SIGNATURE")
    assert "digest" in forged.json()["detail"]
    async with hub.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM data.things") == 0
    assert await refusals(hub) == ["AUTH-SIGNATURE"]
    good = await publish(hub, signed(), [content[:100], content[100:]])
    assert (good.status_code, good.json()["accepted"]) == (200, 2000), good.text


# ------------------------------------------------------------------------------------- addresses


async def limit(hub: RunningHub, client_id: str, networks: Any) -> httpx.Response:
    return await hub.client.put(
        f"/v1/systems/{client_id}/networks", json={"networks": networks}, headers=hub.admin.headers
    )


async def test_system_limited_to_networks_calls_and_asks_tokens_from_there_alone(hub: RunningHub) -> None:
    member = hub.members["police"]
    form = {
        "grant_type": "client_credentials",
        "client_id": member.client_id,
        "client_secret": member.client_secret,
    }
    for networks, allowed in (
        (["10.0.0.0/8"], False),
        (["10.0.0.0/8", "127.0.0.0/8"], True),
        ([], False),
        (["::1/128"], False),
        (None, True),
    ):
        assert (await limit(hub, member.client_id, networks)).json()["networks"] == networks
        call = await hub.client.get(WHOAMI, headers=member.headers)
        token = await hub.client.post("/v1/oauth/token", data=form)
        assert [call.status_code, token.status_code] == ([200, 200] if allowed else [403, 403])
        if not allowed:
            assert {call.json()["code"], token.json()["code"]} == {"AUTH-ADDRESS"}
    assert await refusals(hub) == ["AUTH-ADDRESS"] * 6


@pytest.mark.parametrize(
    "networks", [["10.0.0.1/8"], ["nowhere"], ["10.0.0.0/33"], [""], ["10.0.0.0/8"] * 65]
)
async def test_networks_that_are_none_are_refused_with_their_places(
    hub: RunningHub, networks: list[str]
) -> None:
    answer = await limit(hub, hub.members["police"].client_id, networks)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/networks")


async def test_forwarded_address_of_an_untrusted_peer_is_not_believed(hub: RunningHub) -> None:
    member = hub.members["police"]
    await limit(hub, member.client_id, ["10.0.0.0/8"])
    answer = await hub.client.get(WHOAMI, headers=member.headers | {"X-Forwarded-For": "10.1.1.1"})
    assert answer.status_code == 403
