"""The domain words of access: applications, decisions, grants, row filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode
from exchange.catalogue.model import Resource, ShareType

ANY_SERVICE_ITEM = "*"


class Mode(StrEnum):
    """How data may be used under a grant."""

    QUERY = "query"
    VERIFY = "verify"
    SUBSCRIBE = "subscribe"
    BULK = "bulk"


class ApplicationState(StrEnum):
    """Where an application stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


class Decision(StrEnum):
    """What a provider says to an application."""

    APPROVE = "approve"
    REFUSE = "refuse"


class FilterOperator(StrEnum):
    """The three things a row filter can ask of an item."""

    EQUALS = "equals"
    IN = "in"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a row filter: `item` equals, is among, or begins with `values` (one, many, one)."""

    label: str
    item: str
    operator: FilterOperator
    values: tuple[object, ...]


RowFilter = tuple[Condition, ...]
RowFilterJson = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the automatic check noticed about an application, without standing in its way."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an application asks for and a grant gives. `row_filter` is as written: label → condition."""

    items: tuple[str, ...]
    modes: frozenset[Mode]
    service_items: tuple[str, ...]
    purpose: str
    legal_basis: str
    valid_until: datetime
    row_filter: RowFilterJson


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An access request (共享申请). `due_at` is when the provider must have answered."""

    id: UUID
    resource_code: str
    organisation_code: OrganisationCode
    terms: Terms
    state: ApplicationState
    created_at: datetime
    due_at: datetime
    findings: tuple[Finding, ...] = ()
    decision_reason: str | None = None
    decided_at: datetime | None = None
    grant_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant (授权): the only ground on which data leaves the hub."""

    id: UUID
    application_id: UUID
    resource_code: str
    organisation_code: OrganisationCode
    terms: Terms
    valid_from: datetime
    revoked_at: datetime | None = None
    revocation_reason: str | None = None

    def is_in_force(self, at: datetime) -> bool:
        """Tell whether data may be given under this grant at `at`."""
        return self.revoked_at is None and self.valid_from <= at < self.terms.valid_until

    def serves(self, service_item: str) -> bool:
        """Tell whether the grant was given for that service item."""
        return ANY_SERVICE_ITEM in self.terms.service_items or service_item in self.terms.service_items

    def open_items(self, resource: Resource) -> tuple[str, ...]:
        """Name the granted items in column order, without those that were closed or dropped since."""
        granted = set(self.terms.items)
        return tuple(
            item.name
            for item in resource.items
            if item.name in granted and item.share_type is not ShareType.NOT_SHARED
        )
