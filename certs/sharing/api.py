"""The routes of the sharing services (GB/T 36906-2018): JSON by POST, in the envelope head and data."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from certs.sharing.errors import InputEmpty, result_of
from certs.sharing.model import Asked, CallResult, Head, RequestIn, ResponseHead, ResponseOut
from certs.sharing.service import Asking, SharingService
from core.caller import Purpose, Scope
from core.errors import FieldError, SchemaViolation, ShuzhengError
from core.http.authentication import Authentication, read_bearer
from core.text import check_text

PREFIX = "/gbt36906"
DONE = "成功"
_CONTEXT = ("itemCode", "businessCode", "username")

Operation = Callable[[Asked, Asking], Awaitable[Any]]


class EnvelopeRoute(APIRoute):
    """A route whose errors leave in the envelope too: counterparts read `head.status`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler so that the edge finds how this route tells its errors."""
        handle = super().get_route_handler()

        async def handle_in_envelope(request: Request) -> Response:
            request.state.render_error = render_error
            return await handle(request)

        return handle_in_envelope


def build_router(*, sharing: SharingService, authentication: Authentication) -> APIRouter:
    """Build the routes over `sharing`."""
    router = APIRouter(prefix=PREFIX, tags=["sharing"], route_class=EnvelopeRoute)

    async def list_items(asked: Asked, _: Asking) -> list[dict[str, Any]]:
        return await sharing.list_items(asked)

    def add(name: str, title: str, operation: Operation) -> None:
        async def call(body: RequestIn, request: Request) -> ResponseOut:
            token = body.head.accessToken or read_bearer(request)
            caller = await authentication.admit_token(request, token, Scope.CERTIFICATE_USE)
            data = await operation(body.data, Asking(caller=caller, purpose=_read_purpose(body.head)))
            return ResponseOut(head=ResponseHead(status=CallResult.OK, message=DONE), data=data)

        router.add_api_route(f"/{name}", call, methods=["POST"], name=name, summary=title, description=title)

    add("queryCert", "Find the certificates of a holder, of one type (证照检索)", sharing.search)
    add("queryCertByNumber", "Find certificates by their number (证照查询)", sharing.search_by_number)
    add("queryCertInfo", "Fetch the metadata of a certificate (证照信息获取)", sharing.fetch_metadata)
    add("queryCertInfoByQRcode", "Fetch metadata by the QR code on the face", sharing.fetch_by_qr)
    add("queryCertInfoByHolderCode", "Fetch the metadata of a holder's certificates", sharing.fetch_by_holder)
    add("downloadFile", "Fetch a file in the answer (下载文件)", sharing.download)
    add("downloadUrl", "Get a one-time address of an annotated copy (下载地址)", sharing.download_url)
    add("downloadUrlsByHolderCode", "Get addresses of a holder's copies", sharing.download_urls_by_holder)
    add("verifyCertInfo", "Verify what is said about a certificate (信息验证)", sharing.verify_data)
    add("verifyFile", "Verify a file (文件验证)", sharing.verify_file)
    add("getCertRemarkInfo", "List what verifyCertInfo may be asked (照面信息)", list_items)
    return router


def render_error(error: ShuzhengError) -> JSONResponse:
    """Render an error in the envelope."""
    pointers = ", ".join(each.pointer for each in error.errors[:20])
    message = f"{error.detail} ({pointers})" if pointers else error.detail
    refused = ResponseOut(head=ResponseHead(status=result_of(error), message=message))
    return JSONResponse(refused.model_dump(mode="json"))


def _read_purpose(head: Head) -> Purpose:
    """Read the case from the head. Raises InputEmpty naming what is missing, SchemaViolation."""
    values = [(getattr(head, name) or "").strip() for name in _CONTEXT]
    missing = [name for name, value in zip(_CONTEXT, values, strict=True) if not value]
    if missing:
        msg = "every call says what it is for: send itemCode, businessCode and username in the head"
        raise InputEmpty(
            msg,
            errors=tuple(
                FieldError(pointer=f"/head/{each}", code="REQUIRED", detail=msg) for each in missing
            ),
        )
    errors = [
        error
        for name, value in zip(_CONTEXT, values, strict=True)
        for error in check_text(f"/head/{name}", value, max_characters=128)
    ]
    if errors:
        msg = "the head is not all right"
        raise SchemaViolation(msg, errors=tuple(errors))
    service_item, case_number, operator = values
    return Purpose(service_item=service_item, case_number=case_number, operator=operator)
