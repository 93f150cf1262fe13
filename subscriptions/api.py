"""Routes of subscriptions and their consumers."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from subscriptions.cursor import MAX_CURSOR_CHARACTERS
from subscriptions.model import Kind, Standing, Start
from subscriptions.service import SubscriptionService

From = Start | Annotated[int, Field(ge=0, lt=2**62)]


class SubscriptionIn(BaseModel):
    """A subscription to begin, under a grant or under the grant on a resource.

    `from`: `now`; `start` (first all rows of the present version, as inserts); or a version's number, to get
    the changes after it.
    """

    model_config = ConfigDict(extra="forbid")

    grant_id: UUID | None = None
    resource: str | None = None
    start: From = Field(default=Start.NOW, alias="from")


class ConsumerIn(BaseModel):
    """Another consumer of a subscription, which begins `from` as a subscription does."""

    model_config = ConfigDict(extra="forbid")

    name: str
    start: From = Field(default=Start.NOW, alias="from")


class ReasonIn(BaseModel):
    """Why something is done; it is kept in the log."""

    model_config = ConfigDict(extra="forbid")

    reason: str


class RewindIn(ReasonIn):
    """Where to read anew from, and why."""

    start: From = Field(alias="from")


class SkipIn(ReasonIn):
    """Up to where to go on without taking changes over, and why."""

    cursor: str = Field(max_length=MAX_CURSOR_CHARACTERS)


class SubscriptionOut(BaseModel):
    """A consumer of a subscription, its last acknowledged cursor, and its lag.

    `lag_rows` counts changes of the resource, before the grant's row filter; `lag_seconds` is the age of the
    oldest version that is not wholly acknowledged.
    """

    id: UUID
    grant_id: UUID
    resource_code: str
    kind: Kind
    consumer: str
    snapshot_version: int | None
    cursor: str
    current_version: int
    lag_versions: int
    lag_rows: int
    lag_seconds: float
    is_granted: bool
    created_at: datetime
    acknowledged_at: datetime | None
    paused_at: datetime | None
    pause_reason: str | None


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
        """List this organisation's subscriptions, each consumer with its lag."""
        return [render_standing(each) for each in await subscriptions.list_own(caller=caller)]

    add_consumers(router, subscriber, subscriptions)
    add_handling(router, subscriber, subscriptions)
    return router


def add_consumers(router: APIRouter, subscriber: Any, subscriptions: SubscriptionService) -> None:
    """Add the routes that list, add and remove consumers."""

    @router.get("/{subscription_id}/consumers")
    async def list_consumers(subscription_id: UUID, caller: subscriber) -> list[SubscriptionOut]:
        """List a subscription's consumers with their lag."""
        found = await subscriptions.list_consumers(caller=caller, subscription_id=subscription_id)
        return [render_standing(each) for each in found]

    @router.post("/{subscription_id}/consumers", status_code=201)
    async def add_consumer(subscription_id: UUID, body: ConsumerIn, caller: subscriber) -> SubscriptionOut:
        """Give a subscription another consumer with a cursor of its own."""
        standing = await subscriptions.add_consumer(
            caller=caller, subscription_id=subscription_id, name=body.name, start=body.start
        )
        return render_standing(standing)

    @router.delete("/{subscription_id}/consumers/{name}", status_code=204)
    async def remove_consumer(
        subscription_id: UUID,
        name: str,
        caller: subscriber,
        reason: Annotated[str, Query(max_length=500)],
    ) -> None:
        """Remove a consumer, all but `default`, with the history of its deliveries."""
        await subscriptions.remove_consumer(
            caller=caller, subscription_id=subscription_id, name=name, reason=reason
        )


def add_handling(router: APIRouter, subscriber: Any, subscriptions: SubscriptionService) -> None:
    """Add the routes that pause, resume and move consumers, each with a reason."""

    @router.post("/{subscription_id}/consumers/{name}/pause")
    async def pause_consumer(
        subscription_id: UUID, name: str, body: ReasonIn, caller: subscriber
    ) -> SubscriptionOut:
        """Hand nothing to a consumer until it is resumed."""
        return render_standing(
            await subscriptions.pause(
                caller=caller, subscription_id=subscription_id, name=name, reason=body.reason
            )
        )

    @router.post("/{subscription_id}/consumers/{name}/resume")
    async def resume_consumer(
        subscription_id: UUID, name: str, body: ReasonIn, caller: subscriber
    ) -> SubscriptionOut:
        """Let a consumer go on."""
        return render_standing(
            await subscriptions.resume(
                caller=caller, subscription_id=subscription_id, name=name, reason=body.reason
            )
        )

    @router.post("/{subscription_id}/consumers/{name}/rewind")
    async def rewind_consumer(
        subscription_id: UUID, name: str, body: RewindIn, caller: subscriber
    ) -> SubscriptionOut:
        """Let a consumer read anew: all rows (`start`), or the changes after a version that is still kept."""
        return render_standing(
            await subscriptions.rewind(
                caller=caller,
                subscription_id=subscription_id,
                name=name,
                start=body.start,
                reason=body.reason,
            )
        )

    @router.post("/{subscription_id}/consumers/{name}/skip")
    async def skip_changes(
        subscription_id: UUID, name: str, body: SkipIn, caller: subscriber
    ) -> SubscriptionOut:
        """Go past changes that a consumer cannot take, up to a cursor."""
        return render_standing(
            await subscriptions.skip(
                caller=caller,
                subscription_id=subscription_id,
                name=name,
                cursor=body.cursor,
                reason=body.reason,
            )
        )


def render_standing(standing: Standing) -> SubscriptionOut:
    """Render a consumer of a subscription."""
    subscription, consumer = standing.subscription, standing.consumer
    since = standing.behind_since
    return SubscriptionOut(
        id=subscription.id,
        grant_id=subscription.grant_id,
        resource_code=subscription.resource_code,
        kind=subscription.kind,
        consumer=consumer.name,
        snapshot_version=consumer.snapshot_version,
        cursor=consumer.acknowledged_cursor,
        current_version=standing.current_version,
        lag_versions=standing.lag_versions,
        lag_rows=standing.lag_rows,
        lag_seconds=0.0 if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds()),
        is_granted=standing.is_granted,
        created_at=subscription.created_at,
        acknowledged_at=consumer.acknowledged_at,
        paused_at=consumer.paused_at,
        pause_reason=consumer.pause_reason,
    )
