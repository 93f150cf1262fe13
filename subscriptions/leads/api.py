"""Routes of leads."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from exchange.access.values import render_value
from subscriptions.api import From, SubscriptionOut, render_standing
from subscriptions.leads.model import Lead, LeadState, LeadTerms, Result
from subscriptions.leads.service import MAX_ANSWER_CHARACTERS, MAX_WORKING_DAYS, LeadService
from subscriptions.model import Operation, Start

Days = Annotated[int, Field(ge=1, le=MAX_WORKING_DAYS)]

LEADS = "/subscriptions/{subscription_id}/leads"


class LeadSubscriptionIn(BaseModel):
    """A subscription to leads: deadlines in working days after the day of the push."""

    model_config = ConfigDict(extra="forbid")

    grant_id: UUID | None = None
    resource: str | None = None
    start: From = Field(default=Start.NOW, alias="from")
    sign_working_days: Days = 1
    answer_working_days: Days = 5

    @model_validator(mode="after")
    def _in_order(self) -> "LeadSubscriptionIn":
        if self.answer_working_days < self.sign_working_days:
            msg = "a lead is answered after it is signed for"
            raise ValueError(msg)
        return self


class AnswerIn(BaseModel):
    """What came of a lead."""

    model_config = ConfigDict(extra="forbid")

    result: Result
    answer: str = Field(max_length=MAX_ANSWER_CHARACTERS)


class LeadOut(BaseModel):
    """A lead; `is_overdue` where the signature or the answer is late, or came late."""

    id: UUID
    subscription_id: UUID
    at: str
    operation: Operation
    state: LeadState
    is_overdue: bool
    pushed_at: datetime
    sign_due_at: datetime
    answer_due_at: datetime
    signed_at: datetime | None
    signed_by: str | None
    answered_at: datetime | None
    answered_by: str | None
    result: Result | None
    answer: str | None


class LeadRowOut(LeadOut):
    """A lead with its row, null where the grant does not show it (any more)."""

    row: dict[str, Any] | None


def build_router(
    *, leads: LeadService, refusals: RefusalLog, authentication: Authentication, now: Any
) -> APIRouter:
    """Build the routes over `leads`; `now` gives the time by which leads are overdue."""
    router = APIRouter(prefix="/v1", tags=["leads"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]
    add_lists(router, subscriber, provider, leads, now)
    add_answers(router, subscriber, leads, refusals, now)

    @router.post("/lead-subscriptions", status_code=201)
    async def subscribe_to_leads(
        body: LeadSubscriptionIn, caller: subscriber, request: Request
    ) -> SubscriptionOut:
        """Begin a subscription whose every row is to be signed for and answered in time."""
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=body.resource, action="subscribe"
        )
        standing = await leads.begin(
            caller=caller,
            purpose=purpose,
            grant_id=body.grant_id,
            resource_code=body.resource,
            start=body.start,
            terms=LeadTerms(
                sign_working_days=body.sign_working_days, answer_working_days=body.answer_working_days
            ),
        )
        return render_standing(standing)

    return router


def add_lists(router: APIRouter, subscriber: Any, provider: Any, leads: LeadService, now: Any) -> None:
    """Add the routes that list leads, for who gets and who gives them."""

    @router.get(LEADS)
    async def list_leads(
        subscription_id: UUID, caller: subscriber, overdue: bool = False, open_only: bool = False
    ) -> list[LeadOut]:
        """List leads, the most urgent first."""
        found = await leads.list_own(
            caller=caller, subscription_id=subscription_id, overdue_only=overdue, open_only=open_only
        )
        return [render_lead(lead, now()) for lead in found]

    @router.get("/resources/{code}/leads")
    async def list_resource_leads(
        code: str, caller: provider, overdue: bool = False, open_only: bool = False
    ) -> list[LeadOut]:
        """List what became of the leads of a resource, for its provider."""
        found = await leads.list_of_resource(
            caller=caller, resource_code=code, overdue_only=overdue, open_only=open_only
        )
        return [render_lead(lead, now()) for lead in found]


def add_answers(
    router: APIRouter, subscriber: Any, leads: LeadService, refusals: RefusalLog, now: Any
) -> None:
    """Add the routes of one lead: read it, sign for it, answer it."""

    @router.get(LEADS + "/{lead_id}")
    async def read_lead(
        subscription_id: UUID, lead_id: UUID, caller: subscriber, request: Request
    ) -> LeadRowOut:
        """Read a lead with its row. Send the purpose headers."""
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=None, action="lead.read")
        lead, page = await leads.read(
            caller=caller, purpose=purpose, subscription_id=subscription_id, lead_id=lead_id
        )
        row = page.changes[0].row if page is not None else None
        shown = None if row is None else {name: render_value(value) for name, value in row.items()}
        return LeadRowOut(**render_lead(lead, now()).model_dump(), row=shown)

    @router.post(LEADS + "/{lead_id}/sign")
    async def sign_for_lead(
        subscription_id: UUID, lead_id: UUID, caller: subscriber, request: Request
    ) -> LeadOut:
        """Sign for a lead. Send the purpose headers."""
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=None, action="lead.sign")
        lead = await leads.sign(
            caller=caller, purpose=purpose, subscription_id=subscription_id, lead_id=lead_id
        )
        return render_lead(lead, now())

    @router.post(LEADS + "/{lead_id}/answer")
    async def answer_lead(
        subscription_id: UUID, lead_id: UUID, body: AnswerIn, caller: subscriber, request: Request
    ) -> LeadOut:
        """Say what came of a lead. Send the purpose headers."""
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=None, action="lead.answer"
        )
        lead = await leads.answer(
            caller=caller,
            purpose=purpose,
            subscription_id=subscription_id,
            lead_id=lead_id,
            result=body.result,
            text=body.answer,
        )
        return render_lead(lead, now())


def render_lead(lead: Lead, at: datetime) -> LeadOut:
    """Render a lead."""
    return LeadOut(
        id=lead.id,
        subscription_id=lead.subscription_id,
        at=str(lead.position),
        operation=lead.operation,
        state=lead.state,
        is_overdue=lead.is_overdue(at),
        pushed_at=lead.pushed_at,
        sign_due_at=lead.sign_due_at,
        answer_due_at=lead.answer_due_at,
        signed_at=lead.signed_at,
        signed_by=lead.signed_by,
        answered_at=lead.answered_at,
        answered_by=lead.answered_by,
        result=lead.result,
        answer=lead.answer,
    )
