"""Routes of uploads in parts: POST creates, HEAD tells the offset, PATCH appends, publish makes a batch.

The fields `Upload-Offset` and `Upload-Length` are those of tus 1.0 and the IETF's resumable uploads.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from core.caller import Caller, Scope
from core.errors import ShuzhengError, UnsupportedContent
from core.http.authentication import Authentication
from exchange.catalogue.model import Resource
from exchange.publish.api import Confirm, Key, check_key, read_coding, read_content_type
from exchange.publish.model import Mode, PartialUpload
from exchange.publish.publish import PublishService
from exchange.publish.uploads import CutConnection, UploadService

PART_TYPES = ("application/offset+octet-stream", "application/partial-upload")
logger = logging.getLogger(__name__)


Asked = tuple[UUID, str, Mode, bool]
"""An upload that is to be published: its id, the Idempotency-Key, the mode, and what was confirmed."""


class _Background:
    """Publishes whose callers were answered before the end, to be found while they are at work."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], tuple[Asked, UUID]] = {}

    def find(self, asked: Asked) -> UUID | None:
        """Return the batch at work on what is asked; None where there is none in this process."""
        return next((batch_id for each, batch_id in self._running.values() if each == asked), None)

    def start(self, asked: Asked, batch_id: UUID, publish: Callable[[], Awaitable[Any]]) -> None:
        """Let a publish go on by itself; its outcome is kept with the batch."""
        task = asyncio.create_task(_run(publish))
        self._running[task] = asked, batch_id
        task.add_done_callback(self._running.pop)


async def _run(publish: Callable[[], Awaitable[Any]]) -> None:
    try:
        await publish()
    except ShuzhengError as error:
        logger.info("a batch was not published: %s", error.code)


class UploadIn(BaseModel):
    """An upload to begin: what the whole body will be, and how long."""

    model_config = ConfigDict(extra="forbid")

    content_type: str
    content_encoding: str = "identity"
    length: Annotated[int | None, Field(ge=1)] = None


def build_router(
    *, uploads: UploadService, publisher: PublishService, part_bytes: int, authentication: Authentication
) -> APIRouter:
    """Build the routes over `uploads`; a part is at most `part_bytes` long."""
    router = APIRouter(prefix="/v1/resources/{code}/uploads", tags=["publish"])
    provider = Depends(authentication.requires(Scope.PUBLISH))
    _add_parts(router, uploads, publisher, part_bytes, provider)
    _add_publishing(router, uploads, publisher, provider)
    return router


def _add_parts(
    router: APIRouter,
    uploads: UploadService,
    publisher: PublishService,
    part_bytes: int,
    requires_provider: Any,
) -> None:
    provider = Annotated[Caller, requires_provider]

    @router.post("", status_code=201)
    async def create_upload(
        code: str, body: UploadIn, response: Response, caller: provider
    ) -> dict[str, Any]:
        """Begin an upload that survives a cut connection; send parts of at most `part_bytes` with PATCH."""
        media_type, charset = read_content_type(body.content_type)
        resource = await publisher.require_own(code, caller=caller)
        upload = await uploads.create(
            resource,
            caller=caller,
            media_type=media_type,
            charset=charset,
            coding=read_coding(body.content_encoding),
            length_bytes=body.length,
        )
        response.headers["Location"] = f"/v1/resources/{code}/uploads/{upload.id}"
        return {"upload": str(upload.id), "offset": 0, "part_bytes": part_bytes}

    @router.head("/{upload_id}", status_code=204)
    async def show_offset(code: str, upload_id: UUID, caller: provider) -> Response:
        """Tell the offset at which the next part begins."""
        resource = await publisher.require_own(code, caller=caller)
        return _render(await uploads.load(resource, upload_id, caller=caller))

    @router.patch("/{upload_id}", status_code=204)
    async def append_part(
        request: Request,
        code: str,
        upload_id: UUID,
        caller: provider,
        upload_offset: Annotated[int, Header(ge=0)],
    ) -> Response:
        """Append a part. What comes before a connection is cut is kept; HEAD tells how much."""
        if request.headers.get("content-type", "") not in PART_TYPES:
            msg = f"a part is sent as {PART_TYPES[0]}"
            raise UnsupportedContent(msg)
        resource = await publisher.require_own(code, caller=caller)
        return _render(
            await uploads.append(
                resource, upload_id, caller=caller, offset_bytes=upload_offset, body=_read_body(request)
            )
        )

    @router.delete("/{upload_id}", status_code=204)
    async def delete_upload(code: str, upload_id: UUID, caller: provider) -> None:
        """Throw an upload away."""
        await uploads.delete(await publisher.require_own(code, caller=caller), upload_id, caller=caller)


def _add_publishing(
    router: APIRouter, uploads: UploadService, publisher: PublishService, requires_provider: Any
) -> None:
    provider = Annotated[Caller, requires_provider]
    background = _Background()

    @router.post("/{upload_id}/publish")
    async def publish_upload(
        request: Request,
        response: Response,
        code: str,
        upload_id: UUID,
        caller: provider,
        idempotency_key: Key = "",
        mode: Mode = Mode.UPSERT,
        confirm: Confirm = False,
    ) -> dict[str, Any]:
        """Publish a whole upload as a batch; the answer is that of sending it at once.

        With `Prefer: respond-async` (RFC 7240) the answer is 202 with the batch to ask for; asked for again
        while this process is at work on it, the same one, and nothing is read anew.
        """
        check_key(idempotency_key)
        resource = await publisher.require_own(code, caller=caller)
        asked = upload_id, idempotency_key, mode, confirm
        is_async = "respond-async" in request.headers.get("prefer", "")
        if is_async and (begun := background.find(asked)) is not None:
            await uploads.load(resource, upload_id, caller=caller)
            return _accept(response, code, begun)
        opened = uploads.open(resource, upload_id, caller=caller, mode=mode)
        upload = await opened.__aenter__()
        try:
            batch_id, answer = await publisher.begin(
                resource, upload, caller=caller, mode=mode, idempotency_key=idempotency_key
            )
        except BaseException:
            await opened.__aexit__(None, None, None)
            raise

        async def publish() -> dict[str, Any]:
            try:
                published = await publisher.publish_begun(
                    resource, upload, batch_id=batch_id, caller=caller, mode=mode, confirm=confirm
                )
                await _discard(uploads, resource, upload_id, caller)
                return published.answer
            finally:
                await opened.__aexit__(None, None, None)

        if answer is not None:
            await opened.__aexit__(None, None, None)
            response.headers["Idempotency-Replayed"] = "true"
            return answer
        if not is_async:
            return await publish()
        background.start(asked, batch_id, publish)
        return _accept(response, code, batch_id)


def _accept(response: Response, code: str, batch_id: UUID) -> dict[str, Any]:
    response.status_code = 202
    response.headers["Location"] = f"/v1/resources/{code}/batches/{batch_id}"
    return {"batch": str(batch_id), "state": "receiving"}


async def _discard(uploads: UploadService, resource: Resource, upload_id: UUID, caller: Caller) -> None:
    """Throw the parts of a published upload away; where that fails, they expire."""
    try:
        await uploads.delete(resource, upload_id, caller=caller)
    except ShuzhengError as error:
        logger.warning("parts of a published upload stay until they expire: %s", error.code)


async def _read_body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as cut:
        raise CutConnection from cut


def _render(upload: PartialUpload) -> Response:
    headers = {"Upload-Offset": str(upload.offset_bytes)}
    if upload.length_bytes is not None:
        headers["Upload-Length"] = str(upload.length_bytes)
    return Response(status_code=204, headers=headers)
