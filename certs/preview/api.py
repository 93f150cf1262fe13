"""Routes of previews."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from certs.ofd.render import Watermark
from certs.preview.service import PreviewFormat, PreviewService
from core.caller import Caller, Purpose, Scope
from core.http.authentication import Authentication, read_purpose

THUMBNAIL_WIDTH_PX = 240
SAFE_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def build_router(*, previews: PreviewService, authentication: Authentication) -> APIRouter:
    """Build the routes over `previews`."""
    router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE))]
    purposeful = Annotated[Purpose, Depends(read_purpose)]

    @router.get("/{identifier}/preview", response_class=Response)
    async def preview_certificate(
        identifier: str,
        caller: user,
        purpose: purposeful,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        format: PreviewFormat = PreviewFormat.PNG,  # noqa: A002 - the parameter's name in the query
        width: Annotated[int | None, Query(ge=16, le=4096, description="pixels across, of a PNG")] = None,
        watermark: Annotated[str | None, Query(max_length=120, description="text over the page")] = None,
        allow_invalid: bool = False,
    ) -> Response:
        """Draw a page of a certificate, for looking at; it proves nothing, the file does."""
        drawn = await previews.draw(
            identifier,
            page=page,
            form=format,
            width_px=width,
            watermark=None if watermark is None else Watermark(text=watermark),
            allow_invalid=allow_invalid,
            caller=caller,
            purpose=purpose,
        )
        return Response(drawn.data, media_type=drawn.format.media_type, headers=SAFE_HEADERS)

    @router.get("/{identifier}/thumbnail", response_class=Response)
    async def thumbnail_certificate(
        identifier: str, caller: user, purpose: purposeful, allow_invalid: bool = False
    ) -> Response:
        """Draw the first page of a certificate small, for lists."""
        drawn = await previews.draw(
            identifier,
            page=1,
            form=PreviewFormat.PNG,
            width_px=THUMBNAIL_WIDTH_PX,
            watermark=None,
            allow_invalid=allow_invalid,
            caller=caller,
            purpose=purpose,
        )
        return Response(drawn.data, media_type=drawn.format.media_type, headers=SAFE_HEADERS)

    return router
