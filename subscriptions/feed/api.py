"""The route of the feed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from subscriptions.cursor import MAX_CURSOR_CHARACTERS
from subscriptions.delivery.model import Proof
from subscriptions.feed.negotiate import EVENT_STREAM, OFFERED, choose_media_type
from subscriptions.feed.page import MAX_ROWS, Form, Page
from subscriptions.feed.read import MAX_WAIT_S, FeedReader, Wanted
from subscriptions.feed.stream import ROWS_PER_EVENT, stream_events
from subscriptions.model import DEFAULT_CONSUMER

NEXT_CURSOR_HEADER = "Shuzheng-Next-Cursor"
VERSION_HEADER = "Shuzheng-Current-Version"
DELIVERY_HEADER = "Shuzheng-Delivery"
ROWS_HEADER = "Shuzheng-Rows"
DISPUTED_HEADER = "Shuzheng-Disputed-Rows"
DEFAULT_CHANGES = 1000
CONTENT = {media_type: {"schema": {"type": "string"}} for media_type in OFFERED}


def build_router(*, feed: FeedReader, refusals: RefusalLog, authentication: Authentication) -> APIRouter:
    """Build the route over `feed`."""
    router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]

    @router.get(
        "/{subscription_id}/changes",
        response_class=Response,
        responses={200: {"content": CONTENT, "description": "changes in the form that Accept names"}},
    )
    async def read_changes(
        subscription_id: UUID,
        caller: subscriber,
        request: Request,
        after: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)] = None,
        limit: Annotated[int, Query(ge=1, le=max(MAX_ROWS.values()))] = DEFAULT_CHANGES,
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for a change")] = 0,
        consumer: Annotated[str, Query(max_length=40)] = DEFAULT_CONSUMER,
        proof: Annotated[Proof | None, Query(description="what the manifest digests")] = None,
        last_event_id: Annotated[str | None, Header(max_length=MAX_CURSOR_CHARACTERS)] = None,
    ) -> Response:
        """Read changes in strict order, after a cursor or after what the consumer acknowledged.

        The form is what `Accept` asks for: NDJSON (at most 10,000 changes), an Arrow IPC stream or Parquet
        (at most 250,000), or server-sent events, which begin after `Last-Event-ID` and go on until the client
        leaves. The header `Shuzheng-Next-Cursor` is what to acknowledge, and to read on from;
        `Shuzheng-Delivery` names the delivery, whose signed manifest can be fetched. Values under objection
        are marked in the row (NDJSON), in the schema's metadata (Arrow, Parquet) and in the manifest;
        `Shuzheng-Disputed-Rows` counts the rows that have some. Send the purpose headers.
        """
        media_type = choose_media_type(request.headers.get("accept"))
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=None, action="changes.read"
        )
        streams = media_type == EVENT_STREAM
        wanted = Wanted(
            subscription_id=subscription_id,
            consumer=consumer,
            after=last_event_id if streams and last_event_id else after,
            limit_rows=min(limit, ROWS_PER_EVENT) if streams else limit,
            form=Form.NDJSON if streams else Form(media_type),
            proof=proof,
        )
        page = await feed.read(caller=caller, purpose=purpose, wanted=wanted, wait_s=0 if streams else wait)
        if streams:
            events = stream_events(feed, caller=caller, purpose=purpose, wanted=wanted, first=page)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamingResponse(events, media_type=EVENT_STREAM, headers=headers)
        return Response(page.body, media_type=page.form, headers=_describe(page))

    return router


def _describe(page: Page) -> dict[str, str]:
    headers = {
        NEXT_CURSOR_HEADER: page.next_cursor,
        VERSION_HEADER: str(page.current_version),
        ROWS_HEADER: str(page.table.num_rows),
        DISPUTED_HEADER: str(len(page.disputed)),
        "Vary": "Accept",
        "Cache-Control": "no-store",
    }
    if page.delivery_id is not None:
        headers[DELIVERY_HEADER] = str(page.delivery_id)
    return headers
