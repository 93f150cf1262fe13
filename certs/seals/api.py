"""Routes of seals in use."""

import base64
import binascii
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from certs.seals.model import RegisteredSeal, SealStatus
from certs.seals.service import DEFAULT_SIDE_MM, DEFAULT_YEARS, SealRequest, SealService
from core.caller import Caller, OrganisationCode, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication


class SealIn(BaseModel):
    """A seal to register."""

    model_config = ConfigDict(extra="forbid")

    organisation_code: str | None = Field(default=None, description="the caller's own where left out")
    name: str = Field(examples=["示例市市场监督管理局"])
    kind: int = Field(default=1, description="class of seal; 1 is an organisation's")
    picture: str | None = Field(
        default=None, description="PNG in base64; a round seal is drawn where left out", max_length=6_000_000
    )
    width_mm: int = DEFAULT_SIDE_MM
    height_mm: int = DEFAULT_SIDE_MM
    years: int = DEFAULT_YEARS


class SealOut(BaseModel):
    """A seal as registered."""

    id: UUID
    organisation_code: str
    name: str
    seal_code: str
    kind: int
    status: SealStatus
    valid_from: datetime
    valid_until: datetime
    created_at: datetime


class StatusIn(BaseModel):
    """A change of a seal's status."""

    model_config = ConfigDict(extra="forbid")

    to: SealStatus
    reason: str


def build_router(*, seals: SealService, authentication: Authentication) -> APIRouter:
    """Build the routes over `seals`."""
    router = APIRouter(prefix="/v1/seals", tags=["seals"])
    keeper = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE, Scope.ADMIN))]

    @router.post("", status_code=201)
    async def register_seal(body: SealIn, caller: keeper) -> SealOut:
        """Register a seal: it is made, signed by the hub's seal maker, and kept."""
        request = SealRequest(
            organisation_code=OrganisationCode(body.organisation_code or caller.organisation_code),
            name=body.name,
            kind=body.kind,
            picture=None if body.picture is None else _decode(body.picture),
            width_mm=body.width_mm,
            height_mm=body.height_mm,
            years=body.years,
        )
        return _render(await seals.register(request, actor=caller))

    @router.get("")
    async def list_seals(caller: keeper) -> list[SealOut]:
        """List the seals of the caller's organisation; an administrator sees all."""
        return [_render(seal) for seal in await seals.list_seals(actor=caller)]

    @router.get("/{seal_id}")
    async def get_seal(seal_id: UUID, caller: keeper) -> SealOut:
        """Show a seal."""
        return _render(await seals.get_seal(seal_id, actor=caller))

    @router.get("/{seal_id}/file", response_class=Response)
    async def download_seal(seal_id: UUID, caller: keeper) -> Response:
        """Download a seal as `.esl` (DER, GB/T 38540-2020). It holds no private key."""
        seal = await seals.fetch_file(seal_id, actor=caller)
        headers = {"Content-Disposition": f'attachment; filename="{seal.seal_code}.esl"'}
        return Response(seal.der, media_type="application/octet-stream", headers=headers)

    @router.post("/{seal_id}/status")
    async def set_status(seal_id: UUID, body: StatusIn, caller: keeper) -> SealOut:
        """Suspend, reactivate or destroy a seal."""
        return _render(await seals.set_status(seal_id, status=body.to, reason=body.reason, actor=caller))

    return router


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as trouble:
        msg = "the picture is not base64"
        raise SchemaViolation(
            msg, errors=(FieldError(pointer="/picture", code="BASE64", detail=msg),)
        ) from trouble


def _render(seal: RegisteredSeal) -> SealOut:
    return SealOut(
        id=seal.id,
        organisation_code=seal.organisation_code,
        name=seal.name,
        seal_code=seal.seal_code,
        kind=seal.kind,
        status=seal.status,
        valid_from=seal.valid_from,
        valid_until=seal.valid_until,
        created_at=seal.created_at,
    )
