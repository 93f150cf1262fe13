"""The domain words of identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NewType
from uuid import UUID

from core.caller import Caller, OrganisationCode, Scope, SystemId
from signing.sm2 import PublicKey

CredentialId = NewType("CredentialId", UUID)
Network = IPv4Network | IPv6Network


class Status(StrEnum):
    """Whether an organisation or system may act."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class SignatureRule(StrEnum):
    """What becomes of signatures on an organisation's requests (RFC 9421).

    `off`: not looked at. `accepted`: verified where there is one. `required`: no call without one.
    """

    OFF = "off"
    ACCEPTED = "accepted"
    REQUIRED = "required"


class CredentialKind(StrEnum):
    """What a system proves itself with."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A department (部门), named by its unified social credit code."""

    code: OrganisationCode
    name: str
    division_code: str
    parent_code: OrganisationCode | None = None
    status: Status = Status.ACTIVE
    request_signatures: SignatureRule = SignatureRule.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A client application (应用系统) of an organisation."""

    id: SystemId
    organisation_code: OrganisationCode
    name: str
    scopes: frozenset[Scope]
    status: Status = Status.ACTIVE
    networks: tuple[Network, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A secret (kept as an Argon2id hash) or an SM2 key of a system, as long as it is good.

    `not_after` is None for one without an end; `revoked_at` is None for one that was not revoked.
    """

    id: CredentialId
    system_id: SystemId
    kind: CredentialKind
    created_at: datetime
    not_after: datetime | None
    revoked_at: datetime | None
    secret_hash: str | None = field(default=None, repr=False)
    key: PublicKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Whom a token stands for, and what is asked of the calls that carry it.

    `mark` changes with every change of the rows behind it; None for a session.
    """

    caller: Caller
    expires_at: datetime
    request_signatures: SignatureRule
    networks: tuple[Network, ...] | None
    mark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token as handed to its owner; only a keyed hash of it is kept."""

    token: str
    scopes: frozenset[Scope]
    expires_at: datetime
    ttl_s: int

    def __repr__(self) -> str:
        return f"IssuedToken(expires_at={self.expires_at.isoformat()})"
