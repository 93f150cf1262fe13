"""The client's SM2 key against a hub: an assertion for a token, and requests that must be signed."""

from __future__ import annotations

import asyncio
import pickle

import httpx
import pytest

from connectors import GmsslKey, HubClient, Refused
from signing.sm2 import PrivateKey, PublicKey, raw_to_der
from tests.hubs import RunningHub
from tests.integration.core.credentials_world import give_key, set_rule

SCALAR = 0xC0FFEE


class Bridge(httpx.BaseTransport):
    """Carries a synchronous client's requests to the hub in this process."""

    def __init__(self, hub: RunningHub, loop: asyncio.AbstractEventLoop) -> None:
        self._hub, self._loop = hub, loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, content=request.read(), headers=request.headers)
        answer = asyncio.run_coroutine_threadsafe(self._hub.client.send(sent), self._loop).result(60)
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


@pytest.mark.parametrize("sign_requests", [True, False])
async def test_client_with_a_key_is_known_and_signs_where_it_must(
    hub: RunningHub, sign_requests: bool
) -> None:
    keyed = await give_key(hub, hub.members["market"], SCALAR)
    await set_rule(hub, keyed.member, "required")
    client = HubClient(
        "http://hub.test",
        client_id=keyed.member.client_id,
        key=GmsslKey(keyed.credential_id, f"{SCALAR:x}"),
        sign_requests=sign_requests,
        transport=Bridge(hub, asyncio.get_running_loop()),
    )

    def use() -> None:
        assert client.get("/v1/whoami", a="b c")["client_id"] == keyed.member.client_id
        with pytest.raises(Refused) as refused:
            client.post("/v1/resources", {"名称": "无"}, idempotency_key="k1")
        assert refused.value.code == "INPUT-SCHEMA"

    if sign_requests:
        await asyncio.to_thread(use)
    else:
        with pytest.raises(Refused) as refused:
            await asyncio.to_thread(client.get, "/v1/whoami")
        assert refused.value.code == "AUTH-SIGNATURE"


@pytest.mark.parametrize("scalar", [1, 2, SCALAR])
def test_key_of_the_client_signs_as_the_server_reads(scalar: int) -> None:
    key = GmsslKey("id", f"{scalar:x}")
    public = PublicKey(key.public_point)
    assert public == PrivateKey.from_scalar(scalar).public_key
    for message in (b"", b"message", bytes(200)):
        public.verify(raw_to_der(key.sign(message)), message)
    assert f"{scalar:064x}" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("text", ["0", "f" * 64, "zz"])
def test_number_that_is_no_private_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"private key|invalid literal"):
        GmsslKey("id", text)


def test_client_without_any_proof_is_refused() -> None:
    with pytest.raises(ValueError, match="a secret or a key"):
        HubClient("http://hub.test", client_id="x")
    with pytest.raises(ValueError, match="a secret or a key"):
        HubClient("http://hub.test", client_id="x", client_secret="s", sign_requests=True)
