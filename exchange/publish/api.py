"""Routes of publishing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect

from core.caller import Caller, Scope
from core.errors import BadInput, TooLarge, UnsupportedContent
from core.http.authentication import Authentication
from core.settings import Settings
from exchange.publish.compression import CODINGS
from exchange.publish.media import EXTENSIONS, MEDIA_TYPES
from exchange.publish.model import Mode
from exchange.publish.publish import PublishService
from exchange.publish.quarantine import Quarantine
from exchange.publish.receive import receive_upload

MAX_KEY_CHARACTERS = 128
Key = Annotated[str, Header(description="required; 1 to 128 printable characters")]
Confirm = Annotated[bool, Query(description="let a snapshot delete more than a fifth")]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
    }
}


def build_router(
    *,
    publisher: PublishService,
    quarantine: Quarantine,
    settings: Settings,
    authentication: Authentication,
) -> APIRouter:
    """Build the routes over `publisher` and `quarantine`."""
    router = APIRouter(prefix="/v1/resources/{code}/batches", tags=["publish"])
    provider = Depends(authentication.requires(Scope.PUBLISH))
    _add_publishing(router, publisher, settings, provider)
    _add_batches(router, publisher, provider)
    _add_quarantine(router, publisher, quarantine, provider)
    _add_download(router, publisher, quarantine, settings, provider)
    return router


def _add_publishing(
    router: APIRouter, publisher: PublishService, settings: Settings, requires_provider: Any
) -> None:
    provider = Annotated[Caller, requires_provider]

    @router.post("", openapi_extra=_BODY)
    async def publish_batch(
        request: Request,
        response: Response,
        code: str,
        caller: provider,
        idempotency_key: Key = "",
        mode: Mode = Mode.UPSERT,
        confirm: Confirm = False,
        dry_run: Annotated[bool, Query(description="validate and report; commit nothing")] = False,
    ) -> dict[str, Any]:
        """Publish a batch. The answer accounts for every row: received = accepted + rejected.

        The same Idempotency-Key with the same body gives the first answer again, with the header
        `Idempotency-Replayed: true`. A body may come with Content-Encoding gzip or zstd.
        """
        if not dry_run:
            check_key(idempotency_key)
        media_type, charset = read_content_type(request.headers.get("content-type", ""))
        coding = read_coding(request.headers.get("content-encoding", "identity"))
        _check_length(request, settings.max_batch_bytes)
        resource = await publisher.require_own(code, caller=caller)
        async with receive_upload(
            read_body(request),
            spool_dir=settings.spool_dir,
            max_bytes=settings.max_batch_bytes,
            media_type=media_type,
            charset=charset,
            coding=coding,
            label=f"{mode} {media_type}",
        ) as upload:
            if dry_run:
                return await publisher.rehearse(resource, upload, mode=mode)
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


def _add_batches(router: APIRouter, publisher: PublishService, requires_provider: Any) -> None:
    provider = Annotated[Caller, requires_provider]

    @router.get("")
    async def list_batches(
        code: str,
        caller: provider,
        idempotency_key: Annotated[str | None, Query(max_length=MAX_KEY_CHARACTERS)] = None,
    ) -> list[dict[str, Any]]:
        """List the newest batches with their progress, or the caller's batch of an Idempotency-Key."""
        resource = await publisher.require_own(code, caller=caller)
        return await publisher.load_batches(resource, caller=caller, idempotency_key=idempotency_key)

    @router.get("/{batch_id}")
    async def show_batch(code: str, batch_id: UUID, caller: provider) -> dict[str, Any]:
        """Show how far a batch is, and its accounting."""
        resource = await publisher.require_own(code, caller=caller)
        return await publisher.load_batch(resource, batch_id)


