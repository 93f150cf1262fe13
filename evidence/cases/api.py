"""Routes of evidence requests."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from core.http.busy_route import busy_route
from evidence.cases.model import BundleReference, Case, EvidenceOrder, Party
from evidence.cases.order import kinds_of
from evidence.cases.service import CaseView, Evidence, EvidenceService
from evidence.rules.model import PartyKind
from evidence.sources.model import Outcome
from exchange.access.refusal import RefusalLog
from exchange.access.values import narrow_to_half


class ApplicantIn(BaseModel):
    """Who fills a role of the item: citizen number or unified social credit code, and name."""

    model_config = ConfigDict(extra="forbid")

    role: str = Field(max_length=64, examples=["company"])
    code: str = Field(max_length=64, examples=["11990000MA0000015X"])
    name: str = Field(max_length=200)


class BundleIn(BaseModel):
    """The bundle (一件事) that the case is part of; its cases share one reference."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=128)
    reference: str = Field(min_length=1, max_length=128)


class EvidenceIn(BaseModel):
    """For whom evidence is asked. `authorisations` are codes (用证码) that holders gave for this case.

    `prefill` asks for the form's values, `copies` for an annotated copy of each certificate.
    """

    model_config = ConfigDict(extra="forbid")

    applicants: list[ApplicantIn] = Field(min_length=1, max_length=50)
    inputs: dict[str, str] = Field(default_factory=dict, max_length=200)
    authorisations: list[Annotated[str, Field(max_length=128)]] = Field(default_factory=list, max_length=20)
    bundle: BundleIn | None = None
    prefill: bool = False
    copies: bool = False


class EvidenceOut(BaseModel):
    """`evidence` is the answer; the payload of `receipt` holds its SM3 as canonical JSON (RFC 8785)."""

    evidence: dict[str, Any]
    receipt: Any


class BasisOut(BaseModel):
    """What a fact rests on."""

    fact: str
    way: int
    kind: str
    outcome: Outcome
    source: str
    version: int | None
    certificate: str | None
    as_of: datetime | None


class FactOut(BaseModel):
    """What became of a fact."""

    fact: str
    outcome: Outcome
    reason: str
    established_at: datetime | None
    reused_from: UUID | None


class SuspensionOut(BaseModel):
    """Why a case is suspended: a fact whose source changed, and what the hub found if it checked again."""

    effect: UUID
    fact: str
    source: str
    version: str
    trigger: str
    reason: str | None
    since: datetime


class CaseOut(BaseModel):
    """A case as its last run left it; no values are kept.

    While `suspended` holds anything, the case is not closed and no receipt is issued: run it again.
    """

    id: UUID
    item: str
    item_version: int
    case_number: str
    bundle: BundleIn | None
    opened_at: datetime
    closed_at: datetime | None
    runs: int
    outcomes: dict[str, Outcome]
    facts: list[FactOut]
    sources: list[BasisOut]
    suspended: list[SuspensionOut]


def build_busy_router(
    *, evidence: EvidenceService, refusals: RefusalLog, authentication: Authentication
) -> APIRouter:
    """Build the route of evidence requests. Routes are tried in order: let it come first."""
    router = APIRouter(
        prefix="/v1/evidence", tags=["evidence"], route_class=busy_route(authentication, Scope.EVIDENCE)
    )
    office = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE))]

    @router.post("", response_model=EvidenceOut)
    async def request_evidence(body: EvidenceIn, caller: office, request: Request) -> Response:
        """Ask for everything that the hub can supply for a case, and for what remains.

        Send the purpose headers `Shuzheng-Service-Item`, `-Case-Number` and `-Operator`; they name the case.
        """
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=None, action="evidence")
        found = await evidence.resolve(_read_request(body), caller=caller, purpose=purpose)
        return Response(_render(found), media_type="application/json")

    return router


def build_router(*, evidence: EvidenceService, authentication: Authentication) -> APIRouter:
    """Build the routes of kept cases."""
    router = APIRouter(prefix="/v1/evidence", tags=["evidence"])
    office = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE))]
    reader = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE, Scope.AUDIT))]

    @router.get("/{case_id}")
    async def load_case(case_id: UUID, caller: reader) -> CaseOut:
        """Load a case as its last run left it."""
        return render_view(await evidence.load(case_id, caller=caller))

    @router.post("/{case_id}/close", status_code=204)
    async def close_case(case_id: UUID, caller: office) -> None:
        """Close a case, once the office has decided it."""
        await evidence.close(case_id, caller=caller)

    return router


def read_order(applicants: list[ApplicantIn], inputs: dict[str, str]) -> EvidenceOrder:
    """Read who takes part and what the form says; numbers to half width and upper case."""
    parties = []
    for each in applicants:
        code = narrow_to_half(each.code).strip().upper()
        kind = next(iter(kinds_of(code)), PartyKind.ANY)
        parties.append(Party(role=each.role, code=code, name=each.name.strip(), kind=kind))
    return EvidenceOrder(
        parties=tuple(parties), inputs={name: value.strip() for name, value in inputs.items()}
    )


def _read_request(body: EvidenceIn) -> EvidenceOrder:
    bundle = body.bundle
    return replace(
        read_order(body.applicants, body.inputs),
        codes=tuple(body.authorisations),
        bundle=None if bundle is None else BundleReference(code=bundle.code, reference=bundle.reference),
        prefill=body.prefill,
        copies=body.copies,
    )


def _render(found: Evidence) -> bytes:
    """Write the answer as it was digested, so that whoever keeps it can check the receipt."""
    return b'{"evidence":' + found.answer_json + b',"receipt":' + found.receipt_json + b"}"


def render_view(view: CaseView) -> CaseOut:
    """Render a case as kept."""
    case: Case = view.case
    bundle = case.bundle
    return CaseOut(
        id=case.id,
        item=case.item_code,
        item_version=case.item_version,
        case_number=case.case_number,
        bundle=None if bundle is None else BundleIn(code=bundle.code, reference=bundle.reference),
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        runs=case.runs,
        outcomes={code: Outcome(outcome) for code, outcome in case.outcomes.items()},
        facts=[
            FactOut(
                fact=each.fact,
                outcome=each.outcome,
                reason=each.code,
                established_at=each.established_at,
                reused_from=each.reused_from,
            )
            for each in view.facts
        ],
        sources=[
            BasisOut(
                fact=each.fact,
                way=each.way,
                kind=each.kind,
                outcome=each.outcome,
                source=each.source,
                version=each.source_version,
                certificate=each.certificate_id,
                as_of=each.as_of,
            )
            for each in view.bases
        ],
        suspended=[
            SuspensionOut(
                effect=each.effect_id,
                fact=each.fact,
                source=each.cause.source,
                version=each.cause.version,
                trigger=each.cause.trigger,
                reason=each.reason,
                since=each.since,
            )
            for each in view.suspensions
        ],
    )
