"""Routes beside fetching: annotated copies, one-time downloads, look-ups."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from certs.copies.model import AnnotatedCopy, CopyFile
from certs.copies.service import CopyService
from certs.issue.api import CertificateOut, render_certificate
from certs.use.service import UseService
from core.caller import Caller, Purpose, Scope
from core.http.authentication import Authentication, read_purpose

OFD_MEDIA_TYPE = "application/ofd"


class CopyIn(BaseModel):
    """An annotated copy to make."""

    model_config = ConfigDict(extra="forbid")

    cause: str = Field(description="what it is for, at most 200 characters")
    expires_at: datetime = Field(description="until when it may be relied upon, within a year")


class CopyOut(BaseModel):
    """A copy as kept."""

    id: UUID
    identifier: str
    maker: str
    cause: str
    made_at: datetime
    expires_at: datetime
    digest: str
    size_bytes: int


class DownloadOut(BaseModel):
    """A one-time download."""

    url: str
    expires_at: datetime


class LookUpIn(BaseModel):
    """Which certificates are looked for: by number, or by the content of a QR code."""

    model_config = ConfigDict(extra="forbid")

    type_code: str | None = None
    number: str | None = Field(default=None, max_length=256)
    qr: str | None = Field(default=None, max_length=4096)


def build_router(
    *,
    copies: CopyService,
    use: UseService,
    authentication: Authentication,
    public_url: str,
    clock: Callable[[], datetime],
) -> APIRouter:
    """Build the routes; `clock` tells the time (aware, UTC)."""
    router = APIRouter(tags=["certificates"])
    _add_copies(router, copies, authentication, public_url)
    _add_look_up(router, use, authentication, clock)
    return router


def _add_copies(
    router: APIRouter, copies: CopyService, authentication: Authentication, public_url: str
) -> None:
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    purposeful = Annotated[Purpose, Depends(read_purpose)]

    @router.post("/v1/certificates/{identifier}/copies", status_code=201)
    async def make_copy(
        identifier: str,
        body: CopyIn,
        caller: user,
        purpose: purposeful,
        code: Annotated[str | None, Header(alias="Shuzheng-Authorisation", max_length=128)] = None,
    ) -> CopyOut:
        """Make an annotated copy (加注件) for this case: maker, cause, expiry, watermark, sealed again."""
        copy = await copies.make(
            identifier,
            cause=body.cause,
            expires_at=body.expires_at,
            code=code,
            caller=caller,
            purpose=purpose,
        )
        return _render_copy(copy)

    @router.get("/v1/certificate-copies/{copy_id}/file", response_class=Response)
    async def fetch_copy(copy_id: UUID, caller: user) -> Response:
        """Fetch the file of a copy that was made for the caller's organisation."""
        return _file(await copies.fetch(copy_id, caller=caller))

    @router.post("/v1/certificate-copies/{copy_id}/download-url", status_code=201)
    async def open_download(copy_id: UUID, caller: user) -> DownloadOut:
        """Make an address from which the copy can be downloaded once, without a token, within 600 seconds."""
        token, expires_at = await copies.open_download(copy_id, caller=caller)
        return DownloadOut(url=f"{public_url}/v1/downloads/{token}", expires_at=expires_at)

    @router.get("/v1/downloads/{token}", response_class=Response)
    async def download(token: str) -> Response:
        """Download a copy by its one-time address."""
        return _file(await copies.download(token))


def _add_look_up(
    router: APIRouter,
    use: UseService,
    authentication: Authentication,
    clock: Callable[[], datetime],
) -> None:
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    purposeful = Annotated[Purpose, Depends(read_purpose)]

    @router.post("/v1/certificates/look-up")
    async def look_up(body: LookUpIn, caller: user, purpose: purposeful) -> list[CertificateOut]:
        """Find certificates that this case may use, by their number or by the QR code on their face."""
        found = await use.look_up(
            type_code=body.type_code, number=body.number, qr=body.qr, caller=caller, purpose=purpose
        )
        return [render_certificate(certificate, clock()) for certificate in found]


def _render_copy(copy: AnnotatedCopy) -> CopyOut:
    return CopyOut(
        id=copy.id,
        identifier=copy.identifier,
        maker=copy.maker_name,
        cause=copy.cause,
        made_at=copy.made_at,
        expires_at=copy.expires_at,
        digest=f"sm3:{copy.digest_sm3.hex()}",
        size_bytes=copy.size_bytes,
    )


def _file(found: CopyFile) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{found.copy.identifier}.copy.ofd"',
        "Shuzheng-Digest": f"sm3:{found.copy.digest_sm3.hex()}",
        "Cache-Control": "no-store",
    }
    return Response(found.data, media_type=OFD_MEDIA_TYPE, headers=headers)
