"""Systems with SM2 keys of their own: assertions, and requests signed with RFC 9421."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx

from core.identity.assertion import ASSERTION_TYPE
from hub.services import utc_now
from signing.content_digest import build_content_digest
from signing.http_messages import HttpRequest
from signing.http_signature_keys import Sm2HttpSigner
from signing.http_signatures import sign_message
from signing.sm2 import PrivateKey, der_to_raw
from signing.x509 import pem
from tests.hubs import Member, RunningHub

AUDIENCE = "http://hub.test"
_numbers = count(1)


def encode(value: object) -> str:
    octets = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def public_pem(key: PrivateKey) -> str:
    return pem.build_pem("PUBLIC KEY", key.public_key.spki)


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """A member's system with a registered key."""

    hub: RunningHub
    member: Member
    key: PrivateKey
    credential_id: str

    def assertion(self, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Make an assertion, with changes to its header and claims (None leaves one out)."""
        now = int(utc_now().timestamp())
        all_claims = {
            "iss": self.member.client_id,
            "sub": self.member.client_id,
            "aud": AUDIENCE,
            "jti": f"jti-{next(_numbers)}",
            "iat": now,
            "exp": now + 60,
        } | claims
        kept = {name: value for name, value in all_claims.items() if value is not None}
        head = {"alg": "sm2-sm3", "typ": "JWT", "kid": self.credential_id} | dict(header or {})
        signed = f"{encode({k: v for k, v in head.items() if v is not None})}.{encode(kept)}"
        return f"{signed}.{encode(der_to_raw(self.key.sign(signed.encode())))}"

    async def ask_token(self, assertion: str, **form: str) -> httpx.Response:
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return await self.hub.client.post("/v1/oauth/token", data=fields | form)

    def signed(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        created_at: datetime | None = None,
        nonce: str | None = None,
        leave_out: tuple[str, ...] = (),
        key: PrivateKey | None = None,
        **changes: Any,
    ) -> httpx.Request:
        """Build a signed request."""
        fields = self.member.headers | dict(headers or {})
        if body:
            fields["Content-Digest"] = build_content_digest(body)
        request = self.hub.client.build_request(method, path, content=body or None, headers=fields)
        covered = ["@method", "@target-uri", "authorization"]
        covered += [*map(str.lower, headers or {}), *(["content-digest"] if body else [])]
        made = sign_message(
            HttpRequest(
                method=method,
                target_uri=str(request.url),
                fields=tuple(request.headers.multi_items()),
                body=body,
            ),
            key=Sm2HttpSigner(key_id=self.credential_id, signer=key or self.key),
            components=[name for name in covered if name not in leave_out],
            created_at=created_at or utc_now(),
            nonce=nonce or f"nonce-{next(_numbers)}",
            **{"tag": "shuzheng", **changes},
        )
        request.headers["Signature-Input"] = made.signature_input
        request.headers["Signature"] = made.signature
        return request


async def give_key(hub: RunningHub, member: Member, scalar: int) -> Keyed:
    """Register a fixed key for a member's system."""
    key = PrivateKey.from_scalar(scalar)
    answer = await hub.client.post(
        f"/v1/systems/{member.client_id}/keys", json={"pem": public_pem(key)}, headers=hub.admin.headers
    )
    assert answer.status_code == 201, answer.text
    return Keyed(hub=hub, member=member, key=key, credential_id=answer.json()["credential_id"])


async def set_rule(hub: RunningHub, member: Member, rule: str) -> None:
    answer = await hub.client.put(
        f"/v1/organisations/{member.code}/request-signatures",
        json={"rule": rule},
        headers=hub.admin.headers,
    )
    assert answer.status_code == 200, answer.text


def later(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)
