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
from core.database import Database
from core.errors import FieldError, SchemaViolation, TokenExpired, Unauthenticated
from core.identity import store
from core.identity.model import IssuedToken, Organisation, Status, System
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
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._token_key = token_key
        self._token_ttl_s = token_ttl_s
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
        secret = secrets.token_urlsafe(TOKEN_BYTES)
        secret_hash = await asyncio.to_thread(self._hasher.hash, secret)
        system = System(id=SystemId(uuid4()), organisation_code=organisation_code, name=name, scopes=scopes)
        async with self._database.transaction() as connection:
            await store.save_system(connection, system=system, secret_hash=secret_hash)
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

    async def set_system_status(self, system_id: SystemId, status: Status, *, actor: Caller) -> System:
        """Suspend a system or make it active again; its tokens stop or work at once. Raises NotFound."""
        async with self._database.transaction() as connection:
            system = await store.set_system_status(connection, system_id=system_id, status=status)
            await self._log.append(
                connection,
                event=Event.SYSTEM_STATUS_CHANGED,
                caller=actor,
                details={"system": str(system_id), "status": str(status)},
            )
        return system

    async def issue_token(self, *, client_id: str, client_secret: str, scope: str | None) -> IssuedToken:
        """Issue a bearer token for client credentials (RFC 6749 4.4).

        `scope` narrows the system's scopes (blank-separated); None gives them all. Raises
        Unauthenticated without telling whether id or secret was wrong, nor in how long.
        """
        async with self._database.acquire() as connection:
            found = None
            if (system_id := _parse_system_id(client_id)) is not None:
                found = await store.load_active_system(connection, system_id=system_id)
        secret_hash = self._decoy_hash if found is None else found[1]
        right = await asyncio.to_thread(self._is_secret, secret_hash, client_secret)
        if found is not None and not right:
            await self._record_token(Event.TOKEN_REFUSED, found[0], {"code": Unauthenticated.code})
        if found is None or not right:
            msg = "client_id or client_secret is wrong, or the system is suspended"
            raise Unauthenticated(msg)
        system = found[0]
        scopes = _narrow(system.scopes, scope)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires_at = self._now() + timedelta(seconds=self._token_ttl_s)
        async with self._database.transaction() as connection:
            await store.delete_expired_tokens(connection, before=self._now() - timedelta(days=1))
            await store.save_token(
                connection,
                token_hash=self._hash_token(token),
                system_id=system.id,
                scopes=scopes,
                expires_at=expires_at,
            )
            await self._log.append(
                connection,
                event=Event.TOKEN_ISSUED,
                caller=_as_caller(system),
                details={"scopes": sorted(scopes), "expires_at": expires_at.isoformat()},
            )
        return IssuedToken(token=token, scopes=scopes, expires_at=expires_at, ttl_s=self._token_ttl_s)

    async def authenticate(self, token: str) -> Caller:
        """Return whom a bearer token stands for. Raises TokenExpired, or Unauthenticated."""
        async with self._database.acquire() as connection:
            found = await store.load_token(connection, token_hash=self._hash_token(token))
        if found is None:
            msg = "the bearer token is unknown or was revoked"
            raise Unauthenticated(msg)
        caller, expires_at = found
        if expires_at <= self._now():
            msg = "the bearer token has expired; ask /v1/oauth/token for a new one"
            raise TokenExpired(msg)
        return caller

    async def revoke_token(self, token: str) -> None:
        """Revoke a token at once, on every process (RFC 7009)."""
        async with self._database.transaction() as connection:
            found = await store.load_token(connection, token_hash=self._hash_token(token))
            await store.revoke_token(connection, token_hash=self._hash_token(token), revoked_at=self._now())
            if found is not None:
                await self._log.append(connection, event=Event.TOKEN_REVOKED, caller=found[0])

    async def _record_token(self, event: Event, system: System, details: dict[str, object]) -> None:
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
