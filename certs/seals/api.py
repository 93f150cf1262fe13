"""Routes of keeping seals; those of setting one are in `sign_api`."""

import base64
import binascii
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from certs.seals.model import RegisteredSeal, SealChange, SealStatus
from certs.seals.request import DEFAULT_SIDE_MM, DEFAULT_YEARS, SealRequest
from certs.seals.service import SealService
from core.caller import Caller, OrganisationCode, Scope
from core.errors import FieldError, SchemaViolation
from core.http.authentication import Authentication
from signing.errors import DecodeError
from signing.x509.pem import parse_pem


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
    signers: list[str] = Field(
        default_factory=list, description="further certificates that may sign with it, PEM", max_length=20
    )
    version: int = Field(default=4, description="4 (GB/T 38540-2020) or 5 (GM/T 0031-2025)")


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
    predecessor: UUID | None
    version: int


class SealChangeOut(BaseModel):
    """One step in a seal's life."""

    from_status: SealStatus | None
    to_status: SealStatus
    reason: str
    organisation_code: str
    system_id: UUID
    changed_at: datetime


class SealDetailOut(SealOut):
    """A seal with its life."""

    changes: list[SealChangeOut]


class RotateIn(BaseModel):
    """A seal to replace by a new one of the same name and picture."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    years: int = DEFAULT_YEARS


class StatusIn(BaseModel):
    """A change of a seal's status."""

    model_config = ConfigDict(extra="forbid")

    to: SealStatus
    reason: str
    compromised: bool = Field(
        default=False, description="with `destroyed`: also revoke the certificate of the seal's key"
    )


def build_router(*, seals: SealService, authentication: Authentication) -> APIRouter:
    """Build the routes over `seals`."""
    router = APIRouter(prefix="/v1/seals", tags=["seals"])
    keeping = (Scope.SEAL_MANAGE, Scope.ADMIN)
    keeper = Annotated[Caller, Depends(authentication.requires(*keeping))]
    reader = Annotated[Caller, Depends(authentication.requires(*keeping, Scope.CERTIFICATE_ISSUE))]

    @router.post("", status_code=201)
    async def register_seal(body: SealIn, caller: keeper) -> SealOut:
        """Register a seal: it is made, signed by the hub's seal maker, and kept.

        Needs seal:manage (or admin), which no system holds together with certificate:issue.
        """
        request = SealRequest(
            organisation_code=OrganisationCode(body.organisation_code or caller.organisation_code),
            name=body.name,
            kind=body.kind,
            picture=None if body.picture is None else decode_base64("/picture", body.picture),
            width_mm=body.width_mm,
            height_mm=body.height_mm,
            years=body.years,
            signers=tuple(_read_certificate(number, pem) for number, pem in enumerate(body.signers)),
            version=body.version,
        )
        return _render(await seals.register(request, actor=caller))

    @router.get("")
    async def list_seals(caller: reader) -> list[SealOut]:
        """List the seals of the caller's organisation; an administrator sees all."""
        return [_render(seal) for seal in await seals.list_seals(actor=caller)]

    @router.get("/{seal_id}")
    async def get_seal(seal_id: UUID, caller: reader) -> SealDetailOut:
        """Show a seal and its life."""
        summary = _render(await seals.get_seal(seal_id, actor=caller)).model_dump()
        changes = await seals.load_history(seal_id, actor=caller)
        return SealDetailOut(**summary, changes=[_render_change(change) for change in changes])

    @router.get("/{seal_id}/file", response_class=Response)
    async def download_seal(seal_id: UUID, caller: reader) -> Response:
        """Download a seal as `.esl` (DER, GB/T 38540-2020). It holds no private key."""
        seal = await seals.fetch_file(seal_id, actor=caller)
        headers = {"Content-Disposition": f'attachment; filename="{seal.seal_code}.esl"'}
        return Response(seal.der, media_type="application/octet-stream", headers=headers)

    @router.post("/{seal_id}/status")
    async def set_status(seal_id: UUID, body: StatusIn, caller: keeper) -> SealOut:
        """Suspend, reactivate or destroy a seal."""
        changed = await seals.set_status(
            seal_id, status=body.to, reason=body.reason, compromised=body.compromised, actor=caller
        )
        return _render(changed)

    @router.post("/{seal_id}/rotate", status_code=201)
    async def rotate_seal(seal_id: UUID, body: RotateIn, caller: keeper) -> SealOut:
        """Replace a seal by a new one of the same name and picture, under a new key; return the new one."""
        return _render(await seals.rotate(seal_id, reason=body.reason, years=body.years, actor=caller))

    return router


def _read_certificate(number: int, pem: str) -> bytes:
    try:
        blocks = parse_pem(pem.encode("utf-8", "replace"), "CERTIFICATE")
    except DecodeError:
        blocks = ()
    if len(blocks) != 1:
        msg = "a signer is one certificate in PEM"
        pointer = f"/signers/{number}"
        raise SchemaViolation(msg, errors=(FieldError(pointer=pointer, code="PEM", detail=msg),))
    return blocks[0]


def decode_base64(pointer: str, text: str) -> bytes:
    """Decode a field of a body. Raises SchemaViolation pointing at it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as trouble:
        msg = f"the field {pointer} is not base64"
        raise SchemaViolation(
            msg, errors=(FieldError(pointer=pointer, code="BASE64", detail=msg),)
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
        predecessor=seal.predecessor,
        version=seal.version,
    )


def _render_change(change: SealChange) -> SealChangeOut:
    return SealChangeOut(
        from_status=change.from_status,
        to_status=change.to_status,
        reason=change.reason,
        organisation_code=change.organisation_code,
        system_id=change.system_id,
        changed_at=change.changed_at,
    )
