"""Routes of publishing."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from core.caller import Caller, Scope
from core.errors import BadInput, TooLarge, UnsupportedContent
from core.http.authentication import Authentication
from core.settings import Settings
from exchange.publish.decode import ADDED_HEADERS, MEDIA_TYPES
from exchange.publish.model import Mode
from exchange.publish.publish import PublishService
from exchange.publish.receive import receive_upload

MAX_KEY_CHARACTERS = 128
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
    }
}


def build_router(
    *, publisher: PublishService, settings: Settings, authentication: Authentication
) -> APIRouter:
    """Build the routes over `publisher`."""
    router = APIRouter(prefix="/v1/resources/{code}/batches", tags=["publish"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]

    @router.post("", openapi_extra=_BODY)
    async def publish_batch(
        request: Request,
        response: Response,
        code: str,
        caller: provider,
        idempotency_key: Annotated[str, Header(description="required; 1 to 128 printable characters")] = "",
        mode: Mode = Mode.UPSERT,
        confirm: Annotated[bool, Query(description="let a snapshot delete more than a fifth")] = False,
    ) -> dict[str, Any]:
        """Publish a batch. The answer accounts for every row: received = accepted + rejected.

        The same Idempotency-Key with the same body gives the first answer again, with the header
        `Idempotency-Replayed: true`.
        """
        _check_key(idempotency_key)
        media_type, charset = _read_content_type(request)
        _check_length(request, settings.max_batch_bytes)
        resource = await publisher.require_own(code, caller=caller)
        async with receive_upload(
            request.stream(),
            spool_dir=settings.spool_dir,
            max_bytes=settings.max_batch_bytes,
            media_type=media_type,
            charset=charset,
            label=f"{mode} {media_type}",
        ) as upload:
            published = await publisher.publish(
                resource,
                upload,
                caller=caller,
                mode=mode,
                idempotency_key=idempotency_key,
                confirm=confirm,
            )
        if published.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return published.answer

    @router.get("/{batch_id}")
    async def show_batch(code: str, batch_id: UUID, caller: provider) -> dict[str, Any]:
        """Show how far a batch is, and its accounting."""
        resource = await publisher.require_own(code, caller=caller)
        return await publisher.load_batch(resource, batch_id)

    @router.get("/{batch_id}/rejects")
    async def list_rejects(
        code: str, batch_id: UUID, caller: provider, after: Annotated[int, Query(ge=0)] = 0
    ) -> dict[str, Any]:
        """List refused rows as they were sent, with every reason; a thousand at a time."""
        resource = await publisher.require_own(code, caller=caller)
        found = await publisher.load_rejects(resource, batch_id, caller=caller, after=after)
        return {"rejects": found, "after": found[-1]["row"] if found else after}

    @router.get("/{batch_id}/rejects.csv", response_class=StreamingResponse)
    async def download_rejects(code: str, batch_id: UUID, caller: provider) -> StreamingResponse:
        """Download all refused rows as CSV with their reasons, to be mended and sent again."""
        resource = await publisher.require_own(code, caller=caller)
        await publisher.load_batch(resource, batch_id)
        headers = await publisher.load_reject_headers(batch_id)
        pages = publisher.read_rejects(resource, batch_id, caller=caller)
        return StreamingResponse(_stream_csv(headers, pages), media_type="text/csv; charset=utf-8")

    return router


async def _stream_csv(headers: list[str], pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[str]:
    columns = [header for header in headers if header and header not in ADDED_HEADERS]
    row, line, reasons = ADDED_HEADERS
    yield render_line([row, *columns, line, reasons])
    async for page in pages:
        yield "".join(render_reject(reject, columns) for reject in page)


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable():
        msg = f"send a header Idempotency-Key of 1 to {MAX_KEY_CHARACTERS} printable characters"
        raise BadInput(msg)


def _check_length(request: Request, max_bytes: int) -> None:
    """Refuse a body that is declared too long before any of it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        msg = f"the batch is over the limit of {max_bytes} bytes; send it in smaller parts"
        raise TooLarge(msg)


def _read_content_type(request: Request) -> tuple[str, str | None]:
    media_type, *parameters = [p.strip() for p in request.headers.get("content-type", "").split(";")]
    if media_type.lower() not in MEDIA_TYPES:
        msg = f"send a batch as one of {', '.join(MEDIA_TYPES)}"
        raise UnsupportedContent(msg)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        msg = "a batch is sent without Content-Encoding"
        raise UnsupportedContent(msg)
    given = dict(p.lower().split("=", 1) for p in parameters if "=" in p)
    return media_type.lower(), given.get("charset")


def render_reject(reject: dict[str, Any], columns: list[str]) -> str:
    """Write a refused row: number, cells, the raw line where it could not be split, every reason."""
    original = reject["original"]
    reasons = "; ".join(f"{reason['code']}: {reason['detail']}" for reason in reject["reasons"])
    cells = [original.get(column) or "" for column in columns]
    return render_line([str(reject["row"]), *cells, original.get("") or "", reasons])


def render_line(cells: list[str]) -> str:
    """Write one CSV line; a cell that a spreadsheet would run as a formula gets a leading apostrophe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
