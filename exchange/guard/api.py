"""Routes of the guard."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.guard.desk import GuardDesk
from exchange.guard.model import Alert, AlertKind, CallLimit, GuardRule, LimitScope


class AlertOut(BaseModel):
    """A pattern noticed; `evidence` holds counts and the ids of the log's leaves."""

    id: UUID
    kind: AlertKind
    level: int
    system_id: UUID
    organisation_code: str
    operator: str | None
    resource_code: str
    detected_at: datetime
    evidence: dict[str, Any]
    released_at: datetime | None
    release_reason: str | None


class ReleaseIn(BaseModel):
    """Why an alert is released."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(max_length=1000)


class RuleBody(BaseModel):
    """A threshold: that many distinct subjects (or calls, for volume) within the window."""

    model_config = ConfigDict(extra="forbid")

    kind: AlertKind
    threshold: int = Field(ge=1, le=10**9)
    window_s: int = Field(ge=60, le=86_400)


class LimitBody(BaseModel):
    """Calls a minute of one system (its id) or organisation (its code); name `*`: of every other one."""

    model_config = ConfigDict(extra="forbid")

    scope: LimitScope
    name: str = Field(pattern=r"^(\*|[0-9A-Za-z-]{1,64})$")
    per_minute: int = Field(ge=1, le=10**9)


def build_router(*, desk: GuardDesk, authentication: Authentication) -> APIRouter:
    """Build the routes over `desk`."""
    router = APIRouter(prefix="/v1/guard", tags=["guard"])
    reader = Annotated[
        Caller, Depends(authentication.requires(Scope.ACCESS_DECIDE, Scope.ADMIN, Scope.AUDIT))
    ]
    releaser = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_DECIDE, Scope.ADMIN))]
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]

    @router.get("/alerts")
    async def list_alerts(caller: reader) -> list[AlertOut]:
        """List the alerts on this organisation's resources and systems, newest first."""
        return [_render(each) for each in await desk.list_alerts(caller=caller)]

    @router.post("/alerts/{alert_id}/release")
    async def release(alert_id: UUID, body: ReleaseIn, caller: releaser) -> AlertOut:
        """Release an alert and lift what was done about it."""
        return _render(await desk.release(caller=caller, alert_id=alert_id, reason=body.reason))

    @router.get("/rules")
    async def list_rules(_caller: administrator) -> list[RuleBody]:
        """List the thresholds."""
        return [
            RuleBody(kind=each.kind, threshold=each.threshold, window_s=each.window_s)
            for each in await desk.list_rules()
        ]

    @router.put("/rules")
    async def set_rule(body: RuleBody, caller: administrator) -> RuleBody:
        """Set the threshold of one kind."""
        await desk.set_rule(caller=caller, rule=GuardRule(**body.model_dump()))
        return body

    @router.get("/limits")
    async def list_limits(_caller: administrator) -> list[LimitBody]:
        """List the limits on calls."""
        return [
            LimitBody(scope=each.scope, name=each.name, per_minute=each.per_minute)
            for each in await desk.list_limits()
        ]

    @router.put("/limits")
    async def set_limit(body: LimitBody, caller: administrator) -> LimitBody:
        """Set one limit on calls."""
        await desk.set_limit(caller=caller, limit=CallLimit(**body.model_dump()))
        return body

    return router


def _render(found: Alert) -> AlertOut:
    return AlertOut(
        id=found.id,
        kind=found.kind,
        level=found.level,
        system_id=found.system_id,
        organisation_code=found.organisation_code,
        operator=found.operator,
        resource_code=found.resource_code,
        detected_at=found.detected_at,
        evidence=dict(found.evidence),
        released_at=found.released_at,
        release_reason=found.release_reason,
    )
