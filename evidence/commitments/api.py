"""Routes of undertakings: commitments, later delivery, questions to departments."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from evidence.cases.api import ApplicantIn, read_order
from evidence.commitments.confirming import ConfirmationForm
from evidence.commitments.inquiries import InquiryDesk, OpenedInquiry
from evidence.commitments.model import Placed, UndertakingKind, UndertakingState
from evidence.commitments.service import Promise, UndertakingService
from exchange.access.refusal import RefusalLog


class PromiseIn(BaseModel):
    """A remedy that the applicant took: `commit` (with the text's digest) or `deliver-later`."""

    model_config = ConfigDict(extra="forbid")

    fact: str = Field(max_length=64)
    action: Literal["commit", "deliver-later"]
    text_sm3: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class PromisesIn(BaseModel):
    """What the applicant in `role` confirmed; applicants and inputs as in the evidence request.

    `signature` is the applicant's own: signed data (GB/T 35275, CMS), in base64, over the canonical JSON
    (RFC 8785) of `{"case", "role", "promises"}`, each promise with `fact`, `action` and `text_sm3`.
    """

    model_config = ConfigDict(extra="forbid")

    promises: list[PromiseIn] = Field(min_length=1, max_length=100)
    role: str = Field(max_length=64)
    applicants: list[ApplicantIn] = Field(min_length=1, max_length=50)
    inputs: dict[str, str] = Field(default_factory=dict, max_length=200)
    signature: Base64Bytes | None = Field(default=None, max_length=20_000)


class NoteIn(BaseModel):
    """On what the act rests."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(max_length=1000)


class AnswerIn(NoteIn):
    """The answer of the department that knows."""

    confirmed: bool


class UndertakingOut(BaseModel):
    """An undertaking: what is awaited, from whom, until when, and what became of it."""

    id: UUID
    case: UUID
    case_number: str
    service_item: str
    fact: str
    kind: UndertakingKind
    state: UndertakingState
    text: str
    text_sm3: str
    role: str | None
    confirmation: ConfirmationForm | None
    signature_sm3: str | None
    department: str | None
    operator: str
    made_at: datetime
    due_at: datetime
    checked_at: datetime | None
    reminded_at: datetime | None
    closed_at: datetime | None
    reason: str | None


class InquiryOut(UndertakingOut):
    """A question to a department, with whom it is about."""

    applicants: list[ApplicantIn]
    inputs: dict[str, str]


def build_router(
    *,
    undertakings: UndertakingService,
    inquiries: InquiryDesk,
    refusals: RefusalLog,
    authentication: Authentication,
) -> APIRouter:
    """Build the routes over the services."""
    router = APIRouter(prefix="/v1/evidence", tags=["undertakings"])
    office = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE))]

    @router.post("/{case_id}/undertakings", status_code=201)
    async def make_undertakings(
        case_id: UUID, body: PromisesIn, caller: office, request: Request
    ) -> list[UndertakingOut]:
        """Keep what the applicant confirmed, so that the case goes on. Send the case's purpose headers.

        Answers with the undertakings that are new; one that is open already is not made again.
        """
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=None, action="evidence")
        made = await undertakings.make(
            case_id,
            [_read_promise(each) for each in body.promises],
            role=body.role,
            order=read_order(body.applicants, body.inputs),
            caller=caller,
            purpose=purpose,
            signature=body.signature,
        )
        return [
            _render(
                Placed(
                    undertaking=each,
                    organisation_code=caller.organisation_code,
                    item_code=purpose.service_item,
                    item_version=0,
                    case_number=purpose.case_number,
                )
            )
            for each in made
        ]

    @router.get("/undertakings")
    async def list_undertakings(
        caller: office, state: Annotated[list[UndertakingState] | None, Query()] = None
    ) -> list[UndertakingOut]:
        """List the undertakings of the caller's cases, newest first; those of some states where named."""
        return [_render(each) for each in await undertakings.list_own(caller=caller, states=state or [])]

    @router.post("/undertakings/{undertaking_id}/deliver")
    async def deliver_material(undertaking_id: UUID, body: NoteIn, caller: office) -> UndertakingOut:
        """Note that the applicant handed in what was to follow."""
        return _render(await undertakings.deliver(undertaking_id, note=body.note, caller=caller))

    @router.post("/undertakings/{undertaking_id}/withdraw")
    async def withdraw_undertaking(undertaking_id: UUID, body: NoteIn, caller: office) -> UndertakingOut:
        """Withdraw an undertaking."""
        return _render(await undertakings.withdraw(undertaking_id, note=body.note, caller=caller))

    _add_inquiries(router, inquiries, authentication)
    return router


def _add_inquiries(router: APIRouter, inquiries: InquiryDesk, authentication: Authentication) -> None:
    office = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE))]

    @router.get("/inquiries")
    async def list_inquiries(caller: office) -> list[InquiryOut]:
        """List the open questions to the caller's department, with whom they are about."""
        return [_render_inquiry(each) for each in await inquiries.list_inquiries(caller=caller)]

    @router.post("/inquiries/{undertaking_id}/answer")
    async def answer_inquiry(undertaking_id: UUID, body: AnswerIn, caller: office) -> UndertakingOut:
        """Answer a question to the caller's department."""
        placed = await inquiries.answer(
            undertaking_id, confirmed=body.confirmed, note=body.note, caller=caller
        )
        return _render(placed)


def _read_promise(promise: PromiseIn) -> Promise:
    return Promise(
        fact=promise.fact,
        kind=UndertakingKind.COMMITMENT if promise.action == "commit" else UndertakingKind.TOLERANCE,
        text_sm3=promise.text_sm3,
    )


def _render(placed: Placed) -> UndertakingOut:
    found = placed.undertaking
    confirmation = found.confirmation
    return UndertakingOut(
        id=found.id,
        case=found.case_id,
        case_number=placed.case_number,
        service_item=placed.item_code,
        fact=found.fact,
        kind=found.kind,
        state=found.state,
        text=found.text,
        text_sm3=found.text_sm3,
        role=found.role,
        confirmation=None if confirmation is None else confirmation.form,
        signature_sm3=None if confirmation is None else confirmation.signature_sm3,
        department=found.department,
        operator=found.operator,
        made_at=found.made_at,
        due_at=found.due_at,
        checked_at=found.checked_at,
        reminded_at=found.reminded_at,
        closed_at=found.closed_at,
        reason=found.reason,
    )


def _render_inquiry(opened: OpenedInquiry) -> InquiryOut:
    order = opened.order
    parties = () if order is None else order.parties
    return InquiryOut(
        **_render(opened.placed).model_dump(),
        applicants=[ApplicantIn(role=each.role, code=each.code, name=each.name) for each in parties],
        inputs={} if order is None else dict(order.inputs),
    )
