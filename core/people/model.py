"""The domain words of people."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.identity.model import Status
from signing.sm2 import PublicKey

PersonId = NewType("PersonId", UUID)
LOGIN_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{2,63}$"


class Role(StrEnum):
    """What a member of staff is trusted with."""

    ADMINISTRATOR = "administrator"
    DATA_OFFICER = "data_officer"
    APPROVER = "approver"
    CERTIFICATE_OFFICER = "certificate_officer"
    AUDITOR = "auditor"


SCOPES_OF: Final = {
    Role.ADMINISTRATOR: frozenset({Scope.ADMIN}),
    Role.DATA_OFFICER: frozenset({Scope.CATALOGUE_WRITE, Scope.PUBLISH, Scope.ACCESS_APPLY}),
    Role.APPROVER: frozenset({Scope.ACCESS_DECIDE}),
    Role.CERTIFICATE_OFFICER: frozenset({Scope.CERTIFICATE_ISSUE}),
    Role.AUDITOR: frozenset({Scope.AUDIT}),
}


def scopes_of(roles: AbstractSet[Role]) -> frozenset[Scope]:
    """Return the scopes that roles bring. None reads personal data: that is for systems, under grants."""
    return frozenset[Scope]().union(*(SCOPES_OF[role] for role in roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of an organisation's staff."""

    id: PersonId
    organisation_code: OrganisationCode
    login: str
    name: str
    roles: frozenset[Role]
    status: Status = Status.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What a person is recognised by, and what has been tried.

    `totp_sealed` is the enrolled secret, sealed under the hub's key; `totp_step` the last step whose code was
    used; `failures` counts tries since the last success, the present one included.
    """

    password_hash: str = field(repr=False)
    password_is_initial: bool
    failures: int = 0
    locked_until: datetime | None = None
    totp_sealed: bytes | None = field(default=None, repr=False)
    totp_is_confirmed: bool = False
    totp_step: int = 0
    key: PublicKey | None = None

    @property
    def has_totp(self) -> bool:
        """Tell whether a code is asked for at sign-in."""
        return self.totp_sealed is not None and self.totp_is_confirmed

    @property
    def factors(self) -> list[str]:
        """Name the second factors that are in force."""
        return [*(["totp"] if self.has_totp else []), *(["key"] if self.key is not None else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person with its proofs, and the name of its organisation."""

    person: Person
    proofs: Proofs
    organisation_name: str

    def as_caller(self) -> Caller:
        """Name the person as the one who acts."""
        return Caller(
            system_id=SystemId(self.person.id),
            system_name=self.person.name,
            organisation_code=self.person.organisation_code,
            organisation_name=self.organisation_name,
            scopes=scopes_of(self.person.roles),
            person=self.person.login,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as handed to whoever signed in; only a keyed hash of its token is kept."""

    token: str = field(repr=False)
    person: Person
    expires_at: datetime
    ttl_s: int
