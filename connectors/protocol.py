"""What is said to a hub, without saying how it is sent: the core under both clients.

Each talk is a generator. It yields a request, and is sent the answer (or thrown ConnectionFailed); or it
yields a number of seconds to wait. What it returns is the talk's result.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from connectors.errors import ConnectionFailed, Refused
from connectors.keys import ASSERTION_TYPE, ClientKey, build_assertion, sign_request, write_digest

RENEW_BEFORE_S: Final = 30.0
FIRST_WAIT_S: Final = 0.5
MAX_WAIT_S: Final = 30.0
MAX_COUNTERSIGNED: Final = 200
UNAUTHORISED: Final = 401
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
Made = TypeVar("Made")
Talk: TypeAlias = Generator["httpx.Request | float", "httpx.Response | None", Made]


class Conversation(Generic[Made]):
    """A talk under way. `step` is what to do next: a request to send, seconds to wait, or None at the end.

    Then `made` is the talk's result. What the talk raises goes through.
    """

    def __init__(self, talk: Talk[Made]) -> None:
        self._talk = talk
        self.step: httpx.Request | float | None = None
        self.made: Any = None
        self.answer(None)

    def answer(self, answer: httpx.Response | None) -> None:
        """Go on with the answer to a request, or with None after waiting."""
        self._move(lambda: self._talk.send(answer))

    def fail(self, failure: ConnectionFailed) -> None:
        """Go on without an answer."""
        self._move(lambda: self._talk.throw(failure))

    def _move(self, advance: Callable[[], httpx.Request | float]) -> None:
        try:
            self.step = advance()
        except StopIteration as end:
            self.step, self.made = None, end.value


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesPage:
    """A page of changes, the cursor after it, and the delivery that it was (None for an empty page)."""

    changes: list[dict[str, Any]]
    next_cursor: str
    delivery: str | None


class HubProtocol:
    """The talks of one system with a hub. `build` makes requests, as `httpx.Client.build_request` does.

    A token that the hub no longer takes is renewed once. Where no answer comes, or 429, 502, 503 or 504, a
    request that may be repeated (GET, HEAD, or one with an Idempotency-Key whose body is at hand) is sent
    again up to `retries` times, after half a second, doubled each time, or after what `Retry-After` says.
    """

    def __init__(
        self,
        *,
        base_url: str,
        build: Callable[..., httpx.Request],
        client_id: str,
        client_secret: str | None,
        key: ClientKey | None,
        sign_requests: bool,
        retries: int,
    ) -> None:
        if (client_secret is None and key is None) or (sign_requests and key is None):
            msg = "a client needs a secret or a key, and a key to sign requests"
            raise ValueError(msg)
        self._base_url = base_url
        self._build = build
        self.client_id = client_id
        self._client_secret = client_secret
        self._key = key
        self.signs_requests = sign_requests
        self._retries = retries
        self._token = ""
        self._token_until_s = 0.0
        self.cursor: str | None = None
        self.deliveries: list[str] = []

    def send(
        self,
        method: str,
        path: str,
        *,
        purpose: Purpose | None = None,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Talk[httpx.Response]:
        """Send one request with token and purpose. Raises Refused or ConnectionFailed."""
        is_at_hand = isinstance(arguments.get("content", b""), bytes | str)
        may_repeat = is_at_hand and (method in SAFE_METHODS or "Idempotency-Key" in (headers or {}))
        retries, renewed = self._retries if may_repeat else 0, False
        attempt = 0
        while True:
            try:
                request = yield from self.prepare(method, path, purpose=purpose, headers=headers, **arguments)
                return (yield from _exchange(request))
            except Refused as refused:
                if refused.status == UNAUTHORISED and is_at_hand and not renewed:
                    self._token_until_s, renewed = 0.0, True
                    continue
                if not refused.is_transient or attempt == retries:
                    raise
                wait_s = refused.retry_after_s
            except ConnectionFailed:
                if attempt == retries:
                    raise
                wait_s = None
            yield min(MAX_WAIT_S, FIRST_WAIT_S * 2**attempt if wait_s is None else wait_s)
            attempt += 1

    def prepare(
        self,
        method: str,
        path: str,
        *,
        purpose: Purpose | None = None,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Talk[httpx.Request]:
        """Make a request with token and purpose, signed where requests are."""
        token = yield from self._fresh_token()
        merged = {
            "Authorization": f"Bearer {token}",
            **(purpose.headers if purpose else {}),
            **(headers or {}),
        }
        request = self._build(method, path, headers=merged, **arguments)
        if self.signs_requests and self._key is not None:
            sign_request(request, self._key)
        return request

    def publish(
        self,
        resource: str,
        content: Any,
        *,
        idempotency_key: str,
        mode: str,
        content_type: str,
        confirm: bool,
        sha256: bytes | None,
    ) -> Talk[dict[str, Any]]:
        """Publish a batch; return the accounting. `sha256` is that of the content, where it is known."""
        digest = {} if sha256 is None else {"Content-Digest": write_digest(sha256)}
        answer = yield from self.send(
            "POST",
            f"/v1/resources/{resource}/batches",
            params={"mode": mode} | ({"confirm": "true"} if confirm else {}),
            content=content,
            headers={"Content-Type": content_type, "Idempotency-Key": idempotency_key} | digest,
            timeout=None,
        )
        return dict(answer.json())

    def read_page(
        self, subscription: str, *, purpose: Purpose, after: str | None, limit: int, consumer: str
    ) -> Talk[ChangesPage]:
        """Read one page of the changes of a subscription."""
        params: dict[str, str | int] = {"limit": limit, "consumer": consumer}
        if after is not None:
            params["after"] = after
        path = f"/v1/subscriptions/{subscription}/changes"
        answer = yield from self.send("GET", path, purpose=purpose, params=params)
        return ChangesPage(
            changes=[json.loads(line) for line in answer.text.splitlines() if line],
            next_cursor=answer.headers["Shuzheng-Next-Cursor"],
            delivery=answer.headers.get("Shuzheng-Delivery"),
        )

    def note_page(self, page: ChangesPage) -> None:
        """Remember where a page ended, and what it delivered."""
        self.cursor = page.next_cursor
        if page.delivery:
            self.deliveries.append(page.delivery)

    def acknowledge(self, subscription: str, cursor: str, *, consumer: str) -> Talk[dict[str, Any]]:
        """Acknowledge up to a cursor, countersigning with the key the newest deliveries that were read."""
        signed = {}
        for delivery in self.deliveries[-MAX_COUNTERSIGNED:] if self._key is not None else ():
            path = f"/v1/subscriptions/{subscription}/deliveries/{delivery}/manifest"
            answer = yield from self.send("GET", path, params={"consumer": consumer})
            signed[delivery] = base64.b64encode(self._key.sign(answer.content)).decode() if self._key else ""
        answer = yield from self.send(
            "POST",
            f"/v1/subscriptions/{subscription}/ack",
            params={"consumer": consumer},
            json={"cursor": cursor, "countersignatures": signed},
        )
        self.deliveries.clear()
        return dict(answer.json())

    def _fresh_token(self) -> Talk[str]:
        if time.monotonic() >= self._token_until_s:
            answer = yield from _exchange(self._build("POST", "/v1/oauth/token", data=self._proof()))
            issued = answer.json()
            self._token = str(issued["access_token"])
            self._token_until_s = time.monotonic() + float(issued["expires_in"]) - RENEW_BEFORE_S
        return self._token

    def _proof(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self.client_id}
        if self._key is None:
            return form | {"client_secret": self._client_secret or ""}
        assertion = build_assertion(self._key, client_id=self.client_id, audience=self._base_url)
        return form | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


class HubFace:
    """What both clients show of their talks."""

    _address: str
    _protocol: HubProtocol

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r}, client_id={self._protocol.client_id!r})"

    @property
    def cursor(self) -> str | None:
        """What to acknowledge once the changes that were read last are safe."""
        return self._protocol.cursor

    @property
    def deliveries(self) -> list[str]:
        """The deliveries that were read and not acknowledged yet."""
        return self._protocol.deliveries


def _exchange(request: httpx.Request) -> Talk[httpx.Response]:
    answer = yield request
    assert answer is not None
    if answer.is_success:
        return answer
    raise read_problem(answer)


def read_problem(answer: httpx.Response) -> Refused:
    """Read a problem document (RFC 9457) whose body is at hand."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    waits = answer.headers.get("Retry-After", "")
    return Refused(
        status=answer.status_code,
        code=str(problem.get("code", "UNKNOWN")),
        detail=str(problem.get("detail", "the answer is not a problem document")),
        errors=list(problem.get("errors", [])),
        retry_after_s=float(waits) if waits.isdecimal() else None,
    )


def tell_failure(base_url: str, trouble: httpx.TransportError) -> ConnectionFailed:
    """Say that no answer came, and why."""
    return ConnectionFailed(f"the hub at {base_url} does not answer ({type(trouble).__name__})")
