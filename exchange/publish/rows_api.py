"""The route of single rows in real time."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from core.caller import Caller, Scope
from core.errors import UnsupportedContent
from core.http.authentication import Authentication
from exchange.publish.api import Key, check_key
from exchange.publish.media import NDJSON
from exchange.publish.model import Mode
from exchange.publish.publish import PublishService
from exchange.publish.rows import RowWriter

ROW_TYPES = (NDJSON, "application/json")


def build_router(
    *, writer: RowWriter, publisher: PublishService, authentication: Authentication
) -> APIRouter:
    """Build the route over `writer`."""
    router = APIRouter(prefix="/v1/resources/{code}/rows", tags=["publish"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]
    body: dict[str, Any] = {
        "requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}
    }

    @router.post("", openapi_extra=body)
    async def write_rows(
        request: Request, code: str, caller: provider, idempotency_key: Key = "", mode: Mode = Mode.UPSERT
    ) -> dict[str, Any]:
        """Write rows, one JSON object a line, and answer once they are committed and can be seen."""
        check_key(idempotency_key)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in ROW_TYPES:
            msg = f"send rows as {NDJSON}, one JSON object a line"
            raise UnsupportedContent(msg)
        if mode is Mode.SNAPSHOT:
            msg = "a snapshot is sent as a batch"
            raise UnsupportedContent(msg)
        resource = await publisher.require_own(code, caller=caller)
        return await writer.write(
            resource, await request.body(), caller=caller, mode=mode, idempotency_key=idempotency_key
        )

    return router
