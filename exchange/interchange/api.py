"""Routes of interchange: the catalogue as a document, out and in."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from core.caller import Caller, Scope
from core.errors import UnsupportedContent
from core.http.authentication import Authentication
from exchange.interchange.model import MEDIA_TYPES, DocumentFormat
from exchange.interchange.service import InterchangeService

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()
        },
    }
}


def build_router(*, interchange: InterchangeService, authentication: Authentication) -> APIRouter:
    """Build the routes over `interchange`."""
    router = APIRouter(prefix="/v1/catalogue", tags=["catalogue"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE))]
    known = Depends(authentication.requires())

    @router.get("/export", dependencies=[known], response_class=Response)
    async def export_catalogue(
        form: Annotated[DocumentFormat, Query(alias="format")] = DocumentFormat.JSON,
        code: Annotated[list[str] | None, Query(max_length=1000)] = None,
        provider: str | None = None,
    ) -> Response:
        """Write published resources as JSON, Excel or DCAT (JSON-LD); all, or those named."""
        content = await interchange.export(form, codes=code or (), provider_code=provider)
        name = f"catalogue.{'jsonld' if form is DocumentFormat.DCAT else form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content=content, media_type=MEDIA_TYPES[form], headers=headers)

    @router.post("/import", openapi_extra=_BODY)
    async def import_catalogue(
        request: Request, caller: provider, draft: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Bring every resource of a document into the catalogue as the caller's own, or none of them.

        The form is told by Content-Type. 422 lists every row or pointer that cannot be taken.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        form = next((form for form, kind in MEDIA_TYPES.items() if kind == media_type), None)
        if form is None:
            msg = f"send a catalogue as one of {', '.join(MEDIA_TYPES.values())}"
            raise UnsupportedContent(msg)
        data = await request.body()
        result = await interchange.import_document(form, data, caller=caller, draft=draft, dry_run=dry_run)
        return {"dry_run": dry_run, **result.render()}

    return router
