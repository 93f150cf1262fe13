"""The shapes in which access travels: bodies and answers of its routes, and their rendering."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from core.errors import FieldError, SchemaViolation
from exchange.access.model import Application, Decision, Grant, Mode, Quotas, Terms

DEFAULT_VALID_DAYS = 365
MAX_VALID_DAYS = 5 * 366
MAX_LISTED = 500
MAX_BIGINT = 2**63 - 1

ShortText = Annotated[str, Field(max_length=1000)]
RowFilterIn = Annotated[
    dict[str, dict[str, Any]],
    Field(
        description="label → {item, and one of equals, in, prefix, division, in_own}; all conditions hold for"
        " every row given",
        examples=[{"home": {"item": "HJSZD", "division": "110100"}}],
    ),
]
MasksIn = Annotated[
    dict[str, dict[str, Any]],
    Field(
        description='item → service item (or "*") → none, name, id_number, phone, address, full, hash,'
        " or {keep_first, keep_last}",
        examples=[{"XM": {"*": "name"}}],
    ),
]
Quota = Annotated[int, Field(ge=1, le=10**12)]


class TermsIn(BaseModel):
    """What is asked for. Give `valid_days` or `valid_until`, or neither for a year."""

    model_config = ConfigDict(extra="forbid")

    items: list[ShortText] = Field(max_length=MAX_LISTED, examples=[["XM", "HJSZD"]])
    modes: list[Mode] = Field(max_length=4, examples=[["query", "verify"]])
    service_items: list[ShortText] = Field(max_length=MAX_LISTED, examples=[["食品经营许可"]])
    purpose: ShortText
    legal_basis: ShortText
    valid_days: int | None = Field(default=None, ge=1, le=MAX_VALID_DAYS)
    valid_until: AwareDatetime | None = None
    row_filter: RowFilterIn = Field(default_factory=dict)
    search_items: list[ShortText] | None = Field(
        default=None, max_length=MAX_LISTED, description="left out: all items may be searched by"
    )
    calls_per_day: Quota | None = None
    rows_per_day: Quota | None = None


class DecisionIn(BaseModel):
    """A provider's decision; `items`, `modes`, `row_filter` and `masks` make a yes partial.

    `reason` is mandatory for a no.
    """

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    items: list[ShortText] | None = Field(default=None, max_length=MAX_LISTED)
    modes: list[Mode] | None = Field(default=None, max_length=4)
    row_filter: RowFilterIn = Field(default_factory=dict)
    masks: MasksIn = Field(default_factory=dict)
    reason: ShortText | None = None


class ReasonIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: ShortText


class FindingOut(BaseModel):
    """What the automatic check noticed."""

    code: str
    detail: str


class TermsOut(BaseModel):
    """What is asked for, or given. `search_items` null: all items; quotas null: none."""

    resource_code: str
    organisation_code: str
    items: list[str]
    modes: list[Mode]
    service_items: list[str]
    purpose: str
    legal_basis: str
    valid_until: datetime
    row_filter: dict[str, dict[str, Any]]
    search_items: list[str] | None
    calls_per_day: int | None
    rows_per_day: int | None
    masks: dict[str, dict[str, Any]]
    scenario_id: UUID | None


class ApplicationOut(TermsOut):
    """An application and where it stands. `due_at` is when the provider must have answered."""

    id: UUID
    state: str
    created_at: datetime
    due_at: datetime
    findings: list[FindingOut]
    decision_reason: str | None
    decided_at: datetime | None
    grant_id: UUID | None
    renews_grant_id: UUID | None
    extended_at: datetime | None
    escalated_at: datetime | None


class GrantOut(TermsOut):
    """A grant."""

    id: UUID
    application_id: UUID
    valid_from: datetime
    revoked_at: datetime | None
    revocation_reason: str | None


def read_terms(body: TermsIn, *, now: datetime) -> Terms:
    """Read terms. Raises SchemaViolation where their end is given twice."""
    return Terms(
        items=tuple(body.items),
        modes=frozenset(body.modes),
        service_items=tuple(dict.fromkeys(body.service_items)),
        purpose=body.purpose,
        legal_basis=body.legal_basis,
        valid_until=read_end(body.valid_days, body.valid_until, now=now),
        row_filter=body.row_filter,
        search_items=None if body.search_items is None else tuple(dict.fromkeys(body.search_items)),
        quotas=Quotas(calls_per_day=body.calls_per_day, rows_per_day=body.rows_per_day),
    )


def read_end(valid_days: int | None, valid_until: datetime | None, *, now: datetime) -> datetime:
    """Return the end of a validity given in days from now, as a time, or not at all (a year)."""
    if valid_days is not None and valid_until is not None:
        detail = "give valid_days or valid_until, not both"
        error = FieldError(pointer="/valid_until", code="TWICE", detail=detail)
        raise SchemaViolation(detail, errors=(error,))
    return valid_until or now + timedelta(days=valid_days or DEFAULT_VALID_DAYS)


def _render_terms(found: Application | Grant) -> dict[str, Any]:
    terms = found.terms
    return {
        "resource_code": found.resource_code,
        "organisation_code": found.organisation_code,
        "items": list(terms.items),
        "modes": sorted(terms.modes),
        "service_items": list(terms.service_items),
        "purpose": terms.purpose,
        "legal_basis": terms.legal_basis,
        "valid_until": terms.valid_until,
        "row_filter": dict(terms.row_filter),
        "search_items": None if terms.search_items is None else list(terms.search_items),
        "calls_per_day": terms.quotas.calls_per_day,
        "rows_per_day": terms.quotas.rows_per_day,
        "masks": {item: dict(masks) for item, masks in terms.masks.items()},
        "scenario_id": found.scenario_id,
    }


def render_application(found: Application) -> ApplicationOut:
    """Render an application."""
    return ApplicationOut(
        **_render_terms(found),
        id=found.id,
        state=found.state,
        created_at=found.created_at,
        due_at=found.due_at,
        findings=[FindingOut(code=each.code, detail=each.detail) for each in found.findings],
        decision_reason=found.decision_reason,
        decided_at=found.decided_at,
        grant_id=found.grant_id,
        renews_grant_id=found.renews_grant_id,
        extended_at=found.extended_at,
        escalated_at=found.escalated_at,
    )


def render_grant(found: Grant) -> GrantOut:
    """Render a grant."""
    return GrantOut(
        **_render_terms(found),
        id=found.id,
        application_id=found.application_id,
        valid_from=found.valid_from,
        revoked_at=found.revoked_at,
        revocation_reason=found.revocation_reason,
    )
