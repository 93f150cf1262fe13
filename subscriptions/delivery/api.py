"""Routes of deliveries: acknowledge, history, manifests."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from subscriptions.api import SubscriptionOut, render_standing
from subscriptions.cursor import MAX_CURSOR_CHARACTERS
from subscriptions.delivery.acknowledge import MAX_COUNTERSIGNED, Acknowledger
from subscriptions.delivery.model import Delivery
from subscriptions.model import DEFAULT_CONSUMER
from subscriptions.service import SubscriptionService

MAX_LISTED = 200
ConsumerName = Annotated[str, Query(max_length=40)]
Countersignature = Annotated[Base64Bytes, Field(max_length=200)]


class AcknowledgementIn(BaseModel):
    """How far changes have been taken over, and signatures over the manifests of their deliveries.

    Each is base64 of the SM2 signature (r ‖ s, SM3, default ID) over the manifest's bytes as
    `…/deliveries/{id}/manifest` gives them.
    """

    model_config = ConfigDict(extra="forbid")

    cursor: str = Field(max_length=MAX_CURSOR_CHARACTERS)
    countersignatures: dict[UUID, Countersignature] = Field(
        default_factory=dict, max_length=MAX_COUNTERSIGNED
    )


class DeliveryOut(BaseModel):
    """A batch that was handed over, and what the subscriber said to it."""

    id: UUID
    media_type: str
    first: str
    last: str
    from_cursor: str
    to_cursor: str
    rows: int
    size_bytes: int
    delivered_at: datetime
    acknowledged_at: datetime | None
    is_countersigned: bool


class CountersignatureOut(BaseModel):
    """A subscriber's signature (base64 of r ‖ s) over a manifest; `shuzheng reconcile` checks it."""

    algorithm: str
    manifest_sm3: str
    signature: str
    public_key: str


def build_router(
    *, subscriptions: SubscriptionService, acknowledger: Acknowledger, authentication: Authentication
) -> APIRouter:
    """Build the routes over `acknowledger`."""
    router = APIRouter(prefix="/v1/subscriptions/{subscription_id}", tags=["subscriptions"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]

    @router.post("/ack")
    async def acknowledge(
        subscription_id: UUID,
        body: AcknowledgementIn,
        caller: subscriber,
        consumer: ConsumerName = DEFAULT_CONSUMER,
    ) -> SubscriptionOut:
        """Acknowledge everything up to a cursor, countersigning its deliveries where the system has a key."""
        await acknowledger.acknowledge(
            caller=caller,
            subscription_id=subscription_id,
            consumer=consumer,
            cursor=body.cursor,
            countersignatures=body.countersignatures,
        )
        standing = await subscriptions.find(caller=caller, subscription_id=subscription_id, consumer=consumer)
        return render_standing(standing)

    add_deliveries(router, subscriber, acknowledger)
    return router


def add_deliveries(router: APIRouter, subscriber: Any, acknowledger: Acknowledger) -> None:
    """Add the routes that show deliveries, their manifests and receipts."""

    @router.get("/deliveries")
    async def list_deliveries(
        subscription_id: UUID,
        caller: subscriber,
        consumer: ConsumerName = DEFAULT_CONSUMER,
        before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    ) -> list[DeliveryOut]:
        """List what was delivered, the newest first."""
        found = await acknowledger.list_deliveries(
            caller=caller, subscription_id=subscription_id, consumer=consumer, before=before, limit=limit
        )
        return [render_delivery(delivery) for delivery in found]

    @router.get("/deliveries/{delivery_id}/manifest", response_class=Response)
    async def read_manifest(
        subscription_id: UUID,
        delivery_id: UUID,
        caller: subscriber,
        consumer: ConsumerName = DEFAULT_CONSUMER,
    ) -> Response:
        """Return a delivery's manifest: canonical JSON, the bytes that a countersignature signs."""
        found = await acknowledger.find_delivery(
            caller=caller, subscription_id=subscription_id, consumer=consumer, delivery_id=delivery_id
        )
        return Response(found.manifest, media_type="application/json")

    @router.get("/deliveries/{delivery_id}/receipt", response_class=Response)
    async def read_receipt(
        subscription_id: UUID,
        delivery_id: UUID,
        caller: subscriber,
        consumer: ConsumerName = DEFAULT_CONSUMER,
    ) -> Response:
        """Return the hub's signed receipt with the manifest in it; `shuzheng receipt verify` checks it."""
        found = await acknowledger.find_delivery(
            caller=caller, subscription_id=subscription_id, consumer=consumer, delivery_id=delivery_id
        )
        return Response(found.receipt, media_type="application/json")

    @router.get("/deliveries/{delivery_id}/countersignature")
    async def read_countersignature(
        subscription_id: UUID,
        delivery_id: UUID,
        caller: subscriber,
        consumer: ConsumerName = DEFAULT_CONSUMER,
    ) -> CountersignatureOut:
        """Return the subscriber's signature over a delivery's manifest, and the key that made it."""
        found = await acknowledger.prove(
            caller=caller, subscription_id=subscription_id, consumer=consumer, delivery_id=delivery_id
        )
        return CountersignatureOut(**found)


def render_delivery(delivery: Delivery) -> DeliveryOut:
    """Render a delivery."""
    return DeliveryOut(
        id=delivery.id,
        media_type=delivery.form,
        first=str(delivery.first),
        last=str(delivery.last),
        from_cursor=delivery.from_cursor,
        to_cursor=delivery.to_cursor,
        rows=delivery.rows,
        size_bytes=delivery.size_bytes,
        delivered_at=delivery.delivered_at,
        acknowledged_at=delivery.acknowledged_at,
        is_countersigned=delivery.countersignature is not None,
    )
