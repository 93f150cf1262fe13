"""The rules of identity: registering organisations and systems, and whether they may act."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.codes import credit
from core.database import Database
from core.errors import Conflict, FieldError, SchemaViolation
from core.identity import store, store_credentials
from core.identity.hashing import SECRET_BYTES, SecretHasher
from core.identity.model import (
    Credential,
    CredentialId,
    CredentialKind,
    Organisation,
    SignatureRule,
    Status,
    System,
)
from core.identity.separation import check_separation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text

MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSystem:
    """A system just registered, with the secret that is shown this once."""

    system: System
    secret: str

    def __repr__(self) -> str:
        return f"NewSystem(system={self.system!r})"


class IdentityService:
    """Registers organisations and systems, suspends them, and makes secrets for systems."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        hasher: SecretHasher,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._hasher = hasher
        self._now = now

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
        secret = secrets.token_urlsafe(SECRET_BYTES)
        credential = Credential(
            id=CredentialId(uuid4()),
            system_id=system_id,
            kind=CredentialKind.SECRET,
            created_at=self._now(),
            not_after=None,
            revoked_at=None,
            secret_hash=await self._hasher.hash(secret),
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
