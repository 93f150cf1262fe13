"""Both faces of the client against a hub: the same talks, tokens renewed, what may be repeated repeated."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import AsyncHubClient, ConnectionFailed, GmsslKey, HubClient, Purpose, Refused
from connectors.uploads import FileUpload
from tests.hubs import RunningHub
from tests.integration.connectors.test_client_keys import SCALAR, Bridge
from tests.integration.core.credentials_world import give_key, set_rule
from tests.integration.exchange.catalogue_bodies import body, grant, ok

PURPOSE = Purpose(service_item="食品经营许可", case_number="1", operator="王审批")
ROWS = "code,name\na,甲\nb,乙\nc,丙\n"
Call = Callable[..., Awaitable[Any]]


class Flaky(httpx.AsyncBaseTransport):
    """Carries requests to the hub in this process, and loses those that it is told to."""

    def __init__(self, hub: RunningHub) -> None:
        self._inner = httpx.ASGITransport(app=hub.app, raise_app_exceptions=False)
        self.lose = 0
        self.answers: list[httpx.Response] = []
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.url.path)
        if self.lose:
            self.lose -= 1
            msg = "the connection is cut"
            raise httpx.ConnectError(msg)
        if self.answers:
            return self.answers.pop(0)
        return await self._inner.handle_async_request(request)


def open_async(hub: RunningHub, who: str, transport: httpx.AsyncBaseTransport, **more: Any) -> AsyncHubClient:
    member = hub.members[who]
    secrets = {} if "key" in more else {"client_secret": member.client_secret}
    return AsyncHubClient(
        "http://hub.test", client_id=member.client_id, transport=transport, **secrets, **more
    )


async def test_both_faces_publish_follow_and_acknowledge(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await grant(hub, "things", ["code", "name"], ["subscribe"])
    made = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things"}, who="approval")
    transport = Flaky(hub)

    async def pieces() -> AsyncIterator[bytes]:
        for line in ROWS.splitlines(keepends=True):
            yield line.encode()

    async with open_async(hub, "market", transport) as owner:
        told = await owner.publish("things", pieces(), idempotency_key="1")
    assert (told["accepted"], told["version"]) == (3, 1)
    async with open_async(hub, "approval", transport) as reader:
        read = [change async for change in reader.changes(made["id"], purpose=PURPOSE, limit=2)]
        assert reader.cursor is not None
        assert len(reader.deliveries) == 2
        standing = await reader.acknowledge(made["id"], reader.cursor)
        assert (standing["lag_rows"], reader.deliveries) == (0, [])
    approval = hub.members["approval"]
    client = HubClient(
        "http://hub.test",
        client_id=approval.client_id,
        client_secret=approval.client_secret,
        transport=Bridge(hub, asyncio.get_running_loop()),
    )
    again = await asyncio.to_thread(
        lambda: list(client.changes(made["id"], purpose=PURPOSE, after="1.0", limit=2))
    )
    assert read == again
    assert [change["row"]["name"] for change in read] == ["甲", "乙", "丙"]


async def test_token_that_was_revoked_is_renewed_once(hub: RunningHub) -> None:
    transport = Flaky(hub)
    async with open_async(hub, "market", transport) as client:
        await client.get("/v1/whoami")
        await client.post("/v1/oauth/revocation")
        assert (await client.get("/v1/whoami"))["client_id"] == hub.members["market"].client_id
        assert transport.sent.count("/v1/oauth/token") == 2
        transport.answers = [httpx.Response(401, json={"code": "AUTH-TOKEN"}) for _ in range(3)]
        with pytest.raises(Refused, match="AUTH-TOKEN"):
            await client.get("/v1/whoami")
        transport.answers.clear()


@pytest.mark.parametrize("trouble", ["cut", "busy"])
async def test_what_may_be_repeated_is_and_nothing_else(
    hub: RunningHub, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.protocol.FIRST_WAIT_S", 0.01)
    await ok(hub, "POST", "/v1/resources", body())
    transport = Flaky(hub)

    def disturb(times: int) -> None:
        if trouble == "cut":
            transport.lose = times
        else:
            headers = {"Retry-After": "0"}
            transport.answers = [httpx.Response(503, json={"code": "X"}, headers=headers)] * times

    async def failing(call: Awaitable[Any]) -> None:
        with pytest.raises(ConnectionFailed if trouble == "cut" else Refused):
            await call

    async with open_async(hub, "market", transport, retries=2) as client:
        disturb(2)  # the token's request is repeated with the rest
        await client.get("/v1/whoami")
        disturb(2)
        told = await client.publish("things", ROWS.encode(), idempotency_key="1")
        assert (told["accepted"], told["version"]) == (3, 1)
        disturb(3)
        await failing(client.get("/v1/whoami"))
        disturb(1)
        await failing(client.post("/v1/resources", body("others")))
        disturb(1)
        await failing(client.publish("things", stream(), idempotency_key="2"))
    async with open_async(hub, "market", transport) as client:
        await client.get("/v1/whoami")
        disturb(1)
        await failing(client.get("/v1/whoami"))


async def stream() -> AsyncIterator[bytes]:
    yield ROWS.encode()


async def test_signed_requests_of_both_faces_are_taken(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    keyed = await give_key(hub, hub.members["market"], SCALAR)
    await set_rule(hub, keyed.member, "required")
    key = GmsslKey(keyed.credential_id, f"{SCALAR:x}")
    async with open_async(hub, "market", Flaky(hub), key=key, sign_requests=True) as client:
        assert (await client.publish("things", stream(), idempotency_key="1"))["accepted"] == 3
    sync = HubClient(
        "http://hub.test",
        client_id=keyed.member.client_id,
        key=key,
        sign_requests=True,
        transport=Bridge(hub, asyncio.get_running_loop()),
    )

    def publish() -> dict[str, Any]:
        pieces: Iterator[bytes] = iter([ROWS.encode()])
        return sync.publish("things", pieces, idempotency_key="1")

    assert (await asyncio.to_thread(publish))["version"] == 1


async def test_signed_request_streams_under_a_digest_that_is_given(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    keyed = await give_key(hub, hub.members["market"], SCALAR)
    await set_rule(hub, keyed.member, "required")
    key = GmsslKey(keyed.credential_id, f"{SCALAR:x}")
    read: list[str] = []

    async def watched() -> AsyncIterator[bytes]:
        for line in ROWS.splitlines(keepends=True):
            read.append(transport.sent[-1])
            yield line.encode()

    transport = Flaky(hub)
    async with open_async(hub, "market", transport, key=key, sign_requests=True) as client:
        digest = hashlib.sha256(ROWS.encode()).digest()
        told = await client.publish("things", watched(), idempotency_key="1", sha256=digest)
        assert told["accepted"] == 3
        assert set(read) == {"/v1/resources/things/batches"}  # read when sent, not before
        with pytest.raises(Refused, match="sha-256 digest"):
            await client.publish("things", watched(), idempotency_key="2", sha256=bytes(32))


@pytest.mark.parametrize("lost", [0, 1])
async def test_both_faces_publish_a_file_in_parts(
    hub: RunningHub, tmp_path: Path, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.uploads.FIRST_WAIT_S", 0.01)
    monkeypatch.setattr("connectors.uploads.POLL_S", 0.01)
    await ok(hub, "POST", "/v1/resources", body())
    file = tmp_path / "rows.csv"
    file.write_text(ROWS, encoding="utf-8")
    sent: list[int] = []
    upload = FileUpload(
        resource="things", file=file, idempotency_key="1", content_type="text/csv", on_sent=sent.append
    )
    transport = Flaky(hub)
    async with open_async(hub, "market", transport) as client:
        await client.get("/v1/whoami")
        transport.lose = lost
        told = await client.publish_file(upload)
    assert (told["accepted"], told["version"], sent) == (3, 1, [file.stat().st_size])
    market = hub.members["market"]
    sync = HubClient(
        "http://hub.test",
        client_id=market.client_id,
        client_secret=market.client_secret,
        transport=Bridge(hub, asyncio.get_running_loop()),
    )
    again = await asyncio.to_thread(sync.publish_file, upload)
    assert again["batch"] == told["batch"]


class Standing(Flaky):
    """Tells of a batch that nothing moves, so many times, whatever became of it at the hub."""

    def __init__(self, hub: RunningHub, times: int) -> None:
        super().__init__(hub)
        self.times = times
        self.refusals: list[httpx.Response] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_asked_again = request.url.path.endswith("/publish") and request.url.path in self.sent
        if is_asked_again and self.refusals:
            return self.refusals.pop(0)
        answer = await super().handle_async_request(request)
        if "/batches/" in request.url.path and self.times:
            while json.loads(await answer.aread()).get("state") == "receiving":
                answer = await super().handle_async_request(request)
            self.times -= 1
            batch = request.url.path.rpartition("/")[2]
            return httpx.Response(200, json={"batch": batch, "state": "receiving", "progress": {}})
        return answer


async def publish_standing(hub: RunningHub, transport: Standing, file: Path) -> Any:
    await ok(hub, "POST", "/v1/resources", body())
    file.write_text(ROWS, encoding="utf-8")
    upload = FileUpload(resource="things", file=file, idempotency_key="1", content_type="text/csv")
    async with open_async(hub, "market", transport) as client:
        return await client.publish_file(upload)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.uploads.POLL_S", 0.01)
    monkeypatch.setattr("connectors.uploads.POLLS_BEFORE_ASKING_AGAIN", 2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("refusals", [[], [409], [503, 409]])
async def test_batch_that_ends_as_it_is_asked_for_again_is_told(
    hub: RunningHub, tmp_path: Path, refusals: list[int]
) -> None:
    transport = Standing(hub, times=2 * (1 + len(refusals)))
    transport.refusals = [httpx.Response(status, json={"code": "X"}) for status in refusals]
    told = await publish_standing(hub, transport, tmp_path / "rows.csv")
    assert (told["accepted"], told["version"]) == (3, 1)
    assert sum(path.endswith("/publish") for path in transport.sent) == 2  # and the second found it gone


@pytest.mark.usefixtures("impatient")
async def test_batch_whose_upload_is_gone_for_good_is_not_waited_for(hub: RunningHub, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        await publish_standing(hub, Standing(hub, times=1000), tmp_path / "rows.csv")
    assert refused.value.status == 404


async def test_stream_gives_pieces_and_problems(hub: RunningHub) -> None:
    async with open_async(hub, "market", Flaky(hub)) as client:
        whole = b"".join([piece async for piece in client.stream("/v1/whoami")])
        assert json.loads(whole)["client_id"] == hub.members["market"].client_id
        with pytest.raises(Refused) as refused:
            [piece async for piece in client.stream("/v1/resources/none")]
        assert refused.value.status == 404
    assert hub.members["market"].client_secret not in repr(client)
