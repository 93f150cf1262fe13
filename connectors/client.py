"""A synchronous client of the hub: tokens, purpose headers, problems turned into exceptions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from connectors.keys import ClientKey
from connectors.protocol import Conversation, HubFace, HubProtocol, Talk, read_problem, tell_failure
from connectors.protocol import Purpose as Purpose
from connectors.uploads import FileUpload, publish_parts

TIMEOUT_S = 60.0
NDJSON = "application/x-ndjson"
Made = TypeVar("Made")


class HubClient(HubFace):
    """One system's connection to a hub. Not safe for use by several threads at once.

    It proves itself with a secret, or with an SM2 `key`; with `sign_requests` every request is signed with
    the key, too (a streamed body of unknown SHA-256 is then read into memory first, for its digest comes
    before it). `retries` says how often a request that may be repeated is sent again
    (`connectors.protocol.HubProtocol`).

    Methods raise Refused for a problem document and ConnectionFailed where no answer came. Use it as a
    context manager, or call `close`. `AsyncHubClient` is the same for asyncio.
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, transport=transport)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, *, purpose: Purpose | None = None, **params: str | int) -> Any:
        """GET a path and return its JSON."""
        return self.send("GET", path, purpose=purpose, params=params).json()

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        purpose: Purpose | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """POST a JSON body and return the JSON of the answer (None for an empty one)."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = self.send("POST", path, purpose=purpose, json=body, headers=headers)
        return answer.json() if answer.content else None

    def publish(
        self,
        resource: str,
        content: bytes | Iterable[bytes],
        *,
        idempotency_key: str,
        mode: str = "upsert",
        content_type: str = "text/csv; charset=utf-8",
        confirm: bool = False,
        sha256: bytes | None = None,
    ) -> dict[str, Any]:
        """Publish a batch: bytes, or an iterable of chunks that is streamed. Returns the hub's accounting.

        `confirm` lets a snapshot delete more than a fifth of the rows. `sha256`, the digest of the chunks
        together, lets a signed request stream.
        """
        return self._hold(
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

    def publish_file(self, upload: FileUpload) -> dict[str, Any]:
        """Publish a file in parts, going on where the hub's copy ends after a cut connection.

        Returns the hub's accounting.
        """
        return self._hold(publish_parts(self._protocol, upload))

    def changes(
        self,
        subscription: str,
        *,
        purpose: Purpose,
        after: str | None = None,
        limit: int = 1000,
        consumer: str = "default",
    ) -> Iterator[dict[str, Any]]:
        """Read the changes of a subscription after a cursor, page by page, until there are no more.

        `cursor` of this client is then what to acknowledge, once the effect of the changes is safe, and
        `deliveries` names what was delivered.
        """
        while True:
            page = self._hold(
                self._protocol.read_page(
                    subscription, purpose=purpose, after=after, limit=limit, consumer=consumer
                )
            )
            yield from page.changes
            self._protocol.note_page(page)
            after = page.next_cursor
            if not page.changes:
                return

    def acknowledge(self, subscription: str, cursor: str, *, consumer: str = "default") -> dict[str, Any]:
        """Acknowledge everything up to `cursor`, once its effect is safe.

        With a key the manifests of the deliveries that `changes` read since are countersigned (the newest
        200 of them).
        """
        return self._hold(self._protocol.acknowledge(subscription, cursor, consumer=consumer))

    def send(
        self,
        method: str,
        path: str,
        *,
        purpose: Purpose | None = None,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """Send one request with token and purpose; return the answer. Raises Refused, ConnectionFailed."""
        return self._hold(self._protocol.send(method, path, purpose=purpose, headers=headers, **arguments))

    def stream(self, path: str, *, purpose: Purpose | None = None, **params: str | int) -> Iterator[bytes]:
        """GET a path and yield its bytes in pieces. Raises Refused, ConnectionFailed."""
        request = self._hold(self._protocol.prepare("GET", path, purpose=purpose, params=params))
        try:
            answer = self._http.send(request, stream=True)
            try:
                if not answer.is_success:
                    answer.read()
                    raise read_problem(answer)
                yield from answer.iter_bytes()
            finally:
                answer.close()
        except httpx.TransportError as trouble:
            raise tell_failure(self._address, trouble) from trouble

    def _hold(self, talk: Talk[Made]) -> Made:
        """Hold a talk to its end: send what it says, wait where it waits."""
        conversation = Conversation(talk)
        while (step := conversation.step) is not None:
            if isinstance(step, float):
                time.sleep(step)
                conversation.answer(None)
                continue
            try:
                answer = self._http.send(step)
            except httpx.TransportError as trouble:
                conversation.fail(tell_failure(self._address, trouble))
            else:
                conversation.answer(answer)
        made: Made = conversation.made
        return made
