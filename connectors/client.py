"""A synchronous client of the hub: tokens, purpose headers, problems turned into exceptions."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from connectors.errors import ConnectionFailed, Refused
from connectors.keys import ASSERTION_TYPE, ClientKey, build_assertion, sign_request

TIMEOUT_S = 60.0
RENEW_BEFORE_S = 30.0
NDJSON = "application/x-ndjson"
MAX_COUNTERSIGNED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why a call is made (用途): service item, case number, operator, and for whom where not for oneself."""

    service_item: str
    case_number: str
    operator: str
    on_behalf_of: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The purpose as header fields, percent-encoded UTF-8."""
        values = {
            "Shuzheng-Service-Item": self.service_item,
            "Shuzheng-Case-Number": self.case_number,
            "Shuzheng-Operator": self.operator,
            "Shuzheng-On-Behalf-Of": self.on_behalf_of,
        }
        return {name: quote(value) for name, value in values.items() if value is not None}


class HubClient:
    """One system's connection to a hub. Not safe for use by several threads at once.

    It proves itself with a secret, or with an SM2 `key`; with `sign_requests` every request is signed with
    the key, too (a streamed body is then read into memory first, for its digest comes before it).

    Methods raise Refused for a problem document and ConnectionFailed where no answer came. Use it as a
    context manager, or call `close`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        client_id: str,
        client_secret: str | None = None,
        key: ClientKey | None = None,
        sign_requests: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if (client_secret is None and key is None) or (sign_requests and key is None):
            msg = "a client needs a secret or a key, and a key to sign requests"
            raise ValueError(msg)
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, transport=transport)
        self._client_id = client_id
        self._client_secret = client_secret
        self._key = key
        self._sign_requests = sign_requests
        self._token = ""
        self.cursor: str | None = None
        self.deliveries: list[str] = []
        self._token_until_s = 0.0

    def __repr__(self) -> str:
        return f"HubClient({str(self._http.base_url)!r}, client_id={self._client_id!r})"

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
    ) -> dict[str, Any]:
        """Publish a batch: bytes, or an iterable of chunks that is streamed. Returns the hub's accounting.

        `confirm` lets a snapshot delete more than a fifth of the rows.
        """
        answer = self.send(
            "POST",
            f"/v1/resources/{resource}/batches",
            params={"mode": mode} | ({"confirm": "true"} if confirm else {}),
            content=content,
            headers={"Content-Type": content_type, "Idempotency-Key": idempotency_key},
            timeout=None,
        )
        return dict(answer.json())

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
            params: dict[str, str | int] = {"limit": limit, "consumer": consumer}
            if after is not None:
                params["after"] = after
            path = f"/v1/subscriptions/{subscription}/changes"
            answer = self.send("GET", path, purpose=purpose, params=params)
            changes = [json.loads(line) for line in answer.text.splitlines() if line]
            yield from changes
            self.cursor = after = answer.headers["Shuzheng-Next-Cursor"]
            if delivery := answer.headers.get("Shuzheng-Delivery"):
                self.deliveries.append(delivery)
            if not changes:
                return

    def acknowledge(self, subscription: str, cursor: str, *, consumer: str = "default") -> dict[str, Any]:
        """Acknowledge everything up to `cursor`, once its effect is safe.

        With a key the manifests of the deliveries that `changes` read since are countersigned (the newest
        200 of them).
        """
        signed = {}
        for delivery in self.deliveries[-MAX_COUNTERSIGNED:] if self._key is not None else ():
            path = f"/v1/subscriptions/{subscription}/deliveries/{delivery}/manifest"
            manifest = self.send("GET", path, params={"consumer": consumer}).content
            signed[delivery] = base64.b64encode(self._key.sign(manifest)).decode() if self._key else ""
        answer = self.send(
            "POST",
            f"/v1/subscriptions/{subscription}/ack",
            params={"consumer": consumer},
            json={"cursor": cursor, "countersignatures": signed},
        )
        self.deliveries.clear()
        return dict(answer.json())

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
        merged = {
            "Authorization": f"Bearer {self._fresh_token()}",
            **(purpose.headers if purpose else {}),
            **(headers or {}),
        }
        return self._send(method, path, headers=merged, **arguments)

    def stream(self, path: str, *, purpose: Purpose | None = None, **params: str | int) -> Iterator[bytes]:
        """GET a path and yield its bytes in pieces. Raises Refused, ConnectionFailed."""
        headers = {"Authorization": f"Bearer {self._fresh_token()}", **(purpose.headers if purpose else {})}
        request = self._http.build_request("GET", path, headers=headers, params=params, timeout=TIMEOUT_S)
        if self._sign_requests and self._key is not None:
            sign_request(request, self._key)
        try:
            answer = self._http.send(request, stream=True)
            try:
                if not answer.is_success:
                    answer.read()
                    raise _read_problem(answer)
                yield from answer.iter_bytes()
            finally:
                answer.close()
        except httpx.TransportError as trouble:
            raise self._failed(trouble) from trouble

    def _failed(self, trouble: httpx.TransportError) -> ConnectionFailed:
        msg = f"the hub at {self._http.base_url} does not answer ({type(trouble).__name__})"
        return ConnectionFailed(msg)

    def _fresh_token(self) -> str:
        if time.monotonic() >= self._token_until_s:
            answer = self._send("POST", "/v1/oauth/token", data=self._proof(), sign=False).json()
            self._token = str(answer["access_token"])
            self._token_until_s = time.monotonic() + float(answer["expires_in"]) - RENEW_BEFORE_S
        return self._token

    def _proof(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self._client_id}
        if self._key is None:
            return form | {"client_secret": self._client_secret or ""}
        audience = str(self._http.base_url).rstrip("/")
        assertion = build_assertion(self._key, client_id=self._client_id, audience=audience)
        return form | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    def _send(self, method: str, path: str, *, sign: bool = True, **arguments: Any) -> httpx.Response:
        try:
            request = self._http.build_request(method, path, **arguments)
            if sign and self._sign_requests and self._key is not None:
                sign_request(request, self._key)
            answer = self._http.send(request)
        except httpx.TransportError as trouble:
            raise self._failed(trouble) from trouble
        if answer.is_success:
            return answer
        raise _read_problem(answer)


def _read_problem(answer: httpx.Response) -> Refused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    return Refused(
        status=answer.status_code,
        code=str(problem.get("code", "UNKNOWN")),
        detail=str(problem.get("detail", "the answer is not a problem document")),
        errors=list(problem.get("errors", [])),
    )
