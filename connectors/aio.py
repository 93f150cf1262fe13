"""The client of the hub for asyncio: the same talks as `HubClient` holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from connectors.client import TIMEOUT_S
from connectors.keys import ClientKey
from connectors.protocol import Conversation, HubFace, HubProtocol, Purpose, Talk, read_problem, tell_failure
from connectors.uploads import FileUpload, publish_parts

Made = TypeVar("Made")


class AsyncHubClient(HubFace):
    """One system's connection to a hub, as `HubClient` is; calls may run at the same time in one loop.

    Calls at the same time share the token. `cursor` and `deliveries` are those of the changes that were read
    last; follow subscriptions at the same time with a client each.
    """

    def __init__(
        self,
        base_url: str,
        *,
        client_id: str,
        client_secret: str | None = None,
        key: ClientKey | None = None,
        sign_requests: bool = False,
        retries: int = 0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, transport=transport)
        self._address = str(self._http.base_url).rstrip("/")
        self._protocol = HubProtocol(
            base_url=self._address,
            build=self._http.build_request,
            client_id=client_id,
            client_secret=client_secret,
            key=key,
            sign_requests=sign_requests,
            retries=retries,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, *, purpose: Purpose | None = None, **params: str | int) -> Any:
        """GET a path and return its JSON."""
        return (await self.send("GET", path, purpose=purpose, params=params)).json()

    async def post(
        self,
        path: str,
        body: Any = None,
        *,
        purpose: Purpose | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """POST a JSON body and return the JSON of the answer (None for an empty one)."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = await self.send("POST", path, purpose=purpose, json=body, headers=headers)
        return answer.json() if answer.content else None

    async def publish(
        self,
        resource: str,
        content: bytes | AsyncIterable[bytes],
        *,
        idempotency_key: str,
        mode: str = "upsert",
        content_type: str = "text/csv; charset=utf-8",
        confirm: bool = False,
        sha256: bytes | None = None,
    ) -> dict[str, Any]:
        """Publish a batch: bytes, or an asynchronous iterable of chunks. Returns the hub's accounting.

        Chunks are streamed, or read into memory first where requests are signed and `sha256`, the digest of
        the chunks together, is not given. `confirm` lets a snapshot delete more than a fifth of the rows.
        """
        if self._protocol.signs_requests and sha256 is None and not isinstance(content, bytes):
            content = b"".join([chunk async for chunk in content])
        return await self._hold(
            self._protocol.publish(
                resource,
                content,
                idempotency_key=idempotency_key,
                mode=mode,
                content_type=content_type,
                confirm=confirm,
                sha256=sha256,
            )
        )

    async def publish_file(self, upload: FileUpload) -> dict[str, Any]:
        """Publish a file as `HubClient.publish_file` does; its parts are read from disk between requests."""
        return await self._hold(publish_parts(self._protocol, upload))

    async def changes(
        self,
        subscription: str,
        *,
        purpose: Purpose,
        after: str | None = None,
        limit: int = 1000,
        consumer: str = "default",
    ) -> AsyncIterator[dict[str, Any]]:
        """Read the changes of a subscription after a cursor, page by page, until there are no more.

        `cursor` of this client is then what to acknowledge, once the effect of the changes is safe, and
        `deliveries` names what was delivered.
        """
        while True:
            page = await self._hold(
                self._protocol.read_page(
                    subscription, purpose=purpose, after=after, limit=limit, consumer=consumer
                )
            )
            for change in page.changes:
                yield change
            self._protocol.note_page(page)
            after = page.next_cursor
            if not page.changes:
                return

    async def acknowledge(
        self, subscription: str, cursor: str, *, consumer: str = "default"
    ) -> dict[str, Any]:
        """Acknowledge everything up to `cursor`, once its effect is safe.

        With a key the manifests of the deliveries that `changes` read since are countersigned (the newest
        200 of them).
        """
        return await self._hold(self._protocol.acknowledge(subscription, cursor, consumer=consumer))

    async def send(
        self,
        method: str,
        path: str,
        *,
        purpose: Purpose | None = None,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """Send one request with token and purpose; return the answer. Raises Refused, ConnectionFailed."""
        return await self._hold(
            self._protocol.send(method, path, purpose=purpose, headers=headers, **arguments)
        )

    async def stream(
        self, path: str, *, purpose: Purpose | None = None, **params: str | int
    ) -> AsyncIterator[bytes]:
        """GET a path and yield its bytes in pieces. Raises Refused, ConnectionFailed."""
        request = await self._hold(self._protocol.prepare("GET", path, purpose=purpose, params=params))
        try:
            answer = await self._http.send(request, stream=True)
            try:
                if not answer.is_success:
                    await answer.aread()
                    raise read_problem(answer)
                async for piece in answer.aiter_bytes():
                    yield piece
            finally:
                await answer.aclose()
        except httpx.TransportError as trouble:
            raise tell_failure(self._address, trouble) from trouble

    async def _hold(self, talk: Talk[Made]) -> Made:
        """Hold a talk to its end: send what it says, wait where it waits."""
        conversation = Conversation(talk)
        while (step := conversation.step) is not None:
            if isinstance(step, float):
                await asyncio.sleep(step)
                conversation.answer(None)
                continue
            try:
                answer = await self._http.send(step)
            except httpx.TransportError as trouble:
                conversation.fail(tell_failure(self._address, trouble))
            else:
                conversation.answer(answer)
        made: Made = conversation.made
        return made
