"""Routes of access requests: apply, also for a scenario, decide, extend."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from exchange.access.decision import Verdict
from exchange.access.model import Scenario
from exchange.access.service import AccessService
from exchange.access.wire import (
    ApplicationOut,
    DecisionIn,
    ReasonIn,
    ShortText,
    TermsIn,
    read_terms,
    render_application,
)

Role = Annotated[
    Literal["applicant", "provider"], Query(alias="as", description="whose view: applicant or provider")
]


class ApplicationIn(TermsIn):
    """An application for items of a resource."""


class PartIn(TermsIn):
    """One resource of a scenario, and what is asked of it."""

    resource_code: ShortText


class ScenarioIn(BaseModel):
    """One request for several resources behind one service (一件事)."""

    model_config = ConfigDict(extra="forbid")

    title: ShortText
    parts: list[PartIn] = Field(min_length=1, max_length=50)


class ScenarioOut(BaseModel):
    """A scenario and where each of its parts stands."""

    id: UUID
    title: str
    created_at: datetime
    applications: list[ApplicationOut]


def build_router(*, access: AccessService, authentication: Authentication) -> APIRouter:
    """Build the routes over `access`."""
    router = APIRouter(prefix="/v1", tags=["access"])
    applicant = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_APPLY))]
    decider = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_DECIDE))]
    either = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_APPLY, Scope.ACCESS_DECIDE))]

    @router.post("/resources/{code}/applications", status_code=201)
    async def apply(code: str, body: ApplicationIn, caller: applicant) -> ApplicationOut:
        """Apply for items of a resource; answered at once where all are shared unconditionally."""
        terms = read_terms(body, now=access.tell_time())
        return render_application(await access.apply(caller=caller, resource_code=code, terms=terms))

    @router.post("/scenarios", status_code=201)
    async def apply_scenario(body: ScenarioIn, caller: applicant) -> ScenarioOut:
        """Apply for several resources behind one service (一件事): all requests are made, or none."""
        codes = [part.resource_code for part in body.parts]
        if len(set(codes)) < len(codes):
            detail = "a resource is named once in a scenario"
            error = FieldError(pointer="/parts", code="DUPLICATE", detail=detail)
            raise SchemaViolation(detail, errors=(error,))
        now = access.tell_time()
        parts = {part.resource_code: read_terms(part, now=now) for part in body.parts}
        return _render(await access.apply_scenario(caller=caller, title=body.title, parts=parts))

    @router.get("/scenarios/{scenario_id}")
    async def load_scenario(scenario_id: UUID, caller: applicant) -> ScenarioOut:
        """Show a scenario of this organisation's, and where each part stands."""
        return _render(await access.load_scenario(caller=caller, scenario_id=scenario_id))

    @router.get("/applications")
    async def list_applications(caller: either, role: Role = "applicant") -> list[ApplicationOut]:
        """List the applications that this organisation made, or that came to it, newest first."""
        found = await access.list_applications(caller=caller, as_provider=role == "provider")
        return [render_application(each) for each in found]

    @router.post("/applications/{application_id}/decision")
    async def decide(application_id: UUID, body: DecisionIn, caller: decider) -> ApplicationOut:
        """Approve an application, wholly or in part, or refuse it with a reason."""
        verdict = Verdict(
            decision=body.decision,
            items=body.items,
            modes=None if body.modes is None else frozenset(body.modes),
            row_filter=body.row_filter,
            masks=body.masks,
            reason=body.reason,
        )
        return render_application(
            await access.decide(caller=caller, application_id=application_id, verdict=verdict)
        )

    @router.post("/applications/{application_id}/extension")
    async def extend(application_id: UUID, body: ReasonIn, caller: decider) -> ApplicationOut:
        """Take the one extension that the table of deadlines allows, with a reason."""
        return render_application(
            await access.extend(caller=caller, application_id=application_id, reason=body.reason)
        )

    return router


def _render(found: Scenario) -> ScenarioOut:
    return ScenarioOut(
        id=found.id,
        title=found.title,
        created_at=found.created_at,
        applications=[render_application(each) for each in found.applications],
    )
