"""Turn credentials into bearer tokens, and tokens into callers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from core.caller import Caller, Scope, Standing, SystemId
from core.database import Connection, Database
from core.errors import FieldError, Forbidden, SchemaViolation, TokenExpired, Unauthenticated
from core.identity import store, store_credentials
from core.identity.assertion import CLOCK_SKEW, parse_assertion
from core.identity.hashing import SECRET_BYTES, SecretHasher
from core.identity.model import Bearer, Credential, CredentialKind, IssuedToken, System
from core.identity.networks import Address, require_network
from core.log.model import Event
from core.log.writer import LogWriter
from signing import sm3

MAX_SEEN: Final = 10_000


class TokenService:
    """Issues tokens to systems, tells whom a token stands for, and revokes tokens."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        hasher: SecretHasher,
        token_key: bytes,
        token_ttl_s: int,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._hasher = hasher
        self._token_hmac = sm3.keyed_hmac(token_key)
        self._token_ttl_s = token_ttl_s
        self._public_url = public_url
        self._now = now
        self._seen: dict[bytes, Bearer] = {}

    async def issue_token(
        self, *, client_id: str, client_secret: str, scope: str | None, address: Address | None = None
    ) -> IssuedToken:
        """Issue a bearer token for client credentials (RFC 6749 4.4).

        `scope` narrows the system's scopes (blank-separated); None gives them all. Raises
        Unauthenticated without telling whether id or secret was wrong, nor in how long; AddressRefused
        where the system may not call from `address`.
        """
        now = self._now()
        system, usable = None, list[Credential]()
        if (system_id := _parse_system_id(client_id)) is not None:
            async with self._database.acquire() as connection:
                system = await store.load_active_system(connection, system_id=system_id)
                usable = await store_credentials.load_usable(
                    connection, system_id=system_id, kind=CredentialKind.SECRET, at=now
                )
        right = await self._find_secret(usable if system is not None else [], client_secret)
        if system is not None and right is None:
            await self._record(Event.TOKEN_REFUSED, system, {"code": Unauthenticated.code})
        if system is None or right is None:
            msg = "client_id or client_secret is wrong, or the system is suspended"
            raise Unauthenticated(msg)
        await self._require_network(system, address)
        scopes = _narrow(system.scopes, scope)
        async with self._database.transaction() as connection:
            return await self._issue(connection, system, scopes, right)

    async def issue_token_for_assertion(
        self, *, assertion: str, client_id: str | None, scope: str | None, address: Address | None = None
    ) -> IssuedToken:
        """Issue a bearer token for an assertion signed with one of the system's SM2 keys (RFC 7523 2.2).

        Who signed it is found out first; only then is it said what else is wrong with it, and its jti
        used up, for every process. Raises Unauthenticated, AddressRefused, SchemaViolation.
        """
        read = parse_assertion(assertion)
        system_id, now = _parse_system_id(read.client_id), self._now()
        system, usable = None, list[Credential]()
        if system_id is not None:
            async with self._database.acquire() as connection:
                system = await store.load_active_system(connection, system_id=system_id)
                usable = await store_credentials.load_usable(
                    connection, system_id=system_id, kind=CredentialKind.KEY, at=now
                )
        named = [each for each in usable if read.key_id in {None, str(each.id)}]
        right = next((each for each in named if each.key and read.is_signed_by([each.key])), None)
        if system is not None and right is None:
            await self._record(Event.TOKEN_REFUSED, system, {"code": Unauthenticated.code})
        if system is None or right is None or client_id not in {None, read.client_id}:
            msg = "the client assertion is of no key of this client_id, or the system is suspended"
            raise Unauthenticated(msg)
        read.require_current(audience=self._public_url, now=now)
        await self._require_network(system, address)
        scopes = _narrow(system.scopes, scope)
        async with self._database.transaction() as connection:
            fresh = await store_credentials.use_once(
                connection,
                owner=system.id,
                value=f"jti:{read.jti}",
                expires_at=read.expires_at + 2 * CLOCK_SKEW,
                now=now,
            )
            issued = await self._issue(connection, system, scopes, right) if fresh else None
        if issued is None:
            await self._record(Event.TOKEN_REFUSED, system, {"code": "ASSERTION-REPLAYED"})
            msg = "the client assertion's jti was used before; make one for each token"
            raise Unauthenticated(msg)
        return issued

    async def _issue(
        self, connection: Connection, system: System, scopes: frozenset[Scope], credential: Credential
    ) -> IssuedToken:
        token = secrets.token_urlsafe(SECRET_BYTES)
        expires_at = self._now() + timedelta(seconds=self._token_ttl_s)
        await store.delete_expired_tokens(connection, before=self._now() - timedelta(days=1))
        await store.save_token(
            connection,
            token_hash=self._hash_token(token),
            system_id=system.id,
            scopes=scopes,
            expires_at=expires_at,
            credential_id=credential.id,
        )
        await self._log.append(
            connection,
            event=Event.TOKEN_ISSUED,
            caller=_as_caller(system),
            details={
                "scopes": sorted(scopes),
                "expires_at": expires_at.isoformat(),
                "credential": str(credential.id),
            },
        )
        return IssuedToken(token=token, scopes=scopes, expires_at=expires_at, ttl_s=self._token_ttl_s)

    async def _find_secret(self, usable: list[Credential], secret: str) -> Credential | None:
        place = await self._hasher.find([each.secret_hash or "" for each in usable], secret)
        return None if place is None else usable[place]

    async def _require_network(self, system: System, address: Address | None) -> None:
        try:
            require_network(system.networks, address)
        except Forbidden as refused:
            await self._record(Event.REQUEST_REFUSED, system, {"code": refused.code})
            raise

    async def authenticate(self, token: str) -> Bearer:
        """Return whom a bearer token stands for. Raises TokenExpired, or Unauthenticated."""
        token_hash = self._hash_token(token)
        async with self._database.acquire() as connection:
            bearer = await store.load_token(connection, token_hash=token_hash)
        if bearer is None:
            self._seen.pop(token_hash, None)
            msg = "the bearer token is unknown or was revoked"
            raise Unauthenticated(msg)
        if bearer.expires_at <= self._now():
            msg = "the bearer token has expired; ask /v1/oauth/token for a new one"
            raise TokenExpired(msg)
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen[token_hash] = bearer
        return bearer

    def presume(self, token: str) -> Bearer | None:
        """Return whom a token stood for when this process asked last; None where that has to be asked.

        The caller in it is not proved: its `standing` must be confirmed before anything is answered.
        """
        token_hash = self._hash_token(token)
        seen = self._seen.get(token_hash)
        if seen is None or seen.mark is None or seen.expires_at <= self._now():
            return None
        standing = Standing(token_hash=token_hash, mark=seen.mark)
        return replace(seen, caller=replace(seen.caller, standing=standing))

    async def revoke_token(self, token: str, *, actor: Caller) -> None:
        """Revoke a token of the caller's system at once, on every process.

        Nothing happens where it is unknown or another system's, and nobody is told (RFC 7009 2.1 and 2.2).
        """
        token_hash = self._hash_token(token)
        async with self._database.transaction() as connection:
            found = await store.load_token(connection, token_hash=token_hash)
            if found is not None and found.caller.system_id == actor.system_id:
                await store.revoke_token(connection, token_hash=token_hash, revoked_at=self._now())
                await self._log.append(connection, event=Event.TOKEN_REVOKED, caller=actor)

    async def _record(self, event: Event, system: System, details: dict[str, object]) -> None:
        async with self._database.transaction() as connection:
            await self._log.append(connection, event=event, caller=_as_caller(system), details=details)

    def _hash_token(self, token: str) -> bytes:
        return self._token_hmac(token.encode("utf-8", "surrogateescape"))


def _as_caller(system: System) -> Caller:
    """Name a system as the one who acts, before it has a token."""
    return Caller(
        system_id=system.id,
        system_name=system.name,
        organisation_code=system.organisation_code,
        organisation_name="",
        scopes=system.scopes,
    )


def _parse_system_id(text: str) -> SystemId | None:
    try:
        return SystemId(UUID(text))
    except ValueError:
        return None


def _narrow(held: frozenset[Scope], wanted: str | None) -> frozenset[Scope]:
    if wanted is None:
        return held
    names = wanted.split()
    if not names or not set(names) <= {str(scope) for scope in held}:
        msg = "the scope asked for is empty or goes beyond what the system holds"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/scope", code="SCOPE", detail=msg),))
    return frozenset(Scope(name) for name in names)
