"""The route of alerts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from subscriptions.operations.model import AlertKind
from subscriptions.operations.service import OperationsService


class AlertOut(BaseModel):
    """One thing to see to."""

    kind: AlertKind
    organisation_code: str
    subscription_id: UUID
    resource_code: str
    consumer: str
    detail: str
    since: datetime | None


def build_router(*, operations: OperationsService, authentication: Authentication) -> APIRouter:
    """Build the routes over `operations`."""
    router = APIRouter(prefix="/v1", tags=["subscriptions"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]

    async def render(caller: Caller) -> list[AlertOut]:
        return [
            AlertOut(
                kind=alert.kind,
                organisation_code=alert.organisation_code,
                subscription_id=alert.subscription_id,
                resource_code=alert.resource_code,
                consumer=alert.consumer,
                detail=alert.detail,
                since=alert.since,
            )
            for alert in await operations.list_alerts(caller=caller)
        ]

    @router.get("/subscription-alerts")
    async def list_alerts(caller: subscriber) -> list[AlertOut]:
        """List what this organisation should see to: lag, stopped targets, dead letters, late leads."""
        return await render(caller)

    @router.get("/subscription-alerts/all")
    async def list_all_alerts(caller: administrator) -> list[AlertOut]:
        """List what any organisation should see to, for the platform's administrators."""
        return await render(caller)

    return router
