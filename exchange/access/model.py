"""The domain words of access: applications, decisions, grants, row filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
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
    """What a row filter can ask of an item.

    `division`: lies in that division (行政区划) or below it. `in_own`: is among the values of an item of a
    resource that the grant's holder publishes itself, so that it sees its own subjects only.
    """

    EQUALS = "equals"
    IN = "in"
    PREFIX = "prefix"
    DIVISION = "division"
    IN_OWN = "in_own"


class RequestType(StrEnum):
    """What is asked of a provider; each has its deadlines."""

    ACCESS = "access"
    RENEWAL = "renewal"
    OBJECTION = "objection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a row filter on `item`.

    `values` holds one value for equals and prefix, many for in, the beginning of a code for division, and
    (resource code, item name) for in_own.
    """

    label: str
    item: str
    operator: FilterOperator
    values: tuple[object, ...]


RowFilter = tuple[Condition, ...]
RowFilterJson = Mapping[str, Mapping[str, object]]
MasksJson = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the automatic check noticed about an application, without standing in its way."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much may be used in a day of Beijing time; None: no limit."""

    calls_per_day: int | None = None
    rows_per_day: int | None = None

    @property
    def is_limited(self) -> bool:
        """Tell whether anything has to be counted."""
        return self.calls_per_day is not None or self.rows_per_day is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an application asks for and a grant gives. `row_filter` is as written: label → condition.

    `search_items` None: every item may be searched by. `masks` maps an item to service item → mask, where
    `*` stands for all other service items.
    """

    items: tuple[str, ...]
    modes: frozenset[Mode]
    service_items: tuple[str, ...]
    purpose: str
    legal_basis: str
    valid_until: datetime
    row_filter: RowFilterJson
    search_items: tuple[str, ...] | None = None
    quotas: Quotas = field(default_factory=Quotas)
    masks: MasksJson = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An access request (共享申请). `due_at` is when the provider must have answered.

    `renews_grant_id` is set where an existing grant is to last longer, `scenario_id` where the request is
    part of a scenario (一件事). An overdue one is escalated to the organisation `escalated_to`, which may
    decide it too; without one the platform's administrators are told.
    """

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
    renews_grant_id: UUID | None = None
    scenario_id: UUID | None = None
    extended_at: datetime | None = None
    escalated_at: datetime | None = None
    escalated_to: OrganisationCode | None = None

    @property
    def request_type(self) -> RequestType:
        """What kind of request this is."""
        return RequestType.ACCESS if self.renews_grant_id is None else RequestType.RENEWAL


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
    scenario_id: UUID | None = None

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

    def searchable_items(self, resource: Resource) -> tuple[str, ...]:
        """Name the items that may be searched by, in column order."""
        searchable = self.terms.items if self.terms.search_items is None else self.terms.search_items
        return tuple(name for name in self.open_items(resource) if name in searchable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One request for a bundle of resources behind one service (一件事): one application per resource."""

    id: UUID
    title: str
    organisation_code: OrganisationCode
    created_at: datetime
    applications: tuple[Application, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemUse:
    """How often an item of a grant was given out or verified, and when last; from the log."""

    item: str
    calls: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUse:
    """How a grant was used since `since`. Items never used are what a shrink could give back."""

    grant: Grant
    since: datetime
    calls: int
    rows: int
    items: tuple[ItemUse, ...]

    @property
    def unused_items(self) -> tuple[str, ...]:
        """Name the granted items that nobody asked for."""
        return tuple(use.item for use in self.items if use.calls == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A rule for when an answer is due; see `exchange.deadline`."""

    jurisdiction: str
    request_type: RequestType
    share_type: ShareType
    working_days: int
    extension_days: int
    legal_reference: str
    valid_from: date
    valid_until: date | None
