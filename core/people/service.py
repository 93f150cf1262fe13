"""The rules of registering people, giving them roles, and suspending them."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

from core.caller import Caller, OrganisationCode
from core.database import Connection, Database
from core.errors import Conflict, FieldError, SchemaViolation
from core.identity.hashing import SecretHasher
from core.identity.model import Status
from core.identity.separation import check_separation
from core.log.model import Event
from core.log.writer import LogWriter
from core.people import store
from core.people.model import LOGIN_PATTERN, Account, Person, PersonId, Role, scopes_of
from core.people.passwords import draw_password
from core.text import check_text
from signing.sm2 import PublicKey

MAX_NAME_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """A person with the initial password, which is shown this once."""

    person: Person
    password: str = field(repr=False)


class PeopleService:
    """Registers people; everything here is for administrators."""

    def __init__(
        self, *, database: Database, log: LogWriter, hasher: SecretHasher, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._hasher = hasher
        self._now = now

    async def register(
        self,
        *,
        organisation_code: OrganisationCode,
        login: str,
        name: str,
        roles: AbstractSet[Role],
        actor: Caller | None,
    ) -> NewPassword:
        """Register a person and draw an initial password. Raises SchemaViolation, Conflict, NotFound."""
        errors = [*check_text("/name", name, max_characters=MAX_NAME_CHARACTERS), *_check_roles(roles)]
        if not re.fullmatch(LOGIN_PATTERN, login):
            detail = "3 to 64 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
            errors.append(FieldError(pointer="/login", code="LOGIN", detail=detail))
        _raise_for(errors)
        person = Person(
            id=PersonId(uuid4()),
            organisation_code=organisation_code,
            login=login,
            name=name,
            roles=frozenset(roles),
        )
        password = draw_password()
        password_hash = await self._hasher.hash(password)
        async with self._database.transaction() as connection:
            await store.save_person(connection, person=person, password_hash=password_hash)
            details: dict[str, object] = {"organisation": organisation_code, "roles": sorted(roles)}
            await self._record(connection, Event.PERSON_REGISTERED, person, actor, details)
        return NewPassword(person=person, password=password)

    async def list_of(self, organisation_code: str | None) -> list[Account]:
        """List the people of one organisation or of all."""
        async with self._database.acquire() as connection:
            return await store.load_accounts(connection, organisation_code=organisation_code)

    def is_locked(self, account: Account) -> bool:
        """Tell whether wrong tries keep a person from signing in now."""
        until = account.proofs.locked_until
        return until is not None and until > self._now()

    async def set_roles(self, person_id: PersonId, roles: AbstractSet[Role], *, actor: Caller) -> Account:
        """Replace a person's roles, at once in every session. Raises SchemaViolation, NotFound, Conflict."""
        _raise_for(_check_roles(roles))
        _refuse_self(person_id, actor)
        async with self._database.transaction() as connection:
            await store.set_roles(connection, person_id=person_id, roles=roles)
            return await self._changed(connection, person_id, actor, {"roles": sorted(roles)})

    async def set_status(self, person_id: PersonId, status: Status, *, actor: Caller) -> Account:
        """Suspend a person or make it active again; its sessions stop at once. Raises NotFound, Conflict."""
        _refuse_self(person_id, actor)
        async with self._database.transaction() as connection:
            await store.set_status(connection, person_id=person_id, status=status)
            if status is Status.SUSPENDED:
                await store.end_sessions(connection, person_id=person_id, at=self._now())
            return await self._changed(connection, person_id, actor, {"status": str(status)})

    async def reset_password(self, person_id: PersonId, *, actor: Caller) -> NewPassword:
        """Draw a new initial password; ends sessions, lifts a lock. Raises NotFound, Conflict."""
        _refuse_self(person_id, actor)
        password = draw_password()
        password_hash = await self._hasher.hash(password)
        async with self._database.transaction() as connection:
            await store.set_password(
                connection, person_id=person_id, password_hash=password_hash, is_initial=True
            )
            person = await self._proofs_changed(connection, person_id, actor, "password_reset")
        return NewPassword(person=person, password=password)

    async def set_key(self, person_id: PersonId, key: PublicKey, *, actor: Caller) -> None:
        """Register a person's SM2 key, asked for at every sign-in from then on. Raises NotFound, Conflict."""
        _refuse_self(person_id, actor)
        async with self._database.transaction() as connection:
            await store.set_key(connection, person_id=person_id, key=key)
            await self._proofs_changed(connection, person_id, actor, "key")

    async def clear_factors(self, person_id: PersonId, *, actor: Caller) -> None:
        """Forget a person's second factors (a lost device); ends its sessions. Raises NotFound, Conflict."""
        _refuse_self(person_id, actor)
        async with self._database.transaction() as connection:
            await store.set_key(connection, person_id=person_id, key=None)
            await store.set_totp(connection, person_id=person_id, sealed=None, is_confirmed=False, step=0)
            await self._proofs_changed(connection, person_id, actor, "factors_removed")

    async def _changed(
        self, connection: Connection, person_id: PersonId, actor: Caller, details: dict[str, object]
    ) -> Account:
        account = await store.load_account(connection, person_id=person_id)
        await self._record(connection, Event.PERSON_CHANGED, account.person, actor, details)
        return account

    async def _proofs_changed(
        self, connection: Connection, person_id: PersonId, actor: Caller, what: str
    ) -> Person:
        await store.end_sessions(connection, person_id=person_id, at=self._now())
        person = (await store.load_account(connection, person_id=person_id)).person
        await self._record(connection, Event.PERSON_PROOFS_CHANGED, person, actor, {"what": what})
        return person

    async def _record(
        self,
        connection: Connection,
        event: Event,
        person: Person,
        actor: Caller | None,
        details: dict[str, object],
    ) -> None:
        named = {"login": person.login} | details
        await self._log.append(connection, event=event, caller=actor, details=named)


def _check_roles(roles: AbstractSet[Role]) -> list[FieldError]:
    if not roles:
        return [FieldError(pointer="/roles", code="EMPTY", detail="name at least one role")]
    return check_separation(scopes_of(roles), pointer="/roles")


def _raise_for(errors: list[FieldError]) -> None:
    if errors:
        msg = "the person's fields are not all right"
        raise SchemaViolation(msg, errors=tuple(errors))


def _refuse_self(person_id: PersonId, actor: Caller) -> None:
    if person_id == actor.system_id:
        msg = "nobody changes what they themselves may do; let another administrator do it"
        raise Conflict(msg)
