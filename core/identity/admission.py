"""Admit a call: its token, its address, and the signature that its organisation owes (RFC 9421)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from core.caller import Caller
from core.database import Database
from core.errors import AddressRefused, ShuzhengError, SignatureRefused
from core.identity import store_credentials
from core.identity.model import Bearer, CredentialId, CredentialKind, SignatureRule
from core.identity.networks import Address, require_network
from core.log.model import Event
from core.log.writer import LogWriter
from signing.errors import SigningError
from signing.http_messages import HttpRequest
from signing.http_signature_keys import HttpVerifier, Sm2HttpVerifier
from signing.http_signatures import SignaturePolicy, VerifiedSignature, parse_signatures, verify_message

TAG: Final = "shuzheng"
SESSION_PREFIX: Final = "p."
MAX_AGE_S: Final = 300
CLOCK_SKEW_S: Final = 60
MAX_NONCE_CHARACTERS: Final = 128
ALWAYS_COVERED: Final = ("@method", "@target-uri", "authorization")
COVERED_WHERE_SENT: Final = (
    "content-type",
    "idempotency-key",
    "shuzheng-service-item",
    "shuzheng-case-number",
    "shuzheng-operator",
    "shuzheng-on-behalf-of",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A caller who may go on. With `is_signed`, the body must still be held against its Content-Digest."""

    caller: Caller
    is_signed: bool


class Authenticator(Protocol):
    """Tells whom a bearer token stands for."""

    async def authenticate(self, token: str) -> Bearer:
        """Return whom. Raises TokenExpired, or Unauthenticated."""


class TokenAuthenticator(Authenticator, Protocol):
    """Tells whom a system's token stands for, and stood for when it was asked last."""

    def presume(self, token: str) -> Bearer | None:
        """Return whom it stood for, unproved; None where that has to be asked."""


class Admission:
    """Decides whether a call may go on, before anything is asked of scopes or grants."""

    def __init__(
        self,
        *,
        tokens: TokenAuthenticator,
        sessions: Authenticator,
        database: Database,
        log: LogWriter,
        now: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._database = database
        self._log = log
        self._now = now

    async def admit(
        self, token: str, *, address: Address | None, read_message: Callable[[], HttpRequest]
    ) -> Admitted:
        """Admit a call, or raise Unauthenticated, TokenExpired, SignatureRefused or AddressRefused.

        1. The token is a system's or a session of a person's; it is good, and its owner and their
        organisation may act.
        2. The system may call from `address`.
        3. Where the organisation's rule is `required`, or `accepted` and there is a signature of ours: it was
           made within five minutes with a key of this system, covers method, target, token, the purpose and
           whatever else decides what the call does, and its nonce was never used, on any process.

        `read_message` is called where signatures count; what it returns holds no body where there is one that
        has not been read (None then).
        """
        kind = self._sessions if token.startswith(SESSION_PREFIX) else self._tokens
        bearer = await kind.authenticate(token)
        try:
            require_network(bearer.networks, address)
            counts = bearer.request_signatures is not SignatureRule.OFF
            is_signed = counts and await self._is_signed(bearer, read_message())
        except (SignatureRefused, AddressRefused) as refused:
            await self._record(bearer, refused)
            raise
        return Admitted(caller=bearer.caller, is_signed=is_signed)

    def presume(self, token: str, *, read_address: Callable[[], Address | None]) -> Caller | None:
        """Return who calls by what this process knew last, for a call whose first reading proves it.

        None where the call has to be admitted in full: its token is new here, expired or a person's, its
        organisation may sign its requests, or it comes from an address that its system may not call from.
        """
        if token.startswith(SESSION_PREFIX):
            return None
        bearer = self._tokens.presume(token)
        if bearer is None or bearer.request_signatures is not SignatureRule.OFF:
            return None
        try:
            if bearer.networks is not None:
                require_network(bearer.networks, read_address())
        except AddressRefused:
            return None
        return bearer.caller

    async def refuse_body(self, caller: Caller, refused: SignatureRefused) -> None:
        """Record that a body was not the one that its signature covers."""
        async with self._database.transaction() as connection:
            await self._log.append(
                connection, event=Event.REQUEST_REFUSED, caller=caller, details={"code": refused.code}
            )

    async def _is_signed(self, bearer: Bearer, message: HttpRequest) -> bool:
        try:
            is_signed = any(signature.tag == TAG for signature in parse_signatures(message))
        except SigningError as trouble:
            raise SignatureRefused(trouble.detail) from trouble
        if is_signed:
            await self._verify(bearer, message)
        elif bearer.request_signatures is SignatureRule.REQUIRED:
            msg = (
                "this organisation's requests must be signed: RFC 9421 with sm2-sm3,"
                f' tag="{TAG}", a nonce, and a key of the calling system'
            )
            raise SignatureRefused(msg)
        return is_signed

    async def _verify(self, bearer: Bearer, message: HttpRequest) -> None:
        now = self._now()
        async with self._database.acquire() as connection:
            usable = await store_credentials.load_usable(
                connection, system_id=bearer.caller.system_id, kind=CredentialKind.KEY, at=now
            )
        keys: dict[str, HttpVerifier] = {
            str(each.id): Sm2HttpVerifier(public_key=each.key) for each in usable if each.key is not None
        }
        try:
            verified = verify_message(
                message,
                policy=_policy_of(message),
                find_key=keys.get,
                now=now,
                nonce_is_fresh=lambda _key, nonce: len(nonce) <= MAX_NONCE_CHARACTERS and "\x00" not in nonce,
            )
        except SigningError as trouble:
            raise SignatureRefused(trouble.detail) from trouble
        await self._use_nonce(verified, now)

    async def _use_nonce(self, verified: VerifiedSignature, now: datetime) -> None:
        async with self._database.transaction() as connection:
            fresh = await store_credentials.use_once(
                connection,
                owner=CredentialId(UUID(verified.key_id)),
                value=f"nonce:{verified.nonce}",
                expires_at=verified.created_at + timedelta(seconds=MAX_AGE_S + CLOCK_SKEW_S),
                now=now,
            )
        if not fresh:
            msg = "the signature's nonce was used before; sign the request anew with another"
            raise SignatureRefused(msg)

    async def _record(self, bearer: Bearer, refused: ShuzhengError) -> None:
        async with self._database.transaction() as connection:
            await self._log.append(
                connection, event=Event.REQUEST_REFUSED, caller=bearer.caller, details={"code": refused.code}
            )


def _policy_of(message: HttpRequest) -> SignaturePolicy:
    """Demand that everything which decides what the call does is covered, as far as it was sent."""
    sent = {name.lower() for name, _ in message.fields}
    return SignaturePolicy(
        required=(*ALWAYS_COVERED, *(name for name in COVERED_WHERE_SENT if name in sent)),
        max_age_s=MAX_AGE_S,
        clock_skew_s=CLOCK_SKEW_S,
        tag=TAG,
        require_nonce=True,
    )