def _add_quarantine(
    router: APIRouter, publisher: PublishService, quarantine: Quarantine, requires_provider: Any
) -> None:
    provider = Annotated[Caller, requires_provider]

    @router.get("/{batch_id}/rejects")
    async def list_rejects(
        code: str,
        batch_id: UUID,
        caller: provider,
        after: Annotated[int, Query(ge=0)] = 0,
        open_only: Annotated[bool, Query(alias="open", description="only tickets not closed yet")] = False,
    ) -> dict[str, Any]:
        """List refused rows as they were sent, with every reason; a thousand at a time."""
        resource = await publisher.require_own(code, caller=caller)
        found = await quarantine.load_rejects(
            resource, batch_id, caller=caller, after=after, open_only=open_only
        )
        return {"rejects": found, "after": found[-1]["row"] if found else after}

    @router.get("/{batch_id}/flags")
    async def list_flags(
        code: str, batch_id: UUID, caller: provider, after: Annotated[int, Query(ge=0)] = 0
    ) -> dict[str, Any]:
        """List rows that were taken with a mark, and why; a thousand at a time."""
        resource = await publisher.require_own(code, caller=caller)
        found = await quarantine.load_flags(resource, batch_id, caller=caller, after=after)
        return {"flags": found, "after": found[-1]["row"] if found else after}


def _add_download(
    router: APIRouter,
    publisher: PublishService,
    quarantine: Quarantine,
    settings: Settings,
    requires_provider: Any,
) -> None:
    provider = Annotated[Caller, requires_provider]

    @router.get("/{batch_id}/rejects.{extension}", response_class=FileResponse)
    async def download_rejects(
        code: str,
        batch_id: UUID,
        extension: str,
        caller: provider,
        open_only: Annotated[bool, Query(alias="open", description="only tickets not closed yet")] = False,
    ) -> FileResponse:
        """Download all refused rows with their reasons and tickets, to be mended and sent again.

        `rejects.file` is of the kind that the batch came in; `rejects.csv`, `.ndjson`, `.xlsx`, `.parquet`
        and `.arrow` choose another.
        """
        media_type = EXTENSIONS.get(f".{extension}")
        if extension != "file" and (media_type is None or extension == "xls"):
            msg = "rejects are downloaded as file, csv, ndjson, xlsx, parquet or arrow"
            raise BadInput(msg)
        resource = await publisher.require_own(code, caller=caller)
        written = quarantine.write_file(
            resource,
            batch_id,
            caller=caller,
            media_type=media_type,
            open_only=open_only,
            spool_dir=settings.spool_dir,
        )
        file = await written.__aenter__()
        kind = file.media_type if file.charset is None else f"{file.media_type}; charset={file.charset}"

        async def remove() -> None:
            await written.__aexit__(None, None, None)

        return FileResponse(Path(file.path), media_type=kind, background=BackgroundTask(remove))


async def read_body(request: Request) -> AsyncIterator[bytes]:
    """Read a body piece by piece. Raises BadInput where the sender goes away."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as cut:
        msg = "the connection was cut before the batch had come; nothing was changed"
        raise BadInput(msg) from cut


def check_key(key: str) -> None:
    """Let an Idempotency-Key pass. Raises BadInput."""
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable():
        msg = f"send a header Idempotency-Key of 1 to {MAX_KEY_CHARACTERS} printable characters"
        raise BadInput(msg)


def _check_length(request: Request, max_bytes: int) -> None:
    """Refuse a body that is declared too long before any of it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        msg = f"the batch is over the limit of {max_bytes} bytes; send it in smaller parts"
        raise TooLarge(msg)


def read_content_type(header: str) -> tuple[str, str | None]:
    """Read a Content-Type: (media type, charset). Raises UnsupportedContent."""
    media_type, *parameters = [p.strip() for p in header.split(";")]
    if media_type.lower() not in MEDIA_TYPES:
        msg = f"send a batch as one of {', '.join(MEDIA_TYPES)}"
        raise UnsupportedContent(msg)
    given = dict(p.lower().split("=", 1) for p in parameters if "=" in p)
    return media_type.lower(), given.get("charset")


def read_coding(header: str) -> str | None:
    """Read a Content-Encoding; None for identity. Raises UnsupportedContent."""
    coding = header.strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in CODINGS:
        msg = f"a batch comes without Content-Encoding, or with one of {', '.join(CODINGS)}"
        raise UnsupportedContent(msg)
    return coding
