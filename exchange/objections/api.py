"""Routes of objections and corrections."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from exchange.objections.corrections import CorrectionService
from exchange.objections.model import Correction, HoldingBasis, Objection, ObjectionState, Ruling
from exchange.objections.service import ObjectionService

Side = Annotated[Literal["raiser", "provider"], Query(alias="as", description="whose view")]
Text = Annotated[str, Field(max_length=2000)]


class ObjectionIn(BaseModel):
    """A value to dispute: the row by all its key items, the item, what is wrong, and how that is known."""

    model_config = ConfigDict(extra="forbid")

    keys: dict[str, Any] = Field(examples=[{"GMSFHM": "99010119900101001X"}])
    item: Annotated[str, Field(max_length=100)]
    claim: Text
    basis: Text


class RulingIn(BaseModel):
    """The owner's ruling. Before upholding, publish the correction as an ordinary batch."""

    model_config = ConfigDict(extra="forbid")

    ruling: Ruling
    reason: Text


class WithdrawalIn(BaseModel):
    """Why an objection is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


class ObjectionOut(BaseModel):
    """An objection and where it stands. `row_key`: the key's values as text, for both sides."""

    id: UUID
    resource_code: str
    item: str
    row_key: list[str]
    organisation_code: str
    claim: str
    basis: str
    state: ObjectionState
    raised_at: datetime
    due_at: datetime
    escalated_at: datetime | None
    closed_at: datetime | None
    closing_reason: str | None
    corrected_version: int | None


class CorrectionOut(BaseModel):
    """A correction of a value that this organisation holds.

    `basis`: how it came to hold it; `subscription` and `share` read the change there too. `change` is null
    where the grant has ended, is for another service item, or allows verification alone (verify again).
    """

    id: UUID
    objection_id: UUID
    resource_code: str
    item: str
    grant_id: UUID
    basis: HoldingBasis
    created_at: datetime
    change: dict[str, Any] | None


def build_router(
    *,
    objections: ObjectionService,
    corrections: CorrectionService,
    refusals: RefusalLog,
    authentication: Authentication,
) -> APIRouter:
    """Build the routes over `objections` and `corrections`."""
    router = APIRouter(prefix="/v1", tags=["objections"])
    user = Annotated[Caller, Depends(authentication.requires(Scope.QUERY, Scope.VERIFY, Scope.SUBSCRIBE))]
    owner = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_DECIDE))]
    either = Annotated[
        Caller,
        Depends(authentication.requires(Scope.QUERY, Scope.VERIFY, Scope.SUBSCRIBE, Scope.ACCESS_DECIDE)),
    ]

    @router.post("/resources/{code}/objections", status_code=201)
    async def raise_objection(code: str, body: ObjectionIn, caller: user, request: Request) -> ObjectionOut:
        """Dispute a value; every answer marks it until the owner has ruled. Send the purpose headers."""
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=code, action="objection")
        return _render(
            await objections.raise_objection(
                caller=caller,
                purpose=purpose,
                resource_code=code,
                keys=body.keys,
                item=body.item,
                claim=body.claim,
                basis=body.basis,
            )
        )

    @router.get("/objections")
    async def list_objections(caller: either, side: Side = "raiser") -> list[ObjectionOut]:
        """List the objections that this organisation raised, or that came to it, newest first."""
        found = await objections.list_objections(caller=caller, as_provider=side == "provider")
        return [_render(each) for each in found]

    @router.post("/objections/{objection_id}/ruling")
    async def rule(objection_id: UUID, body: RulingIn, caller: owner) -> ObjectionOut:
        """Uphold an objection whose correction has been published, or reject it."""
        return _render(
            await objections.rule(
                caller=caller, objection_id=objection_id, ruling=body.ruling, reason=body.reason
            )
        )

    @router.post("/objections/{objection_id}/withdrawal")
    async def withdraw(objection_id: UUID, body: WithdrawalIn, caller: user) -> ObjectionOut:
        """Withdraw an objection."""
        return _render(
            await objections.withdraw(caller=caller, objection_id=objection_id, reason=body.reason)
        )

    _add_corrections(router, corrections=corrections, refusals=refusals, authentication=authentication)
    return router


def _add_corrections(
    router: APIRouter, *, corrections: CorrectionService, refusals: RefusalLog, authentication: Authentication
) -> None:
    user = Annotated[Caller, Depends(authentication.requires(Scope.QUERY, Scope.VERIFY, Scope.SUBSCRIBE))]

    @router.get("/corrections")
    async def take_corrections(caller: user, request: Request, unread: bool = False) -> list[CorrectionOut]:
        """Read the corrections of values that this organisation holds. Send the purpose headers."""
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=None, action="corrections"
        )
        found = await corrections.take(caller=caller, purpose=purpose, unread_only=unread)
        return [_render_correction(each) for each in found]


def _render(found: Objection) -> ObjectionOut:
    return ObjectionOut(
        id=found.id,
        resource_code=found.resource_code,
        item=found.item,
        row_key=list(found.row_key),
        organisation_code=found.organisation_code,
        claim=found.claim,
        basis=found.basis,
        state=found.state,
        raised_at=found.raised_at,
        due_at=found.due_at,
        escalated_at=found.escalated_at,
        closed_at=found.closed_at,
        closing_reason=found.closing_reason,
        corrected_version=found.corrected_version,
    )


def _render_correction(found: Correction) -> CorrectionOut:
    return CorrectionOut(
        id=found.id,
        objection_id=found.objection.id,
        resource_code=found.objection.resource_code,
        item=found.objection.item,
        grant_id=found.holder.grant_id,
        basis=found.holder.basis,
        created_at=found.created_at,
        change=None if found.change is None else dict(found.change),
    )
