"""The routes of verification."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from core.http.busy_route import busy_route
from exchange.access.refusal import RefusalLog
from exchange.verify.checks import MAX_ASSERTIONS
from exchange.verify.model import (
    Assertion,
    Check,
    Difference,
    Finding,
    Judgement,
    Operator,
    Outcome,
    SignedFindings,
    Verification,
)
from exchange.verify.service import VerifyService


class AssertionIn(BaseModel):
    """One fact to check."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(max_length=100)
    op: Operator = Operator.EQ
    value: Any


class VerifyIn(BaseModel):
    """Facts to check about the subject that the key items name."""

    model_config = ConfigDict(extra="forbid")

    subject: dict[str, Any] = Field(examples=[{"GMSFHM": "99010119900101001X"}])
    assertions: list[AssertionIn] = Field(min_length=1, max_length=MAX_ASSERTIONS)


class CheckIn(VerifyIn):
    """Facts to check about a subject of one resource."""

    resource: str = Field(max_length=100, examples=["rk_jbxx"])


class ChecksIn(BaseModel):
    """Facts to check in several resources, at most 200 assertions in all."""

    model_config = ConfigDict(extra="forbid")

    checks: list[CheckIn] = Field(min_length=1, max_length=MAX_ASSERTIONS)


class JudgementOut(BaseModel):
    """The outcome of one assertion; never the true value. `difference`: in what way a mismatch differs."""

    item: str
    op: Operator
    outcome: Outcome
    difference: Difference | None


class FindingOut(BaseModel):
    """All outcomes of one check, in the order of the assertions, with the data's version and time.

    `grant_id` null: no grant covers the resource for this service item; nothing was looked up.
    """

    resource_code: str
    grant_id: UUID | None
    version: int | None
    as_of: datetime | None
    answers: list[JudgementOut]


class VerifyOut(BaseModel):
    """All outcomes, in the order of the assertions, with the data's version and time and a signed receipt.

    `opening` is the salt (hex) of the two digests in the receipt's payload: keep it with the case.
    """

    resource_code: str
    grant_id: UUID
    version: int
    as_of: datetime | None
    answers: list[JudgementOut]
    opening: str
    receipt: Any


class ChecksOut(BaseModel):
    """All outcomes of all checks, in their order, with one signed receipt for all."""

    findings: list[FindingOut]
    opening: str
    receipt: Any


def build_router(*, verify: VerifyService, refusals: RefusalLog, authentication: Authentication) -> APIRouter:
    """Build the routes over `verify`."""
    router = APIRouter(prefix="/v1", tags=["verify"], route_class=busy_route(authentication, Scope.VERIFY))
    asker = Annotated[Caller, Depends(authentication.requires(Scope.VERIFY))]

    @router.post("/resources/{code}/verify", response_model=VerifyOut)
    async def verify_facts(code: str, body: VerifyIn, caller: asker, request: Request) -> Response:
        """Check facts about one subject, all at once.

        Send the purpose headers `Shuzheng-Service-Item`, `-Case-Number` and `-Operator`.
        """
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=code, action="verify")
        found = await verify.verify(
            caller=caller,
            purpose=purpose,
            resource_code=code,
            subject=body.subject,
            assertions=_read_assertions(body),
        )
        return Response(_render(found), media_type="application/json")

    @router.post("/verify", response_model=ChecksOut)
    async def verify_checks(body: ChecksIn, caller: asker, request: Request) -> Response:
        """Check facts in several resources, all at once, with one receipt. Send the purpose headers."""
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=None, action="verify")
        checks = [
            Check(resource_code=each.resource, subject=each.subject, assertions=_read_assertions(each))
            for each in body.checks
        ]
        found = await verify.verify_many(caller=caller, purpose=purpose, checks=checks)
        return Response(_render_many(found), media_type="application/json")

    return router


def _read_assertions(body: VerifyIn) -> list[Assertion]:
    return [Assertion(item=each.item, operator=each.op, value=each.value) for each in body.assertions]


def _render(found: Verification) -> bytes:
    """Write an answer as JSON, with the receipt's text as it was signed."""
    answer = _render_finding(found)
    return _close(answer, opening=found.opening, receipt_json=found.receipt_json)


def _render_many(found: SignedFindings) -> bytes:
    answer: dict[str, object] = {"findings": [_render_finding(each) for each in found.findings]}
    return _close(answer, opening=found.opening, receipt_json=found.receipt_json)


def _close(answer: dict[str, object], *, opening: str, receipt_json: bytes) -> bytes:
    answer["opening"] = opening
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return text[:-1].encode() + b',"receipt":' + receipt_json + b"}"


def _render_finding(found: Verification | Finding) -> dict[str, object]:
    return {
        "resource_code": found.resource_code,
        "grant_id": None if found.grant_id is None else str(found.grant_id),
        "version": found.version,
        "as_of": None if found.as_of is None else found.as_of.isoformat(),
        "answers": [_render_judgement(each) for each in found.judgements],
    }


def _render_judgement(found: Judgement) -> dict[str, object]:
    return {
        "item": found.item,
        "op": found.operator,
        "outcome": found.outcome,
        "difference": found.difference,
    }
