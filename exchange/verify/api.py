"""The route of a verification."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from exchange.verify.model import Assertion, Operator, Outcome, Verification
from exchange.verify.service import MAX_ASSERTIONS, VerifyService


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


class JudgementOut(BaseModel):
    """The outcome of one assertion; never the true value."""

    item: str
    op: Operator
    outcome: Outcome


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


def build_router(*, verify: VerifyService, refusals: RefusalLog, authentication: Authentication) -> APIRouter:
    """Build the route over `verify`."""
    router = APIRouter(prefix="/v1", tags=["verify"])
    asker = Annotated[Caller, Depends(authentication.requires(Scope.VERIFY))]

    @router.post("/resources/{code}/verify")
    async def verify_facts(code: str, body: VerifyIn, caller: asker, request: Request) -> VerifyOut:
        """Check facts about one subject, all at once.

        Send the purpose headers `Shuzheng-Service-Item`, `-Case-Number` and `-Operator`.
        """
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=code, action="verify")
        found = await verify.verify(
            caller=caller,
            purpose=purpose,
            resource_code=code,
            subject=body.subject,
            assertions=[
                Assertion(item=each.item, operator=each.op, value=each.value) for each in body.assertions
            ],
        )
        return _render(found)

    return router


def _render(found: Verification) -> VerifyOut:
    return VerifyOut(
        resource_code=found.resource_code,
        grant_id=found.grant_id,
        version=found.version,
        as_of=found.as_of,
        answers=[
            JudgementOut(item=each.item, op=each.operator, outcome=each.outcome) for each in found.judgements
        ],
        opening=found.opening,
        receipt=found.receipt,
    )
