"""Routes of access: applications, decisions, grants."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from exchange.access.model import Application, Decision, Grant, Mode, Terms
from exchange.access.service import AccessService

DEFAULT_VALID_DAYS = 365
MAX_VALID_DAYS = 5 * 366
MAX_LISTED = 500

ShortText = Annotated[str, Field(max_length=1000)]
Role = Annotated[
    Literal["applicant", "provider"], Query(alias="as", description="whose view: applicant or provider")
]


class ApplicationIn(BaseModel):
    """An application for items of a resource. Give `valid_days` or `valid_until`, or neither for a year."""

    model_config = ConfigDict(extra="forbid")

    items: list[ShortText] = Field(max_length=MAX_LISTED, examples=[["XM", "HJSZD"]])
    modes: list[Mode] = Field(max_length=4, examples=[["query", "verify"]])
    service_items: list[ShortText] = Field(max_length=MAX_LISTED, examples=[["食品经营许可"]])
    purpose: ShortText
    legal_basis: ShortText
    valid_days: int | None = Field(default=None, ge=1, le=MAX_VALID_DAYS)
    valid_until: AwareDatetime | None = None
    row_filter: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="label → {item, and one of equals, in, prefix}; all conditions hold for every row given",
        examples=[{"division_prefix": {"item": "HJSZD", "prefix": "1101"}}],
    )


class DecisionIn(BaseModel):
    """A provider's decision; `items` makes a yes partial, `reason` is mandatory for a no."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    items: list[ShortText] | None = Field(default=None, max_length=MAX_LISTED)
    reason: ShortText | None = None


class RevocationIn(BaseModel):
    """Why a grant ends."""

    model_config = ConfigDict(extra="forbid")

    reason: ShortText


class FindingOut(BaseModel):
    """What the automatic check noticed."""

    code: str
    detail: str


class TermsOut(BaseModel):
    """What is asked for, or given."""

    resource_code: str
    organisation_code: str
    items: list[str]
    modes: list[Mode]
    service_items: list[str]
    purpose: str
    legal_basis: str
    valid_until: datetime
    row_filter: dict[str, dict[str, Any]]


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


class GrantOut(TermsOut):
    """A grant."""

    id: UUID
    application_id: UUID
    valid_from: datetime
    revoked_at: datetime | None
    revocation_reason: str | None


def build_router(*, access: AccessService, authentication: Authentication) -> APIRouter:
    """Build the routes over `access`."""
    router = APIRouter(prefix="/v1", tags=["access"])
    applicant = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_APPLY))]
    decider = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_DECIDE))]
    either = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_APPLY, Scope.ACCESS_DECIDE))]

    @router.post("/resources/{code}/applications", status_code=201)
    async def apply(code: str, body: ApplicationIn, caller: applicant) -> ApplicationOut:
        """Apply for items of a resource; answered at once where all are shared unconditionally."""
        application = await access.apply(
            caller=caller, resource_code=code, terms=_read_terms(body, now=access.tell_time())
        )
        return render_application(application)

    @router.get("/applications")
    async def list_applications(caller: either, role: Role = "applicant") -> list[ApplicationOut]:
        """List the applications that this organisation made, or that came to it, newest first."""
        found = await access.list_applications(caller=caller, as_provider=role == "provider")
        return [render_application(each) for each in found]

    @router.post("/applications/{application_id}/decision")
    async def decide(application_id: UUID, body: DecisionIn, caller: decider) -> ApplicationOut:
        """Approve an application, wholly or in part, or refuse it with a reason."""
        application = await access.decide(
            caller=caller,
            application_id=application_id,
            decision=body.decision,
            items=body.items,
            reason=body.reason,
        )
        return render_application(application)

    @router.get("/grants")
    async def list_grants(caller: either, role: Role = "applicant") -> list[GrantOut]:
        """List the grants that this organisation holds, or that were given on its resources."""
        found = await access.list_grants(caller=caller, as_provider=role == "provider")
        return [render_grant(each) for each in found]

    @router.post("/grants/{grant_id}/revocation")
    async def revoke(grant_id: UUID, body: RevocationIn, caller: decider) -> GrantOut:
        """Revoke a grant; from now on every call under it is refused."""
        return render_grant(await access.revoke(caller=caller, grant_id=grant_id, reason=body.reason))

    return router


def _read_terms(body: ApplicationIn, *, now: datetime) -> Terms:
    if body.valid_days is not None and body.valid_until is not None:
        detail = "give valid_days or valid_until, not both"
        error = FieldError(pointer="/valid_until", code="TWICE", detail=detail)
        raise SchemaViolation(detail, errors=(error,))
    valid_until = body.valid_until or now + timedelta(days=body.valid_days or DEFAULT_VALID_DAYS)
    return Terms(
        items=tuple(body.items),
        modes=frozenset(body.modes),
        service_items=tuple(dict.fromkeys(body.service_items)),
        purpose=body.purpose,
        legal_basis=body.legal_basis,
        valid_until=valid_until,
        row_filter=body.row_filter,
    )


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
