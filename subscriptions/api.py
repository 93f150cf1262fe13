"""Routes of subscriptions."""

import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from exchange.access.values import render_value
from subscriptions.cursor import MAX_CURSOR_CHARACTERS
from subscriptions.model import Change, Standing, Start
from subscriptions.service import MAX_WAIT_S, SubscriptionService

NDJSON = "application/x-ndjson"
NEXT_CURSOR_HEADER = "Shuzheng-Next-Cursor"
VERSION_HEADER = "Shuzheng-Current-Version"
MAX_CHANGES = 10_000
DEFAULT_CHANGES = 1000


class SubscriptionIn(BaseModel):
    """A subscription to begin, under a grant or under the grant on a resource.

    `from`: `now`; `start` (first all rows of the present version, as inserts); or a version's number, to get
    the changes after it.
    """

    model_config = ConfigDict(extra="forbid")

    grant_id: UUID | None = None
    resource: str | None = None
    start: Start | Annotated[int, Field(ge=0, lt=2**62)] = Field(default=Start.NOW, alias="from")


class AcknowledgementIn(BaseModel):
    """How far changes have been taken over."""

    model_config = ConfigDict(extra="forbid")

    cursor: str = Field(max_length=MAX_CURSOR_CHARACTERS)


class SubscriptionOut(BaseModel):
    """A subscription, its last acknowledged cursor, and its lag in versions."""

    id: UUID
    grant_id: UUID
    resource_code: str
    snapshot_version: int | None
    cursor: str
    current_version: int
    lag_versions: int
    is_granted: bool
    created_at: datetime
    acknowledged_at: datetime | None


def build_router(
    *, subscriptions: SubscriptionService, refusals: RefusalLog, authentication: Authentication
) -> APIRouter:
    """Build the routes over `subscriptions`."""
    router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]

    @router.post("", status_code=201)
    async def subscribe(body: SubscriptionIn, caller: subscriber, request: Request) -> SubscriptionOut:
        """Begin a subscription. Send the purpose headers, as with every access."""
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=body.resource, action="subscribe"
        )
        standing = await subscriptions.create(
            caller=caller,
            purpose=purpose,
            grant_id=body.grant_id,
            resource_code=body.resource,
            start=body.start,
        )
        return render_standing(standing)

    @router.get("")
    async def list_subscriptions(caller: subscriber) -> list[SubscriptionOut]:
        """List this organisation's subscriptions with their lag."""
        return [render_standing(each) for each in await subscriptions.list_own(caller=caller)]

    @router.get(
        "/{subscription_id}/changes",
        response_class=Response,
        responses={200: {"content": {NDJSON: {}}, "description": "one change per line"}},
    )
    async def read_changes(
        subscription_id: UUID,
        caller: subscriber,
        request: Request,
        after: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_CHANGES)] = DEFAULT_CHANGES,
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for a change")] = 0,
    ) -> Response:
        """Read changes as NDJSON, in strict order, after a cursor or after what was acknowledged.

        The header `Shuzheng-Next-Cursor` is what to acknowledge, and to read on from.
        Send the purpose headers.
        """
        purpose = await refusals.read_purpose(
            request, caller=caller, resource_code=None, action="changes.read"
        )
        page = await subscriptions.read(
            caller=caller,
            purpose=purpose,
            subscription_id=subscription_id,
            after=after,
            limit_rows=limit,
            wait_s=wait,
        )
        headers = {NEXT_CURSOR_HEADER: page.next_cursor, VERSION_HEADER: str(page.current_version)}
        body = "".join(map(render_change, page.changes))
        return Response(body, media_type=NDJSON, headers=headers)

    @router.post("/{subscription_id}/ack")
    async def acknowledge(
        subscription_id: UUID, body: AcknowledgementIn, caller: subscriber
    ) -> SubscriptionOut:
        """Acknowledge everything up to a cursor."""
        standing = await subscriptions.acknowledge(
            caller=caller, subscription_id=subscription_id, cursor=body.cursor
        )
        return render_standing(standing)

    return router


def render_change(change: Change) -> str:
    """Write one change as a line of NDJSON."""
    line = {
        "version": change.position.version,
        "sequence": change.position.sequence,
        "operation": str(change.operation),
        "key": {name: render_value(value) for name, value in change.key.items()},
        "row": None
        if change.row is None
        else {name: render_value(value) for name, value in change.row.items()},
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def render_standing(standing: Standing) -> SubscriptionOut:
    """Render a subscription."""
    found = standing.subscription
    return SubscriptionOut(
        id=found.id,
        grant_id=found.grant_id,
        resource_code=found.resource_code,
        snapshot_version=found.snapshot_version,
        cursor=found.acknowledged_cursor,
        current_version=standing.current_version,
        lag_versions=standing.lag_versions,
        is_granted=standing.is_granted,
        created_at=found.created_at,
        acknowledged_at=found.acknowledged_at,
    )
