"""The rules of identity: registering, and turning credentials into tokens and tokens into callers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.codes import credit
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, SchemaViolation, TokenExpired, Unauthenticated
from core.identity import store, store_credentials
from core.identity.assertion import CLOCK_SKEW, parse_assertion
from core.identity.model import (
    Bearer,
    Credential,
    CredentialId,
    CredentialKind,
    IssuedToken,
    Organisation,
    SignatureRule,
    Status,
    System,
)
from core.identity.networks import Address, require_network
from core.identity.separation import check_separation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from signing import sm3

MAX_NAME_CHARACTERS = 100
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSystem:
    """A system just registered, with the secret that is shown this once."""

    system: System
    secret: str

    def __repr__(self) -> str:
        return f"NewSystem(system={self.system!r})"


class IdentityService:
    """Registers organisations and systems, and authenticates calls."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        token_key: bytes,
        token_ttl_s: int,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._token_key = token_key
        self._token_ttl_s = token_ttl_s
        self._public_url = public_url
        self._now = now
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._decoy_hash = self._hasher.hash(secrets.token_urlsafe(TOKEN_BYTES))

    async def register_organisation(self, organisation: Organisation, *, actor: Caller | None) -> None:
        """Register an organisation. Raises SchemaViolation for a bad code or name, Conflict where taken."""
        errors = [
            *check_text("/name", organisation.name, max_characters=MAX_NAME_CHARACTERS),
            *_check_organisation_codes(organisation),
        ]
        if errors:
            msg = "the organisation's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            await store.save_organisation(connection, organisation=organisation)
            await self._log.append(
                connection,
                event=Event.ORGANISATION_REGISTERED,
                caller=actor,
                details={"organisation": organisation.code, "name": organisation.name},
            )

    async def list_organisations(self) -> list[Organisation]:
        """List all organisations, by code."""
        async with self._database.acquire() as connection:
            return await store.load_organisations(connection)

    async def register_system(
        self,
        *,
        organisation_code: OrganisationCode,
        name: str,
        scopes: frozenset[Scope],
        actor: Caller | None,
    ) -> NewSystem:
        """Register a system and make its secret, which is shown this once and kept as an Argon2id hash."""
        errors = check_text("/name", name, max_characters=MAX_NAME_CHARACTERS)
        if not scopes:
            errors.append(FieldError(pointer="/scopes", code="EMPTY", detail="name at least one scope"))
        errors += check_separation(scopes)
        if errors:
            msg = "the system's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        system = System(id=SystemId(uuid4()), organisation_code=organisation_code, name=name, scopes=scopes)
        secret, credential = await self.make_secret(system.id)
        async with self._database.transaction() as connection:
            await store.save_system(connection, system=system)
            await store_credentials.save_credential(connection, credential=credential)
            await self._log.append(
                connection,
                event=Event.SYSTEM_REGISTERED,
                caller=actor,
                details={
                    "system": str(system.id),
                    "organisation": organisation_code,
                    "scopes": sorted(scopes),
                },
            )
        return NewSystem(system=system, secret=secret)

    async def make_secret(self, system_id: SystemId) -> tuple[str, Credential]:
        """Draw a secret, and the credential that keeps its Argon2id hash; nothing is stored yet."""
        secret = secrets.token_urlsafe(TOKEN_BYTES)
        credential = Credential(
            id=CredentialId(uuid4()),
            system_id=system_id,
            kind=CredentialKind.SECRET,
            created_at=self._now(),
            not_after=None,
            revoked_at=None,
            secret_hash=await asyncio.to_thread(self._hasher.hash, secret),
        )
        return secret, credential

    async def set_system_status(self, system_id: SystemId, status: Status, *, actor: Caller) -> System:
        """Suspend a system or make it active again; its tokens stop or work at once.

        Raises NotFound, or Conflict where a system would suspend itself.
        """
        if system_id == actor.system_id and status is Status.SUSPENDED:
            msg = "a system cannot suspend itself; let another administrator do it"
            raise Conflict(msg)
        async with self._database.transaction() as connection:
            system = await store.set_system_status(connection, system_id=system_id, status=status)
            await self._log.append(
                connection,
                event=Event.SYSTEM_STATUS_CHANGED,
                caller=actor,
                details={"system": str(system_id), "status": str(status)},
            )
        return system

    async def set_organisation_status(self, code: str, status: Status, *, actor: Caller) -> Organisation:
        """Suspend an organisation or make it active again; all its tokens stop or work at once.

        Raises NotFound, or Conflict where a caller would suspend its own organisation.
        """
        if code == actor.organisation_code and status is Status.SUSPENDED:
            msg = "a caller cannot suspend its own organisation; let another administrator do it"
            raise Conflict(msg)
        async with self._database.transaction() as connection:
            organisation = await store.set_organisation_status(connection, code=code, status=status)
            await self._log.append(
                connection,
                event=Event.ORGANISATION_STATUS_CHANGED,
                caller=actor,
                details={"organisation": code, "status": str(status)},
            )
        return organisation

    async def set_request_signatures(self, code: str, rule: SignatureRule, *, actor: Caller) -> Organisation:
        """Say whether an organisation's requests are signed (RFC 9421). Raises NotFound."""
        async with self._database.transaction() as connection:
            organisation = await store.set_request_signatures(connection, code=code, rule=rule)
            await self._log.append(
                connection,
                event=Event.ORGANISATION_SIGNATURES_CHANGED,
                caller=actor,
                details={"organisation": code, "rule": str(rule)},
            )
        return organisation

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
        token = secrets.token_urlsafe(TOKEN_BYTES)
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
        """Find whose secret it is; where there is none to compare with, take the time all the same."""
        hashes = [each.secret_hash or self._decoy_hash for each in usable] or [self._decoy_hash]
        right = [await asyncio.to_thread(self._is_secret, each, secret) for each in hashes]
        return next((each for each, good in zip(usable, right, strict=False) if good), None)

    async def _require_network(self, system: System, address: Address | None) -> None:
        try:
            require_network(system.networks, address)
        except Forbidden as refused:
            await self._record(Event.REQUEST_REFUSED, system, {"code": refused.code})
            raise

    async def authenticate(self, token: str) -> Bearer:
        """Return whom a bearer token stands for. Raises TokenExpired, or Unauthenticated."""
        async with self._database.acquire() as connection:
            bearer = await store.load_token(connection, token_hash=self._hash_token(token))
        if bearer is None:
            msg = "the bearer token is unknown or was revoked"
            raise Unauthenticated(msg)
        if bearer.expires_at <= self._now():
            msg = "the bearer token has expired; ask /v1/oauth/token for a new one"
            raise TokenExpired(msg)
        return bearer

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
        return sm3.hmac(self._token_key, token.encode("utf-8", "surrogateescape"))

    def _is_secret(self, secret_hash: str, secret: str) -> bool:
        try:
            return self._hasher.verify(secret_hash, secret)
        except VerificationError:
            return False


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


def _check_organisation_codes(organisation: Organisation) -> list[FieldError]:
    errors = []
    if not credit.is_check_valid(organisation.code):
        detail = "not a unified social credit code with a right check character (GB 32100)"
        errors.append(FieldError(pointer="/code", code="CREDIT-CODE", detail=detail))
    division = organisation.division_code
    if not (division.isascii() and division.isdigit() and len(division) == 6):
        errors.append(
            FieldError(pointer="/division_code", code="DIVISION-CODE", detail="a division code has 6 digits")
        )
    return errors
