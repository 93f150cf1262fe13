"""The domain words of identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.caller import OrganisationCode, Scope, SystemId


class Status(StrEnum):
    """Whether an organisation or system may act."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A department (部门), named by its unified social credit code."""

    code: OrganisationCode
    name: str
    division_code: str
    parent_code: OrganisationCode | None = None
    status: Status = Status.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A client application (应用系统) of an organisation."""

    id: SystemId
    organisation_code: OrganisationCode
    name: str
    scopes: frozenset[Scope]
    status: Status = Status.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token as handed to its owner; only a keyed hash of it is kept."""

    token: str
    scopes: frozenset[Scope]
    expires_at: datetime
    ttl_s: int

    def __repr__(self) -> str:
        return f"IssuedToken(expires_at={self.expires_at.isoformat()})"
