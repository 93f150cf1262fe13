"""Routes of using certificates."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from certs.issue.api import CertificateOut, render_certificate
from certs.types.model import HolderCodeType
from certs.use.service import UseService
from core.caller import Caller, Purpose, Scope
from core.http.authentication import Authentication, read_purpose

OFD_MEDIA_TYPE = "application/ofd"


class SearchIn(BaseModel):
    """Which holder's certificates are looked for."""

    model_config = ConfigDict(extra="forbid")

    holder_code: str
    holder_code_type: HolderCodeType
    type_code: str | None = None


class CertificateDataOut(CertificateOut):
    """A certificate with the items on its face."""

    data: dict[str, str]


def build_router(
    *, use: UseService, authentication: Authentication, clock: Callable[[], datetime]
) -> APIRouter:
    """Build the routes over `use`; `clock` tells the time (aware, UTC)."""
    router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    purposeful = Annotated[Purpose, Depends(read_purpose)]
    authorisation = Annotated[
        str | None, Header(alias="Shuzheng-Authorisation", max_length=128, description="a code (用证码)")
    ]

    @router.post("/search")
    async def search_certificates(body: SearchIn, caller: user, purpose: purposeful) -> list[CertificateOut]:
        """Find the certificates of a holder that may be used for this case."""
        found = await use.search(
            holder_code=body.holder_code,
            holder_code_type=body.holder_code_type,
            type_code=body.type_code,
            caller=caller,
            purpose=purpose,
        )
        return [render_certificate(certificate, clock()) for certificate in found]

    @router.get("/{identifier}/data")
    async def fetch_data(
        identifier: str,
        caller: user,
        purpose: purposeful,
        allow_invalid: bool = False,
        code: authorisation = None,
    ) -> CertificateDataOut:
        """Fetch what stands on a certificate."""
        certificate = await use.fetch_data(
            identifier, allow_invalid=allow_invalid, caller=caller, purpose=purpose, code=code
        )
        summary = render_certificate(certificate, clock()).model_dump()
        return CertificateDataOut(**summary, data=dict(certificate.data))

    @router.get("/{identifier}/file", response_class=Response)
    async def fetch_file(
        identifier: str,
        caller: user,
        purpose: purposeful,
        allow_invalid: bool = False,
        code: authorisation = None,
    ) -> Response:
        """Fetch the sealed file of a certificate (OFD, GB/T 33190)."""
        fetched = await use.fetch_file(
            identifier, allow_invalid=allow_invalid, caller=caller, purpose=purpose, code=code
        )
        headers = {
            "Content-Disposition": f'attachment; filename="{fetched.certificate.identifier}.ofd"',
            "Shuzheng-Digest": f"sm3:{fetched.certificate.digest_sm3.hex()}",
        }
        return Response(fetched.data, media_type=OFD_MEDIA_TYPE, headers=headers)

    return router
