"""Routes of receipts to applicants and of askings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from certs.seals.sign_api import OFD_MEDIA_TYPE
from core.caller import Caller, Scope
from core.http.authentication import Authentication
from evidence.proof.model import Asking, AskingFinding, PlacedAsking, ReceiptForm
from evidence.proof.service import ProofService
from evidence.sources.model import Outcome

RECEIPT: Mapping[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            OFD_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


class AskingIn(BaseModel):
    """Which material the applicant was asked for, by whom and why."""

    model_config = ConfigDict(extra="forbid")

    material: str = Field(max_length=128, examples=["M01"])
    operator: str = Field(max_length=128)
    reason: str = Field(default="", max_length=500)


class AskingOut(BaseModel):
    """An asking; `finding` says why it was not to be, null where it was."""

    id: UUID
    case: UUID
    run: int
    material: str
    outcome: Outcome | None
    finding: AskingFinding | None
    reason: str
    operator: str
    asked_at: datetime


class FindingPlacedOut(AskingOut):
    """A finding with the office and the case."""

    office: str
    office_name: str
    service_item: str
    case_number: str


def build_router(*, proof: ProofService, authentication: Authentication) -> APIRouter:
    """Build the routes over `proof`."""
    router = APIRouter(prefix="/v1", tags=["evidence"])
    office = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE))]
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.post("/evidence/{case_id}/receipt", response_class=Response, responses=dict(RECEIPT))
    async def issue_case_receipt(
        case_id: UUID, caller: office, form: ReceiptForm = ReceiptForm.JSON
    ) -> Response:
        """Issue the receipt to the applicant: these materials were not requested, because …

        As JSON, or as an OFD file to print and hold up, which has that JSON attached. Save the answer as it
        is; `shuzheng receipt verify FILE --ca ROOT` checks either offline.
        """
        printed = form is ReceiptForm.OFD
        receipt = await proof.issue_receipt(case_id, caller=caller, printed=printed)
        return Response(receipt, media_type=OFD_MEDIA_TYPE if printed else "application/json")

    @router.post("/evidence/{case_id}/asked")
    async def record_asking(case_id: UUID, body: AskingIn, caller: office) -> AskingOut:
        """Record that the applicant was asked for a material; what the hub held or waived is a finding."""
        return _render(
            await proof.ask(
                case_id,
                material=body.material.strip(),
                reason=body.reason.strip(),
                operator=body.operator.strip(),
                caller=caller,
            )
        )

    @router.get("/evidence/{case_id}/asked")
    async def list_askings(case_id: UUID, caller: known) -> list[AskingOut]:
        """List what was asked for in a case."""
        return [_render(each) for each in await proof.list_of_case(case_id, caller=caller)]

    @router.get("/evidence-findings")
    async def list_asking_findings(
        caller: known,
        before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[FindingPlacedOut]:
        """List what was asked for needlessly, newest first, by this office and those below it."""
        found = await proof.list_findings(caller=caller, before=before, limit=limit)
        return [_render_placed(each) for each in found]

    return router


def _members(asking: Asking) -> dict[str, Any]:
    return {
        "id": asking.id,
        "case": asking.case_id,
        "run": asking.run,
        "material": asking.material_code,
        "outcome": asking.outcome,
        "finding": asking.finding,
        "reason": asking.reason,
        "operator": asking.operator,
        "asked_at": asking.asked_at,
    }


def _render(asking: Asking) -> AskingOut:
    return AskingOut(**_members(asking))


def _render_placed(found: PlacedAsking) -> FindingPlacedOut:
    return FindingPlacedOut(
        **_members(found.asking),
        office=found.organisation_code,
        office_name=found.organisation_name,
        service_item=found.item_code,
        case_number=found.case_number,
    )
