"""Bringing changes to a webhook: NDJSON, signed by the hub after RFC 9421 with SM2.

The connection goes to the address that was checked, redirects are not followed, no proxy is used, and no more
of the answer is read than its status asks for.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from signing.content_digest import build_content_digest
from signing.http_messages import HttpRequest
from signing.http_signature_keys import Sm2HttpSigner
from signing.http_signatures import sign_message
from subscriptions.delivery.countersign import parse_signature
from subscriptions.push.addresses import AddressBook, Place
from subscriptions.push.model import NOT_COUNTERSIGNED, Message, MessageRefused, TargetDown, TargetGone

TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0
MAX_RETRY_AFTER_S: Final = 3600.0
MAX_ANSWER_BYTES: Final = 65_536
MAX_MANIFEST_CHARACTERS: Final = 6_000
MANIFEST_HEADER: Final = "Shuzheng-Manifest"
COUNTERSIGNATURE_HEADER: Final = "Shuzheng-Countersignature"
TAG: Final = "shuzheng-push"
TRANSIENT: Final = frozenset({408, 421, 425, 429})
COVERED: Final = (
    "@method",
    "@target-uri",
    "content-type",
    "content-digest",
    "idempotency-key",
    "shuzheng-subscription",
    "shuzheng-delivery",
    "shuzheng-next-cursor",
)


class WebhookCarrier:
    """Posts messages. `timeout_s` bounds a whole exchange, however slowly the receiver answers."""

    def __init__(
        self,
        *,
        addresses: AddressBook,
        signer: Sm2HttpSigner,
        now: Callable[[], datetime],
        timeout_s: float = TIMEOUT_S,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._addresses = addresses
        self._signer = signer
        self._now = now
        self._timeout_s = timeout_s
        self._verify = verify or ssl.create_default_context()

    async def deliver(self, message: Message, secret: str | None) -> bytes | None:
        """Post one message; 2xx is its receipt. Returns the receiver's countersignature, if it sent one.

        Raises TargetDown, MessageRefused or TargetGone.
        """
        url = str(message.target.address["url"])
        parts = urlsplit(url)
        default_port = 443 if parts.scheme == "https" else 80
        place = await self._addresses.find(parts.hostname or "", parts.port or default_port)
        if parts.scheme != "https" and not place.is_listed:
            msg = "webhooks outside the listed networks must use https"
            raise TargetGone(msg)
        headers = self._build_headers(message, url, secret)
        request = _pin(url, place, headers, message.page.body)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._exchange(request)
        except (httpx.TransportError, ssl.SSLError, OSError, TimeoutError) as trouble:
            msg = f"the target does not answer ({type(trouble).__name__})"
            raise TargetDown(msg) from trouble
        _judge(answer.status_code, answer.headers.get("Retry-After"))
        return read_countersignature(answer.headers.get(COUNTERSIGNATURE_HEADER))

    def _build_headers(self, message: Message, url: str, secret: str | None) -> dict[str, str]:
        page = message.page
        headers = {
            "Content-Type": str(page.form),
            "Content-Digest": build_content_digest(page.body, algorithm="sha-256"),
            "Idempotency-Key": str(message.key),
            "Shuzheng-Subscription": str(message.target.subscription_id),
            "Shuzheng-Delivery": str(page.delivery_id),
            "Shuzheng-Next-Cursor": page.next_cursor,
            "User-Agent": "shuzheng",
        }
        manifest = base64.b64encode(page.manifest).decode()
        covered: tuple[str, ...] = COVERED
        if len(manifest) <= MAX_MANIFEST_CHARACTERS:
            headers[MANIFEST_HEADER] = manifest
            covered = (*COVERED, MANIFEST_HEADER.lower())
        signed = sign_message(
            HttpRequest(method="POST", target_uri=url, fields=tuple(headers.items()), body=page.body),
            key=self._signer,
            components=covered,
            created_at=self._now(),
            nonce=secrets.token_urlsafe(18),
            tag=TAG,
            state_algorithm=True,
        )
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        return headers | dict(signed.fields)

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return what came, without its body, of which no more is read than it takes."""
        async with httpx.AsyncClient(
            verify=self._verify, trust_env=False, follow_redirects=False, timeout=CONNECT_TIMEOUT_S
        ) as client:
            request.extensions["timeout"] = httpx.Timeout(
                self._timeout_s, connect=CONNECT_TIMEOUT_S
            ).as_dict()
            answer = await client.send(request, stream=True)
            try:
                seen = 0
                async for piece in answer.aiter_raw():
                    seen += len(piece)
                    if seen > MAX_ANSWER_BYTES:
                        break
            finally:
                await answer.aclose()
            return answer


def _pin(url: str, place: Place, headers: dict[str, str], body: bytes) -> httpx.Request:
    """Build the request so that it goes to the checked address, under the name in its URL."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    pinned = parts._replace(netloc=place.authority, fragment="").geturl()
    return httpx.Request(
        "POST",
        pinned,
        headers={"Host": host, **headers},
        content=body,
        extensions={"sni_hostname": place.host},
    )


def read_countersignature(written: str | None) -> bytes | None:
    """Read what a receiver signed. Raises TargetDown for what is no signature."""
    if written is None:
        return None
    signature = parse_signature(written)
    if signature is None:
        raise TargetDown(NOT_COUNTERSIGNED)
    return signature


def _judge(status: int, retry_after: str | None) -> None:
    if 200 <= status < 300:
        return
    if status in TRANSIENT or status >= 500 or status < 200:
        wait_s = float(retry_after) if retry_after is not None and retry_after.strip().isdecimal() else None
        msg = f"the target answered {status}"
        raise TargetDown(msg, retry_after_s=None if wait_s is None else min(wait_s, MAX_RETRY_AFTER_S))
    if status == 410:
        msg = "the target answered 410: it is no more"
        raise TargetGone(msg)
    msg = "the target redirects, which is not followed" if status < 400 else f"the target answered {status}"
    raise MessageRefused(msg)
