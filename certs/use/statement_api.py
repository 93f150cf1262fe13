"""The route of verifying what somebody says about a certificate."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from certs.issue.model import CertificateStatus, Holder
from certs.types.model import HolderCodeType
from certs.use.verdict import InfoResult, Statement, StatementService, Verdict
from core.caller import Caller, Scope
from core.http.authentication import Authentication, read_purpose
from core.http.busy_route import busy_route

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class StatementIn(BaseModel):
    """What is said about a certificate."""

    model_config = ConfigDict(extra="forbid")

    type_code: str = Field(max_length=64)
    number: str = Field(max_length=256)
    holder_name: str = Field(max_length=512)
    holder_code: str = Field(max_length=128)
    holder_code_type: HolderCodeType
    data: dict[str, str] = Field(default_factory=dict, max_length=200)


class VerdictOut(BaseModel):
    """What the register says: `result` after GB/T 36906, `national` as the national platform has it."""

    result: InfoResult
    national: int
    status: CertificateStatus | None
    identifier: str | None
    wrong: list[str] = Field(description="items that do not agree; never their true values")


def build_router(*, statements: StatementService, authentication: Authentication) -> APIRouter:
    """Build the route. Routes are tried in order: let it come early."""
    router = APIRouter(tags=["certificates"], route_class=busy_route(authentication, Scope.CERTIFICATE_USE))
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]

    @router.post("/v1/certificates/verify-data", response_model=VerdictOut)
    async def verify_data(body: StatementIn, caller: user, request: Request) -> Response:
        """Verify what somebody says about a certificate: result codes 0 to 6, and the national ones.

        Send the purpose headers `Shuzheng-Service-Item`, `-Case-Number` and `-Operator`.
        """
        statement = Statement(
            type_code=body.type_code.strip(),
            number=body.number.strip(),
            holder=Holder(
                name=body.holder_name.strip(), code=body.holder_code.strip(), code_type=body.holder_code_type
            ),
            data=body.data,
        )
        purpose = await read_purpose(request)
        verdict = await statements.verify(statement, caller=caller, purpose=purpose)
        return Response(_render(verdict), media_type="application/json")

    return router


def _render(verdict: Verdict) -> bytes:
    told = {
        "result": int(verdict.result),
        "national": verdict.national,
        "status": verdict.status,
        "identifier": verdict.identifier,
        "wrong": list(verdict.wrong),
    }
    return _ENCODER.encode(told).encode()
