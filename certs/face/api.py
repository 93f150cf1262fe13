"""Routes for anybody: the public page of a certificate and its data."""

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from certs.face.public import PublicService, render_missing, render_page
from certs.issue.model import CertificateStatus
from certs.use.verdict import InfoResult
from core.errors import BadInput, NotFound

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


class PublicOut(BaseModel):
    """What is public of a certificate."""

    identifier: str
    type_name: str
    issuer_name: str
    holder_name: str
    status: CertificateStatus
    result: InfoResult
    national: int
    issued_on: date
    valid_until: date | None
    checked_at: datetime


_MISSING: dict[int | str, dict[str, Any]] = {
    404: {"content": {"text/html": {}}, "description": "a page that says so"}
}


def build_router(*, public: PublicService) -> APIRouter:
    """Build the routes over `public`."""
    router = APIRouter(tags=["public"])

    @router.get("/v1/public/certificates/{identifier}")
    async def look_up(identifier: str) -> PublicOut:
        """What anybody may know of a certificate: its state today, who issued it, a masked name."""
        facts = await public.look_up(identifier)
        return PublicOut(**{name: getattr(facts, name) for name in PublicOut.model_fields})

    @router.get("/c/{identifier}", response_class=HTMLResponse, responses=_MISSING)
    async def page(identifier: str) -> HTMLResponse:
        """The page behind the QR code on a certificate's face."""
        try:
            return HTMLResponse(render_page(await public.look_up(identifier)), headers=HEADERS)
        except (NotFound, BadInput):
            return HTMLResponse(render_missing(), status_code=404, headers=HEADERS)

    return router
