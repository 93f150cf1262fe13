"""Client assertions: a system proves itself with its SM2 key instead of a secret.

A JWT in compact form whose algorithm is `sm2-sm3`, a label of ours: SM2 with SM3 and the default identifier
over `header.payload`, the signature being r ‖ s, 64 octets, as RFC 7518 3.4 has it for ECDSA. No other
algorithm is read, `none` least of all.

Source: RFC 7523 2.2 and 3, RFC 7515 3.1 (compact form), GB/T 32918.2.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from core.errors import Unauthenticated
from signing.canonical_json import parse_json
from signing.errors import DecodeError, SignatureInvalid
from signing.sm2 import PublicKey, raw_to_der

ALGORITHM: Final = "sm2-sm3"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_CHARACTERS: Final = 3000
MAX_LIFE: Final = timedelta(minutes=5)
MAX_JTI_CHARACTERS: Final = 128
CLOCK_SKEW: Final = timedelta(seconds=60)

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")
_MAX_TIME_S: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """An assertion as it says; nothing in it has been verified."""

    client_id: str
    key_id: str | None
    audiences: tuple[str, ...]
    jti: str
    expires_at: datetime
    issued_at: datetime | None
    signed_bytes: bytes
    signature: bytes

    def is_signed_by(self, keys: Iterable[PublicKey]) -> bool:
        """Tell whether one of `keys` signed this assertion."""
        for key in keys:
            try:
                key.verify(raw_to_der(self.signature), self.signed_bytes)
            except SignatureInvalid:
                continue
            return True
        return False

    def require_current(self, *, audience: str, now: datetime) -> None:
        """Refuse one for somebody else, for another time, or for a long one; Unauthenticated says why.

        `audience` is the hub's address; the assertion may name it, or its token endpoint.
        """
        if not {audience, f"{audience}/v1/oauth/token"} & set(self.audiences):
            msg = f"the assertion's aud must be {audience} or {audience}/v1/oauth/token"
            raise Unauthenticated(msg)
        if self.expires_at <= now - CLOCK_SKEW:
            msg = "the assertion has expired; make one for each token"
            raise Unauthenticated(msg)
        if self.expires_at > now + MAX_LIFE + CLOCK_SKEW:
            msg = f"the assertion's exp lies more than {MAX_LIFE.seconds} seconds ahead"
            raise Unauthenticated(msg)
        if self.issued_at is not None and self.issued_at > now + CLOCK_SKEW:
            msg = "the assertion's iat lies in the future; see to the signer's clock"
            raise Unauthenticated(msg)


def parse_assertion(text: str) -> Assertion:
    """Read an assertion; raise Unauthenticated, saying what is wrong with its form."""
    match = _COMPACT.fullmatch(text) if len(text) <= MAX_ASSERTION_CHARACTERS else None
    if match is None:
        msg = "the client assertion is not a JWT in compact form with a signature of 64 octets"
        raise Unauthenticated(msg)
    header, claims = _read_object(match[1], "header"), _read_object(match[2], "claims")
    if header.get("alg") != ALGORITHM or "crit" in header:
        msg = f"the client assertion's alg must be {ALGORITHM}, and it must have no crit"
        raise Unauthenticated(msg)
    issuer, subject, jti = (_read_text(claims, name) for name in ("iss", "sub", "jti"))
    if issuer != subject:
        msg = "the client assertion's iss and sub must both be the client_id"
        raise Unauthenticated(msg)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    key_id = header.get("kid")
    return Assertion(
        client_id=issuer,
        key_id=key_id if isinstance(key_id, str) else None,
        audiences=tuple(each for each in audiences if isinstance(each, str)),
        jti=jti,
        expires_at=_read_time(claims, "exp"),
        issued_at=_read_time(claims, "iat") if "iat" in claims else None,
        signed_bytes=f"{match[1]}.{match[2]}".encode("ascii"),
        signature=_read_signature(match[3]),
    )


def _decode(text: str) -> bytes:
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        raise ValueError
    return octets


def _read_signature(part: str) -> bytes:
    try:
        return _decode(part)
    except ValueError as trouble:
        msg = "the client assertion's signature is not in base64url"
        raise Unauthenticated(msg) from trouble


def _read_object(part: str, what: str) -> dict[str, object]:
    try:
        value = parse_json(_decode(part))
    except (DecodeError, ValueError):
        value = None
    if not isinstance(value, dict):
        msg = f"the client assertion's {what} are not a JSON object in base64url"
        raise Unauthenticated(msg)
    return dict(value)


def _read_text(claims: dict[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_JTI_CHARACTERS or "\x00" in value:
        msg = f"the client assertion's {name} must be a text of 1 to {MAX_JTI_CHARACTERS} characters"
        raise Unauthenticated(msg)
    return value


def _read_time(claims: dict[str, object], name: str) -> datetime:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_TIME_S:
        msg = f"the client assertion's {name} must be a whole number of seconds since 1970"
        raise Unauthenticated(msg)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as trouble:
        msg = f"the client assertion's {name} is no time"
        raise Unauthenticated(msg) from trouble
