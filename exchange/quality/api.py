"""Routes of quality rules and reports."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.catalogue.model import Rule, RuleKind, Severity
from exchange.publish.publish import PublishService
from exchange.quality.service import QualityService


class RuleIn(BaseModel):
    """One rule; `exchange.catalogue.model.Rule` says what each kind asks of the fields."""

    model_config = ConfigDict(extra="forbid")

    kind: RuleKind
    items: list[str]
    severity: Severity = Severity.REJECT
    values: list[str] = []
    target: str | None = None


class RulesIn(BaseModel):
    """All rules of a resource."""

    model_config = ConfigDict(extra="forbid")

    rules: list[RuleIn]


def build_router(
    *, quality: QualityService, publisher: PublishService, authentication: Authentication
) -> APIRouter:
    """Build the routes over `quality`; `publisher` knows whose a resource is."""
    router = APIRouter(prefix="/v1/resources/{code}/quality", tags=["quality"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]

    @router.get("")
    async def show_quality(
        code: str, caller: provider, days: Annotated[int, Query(ge=1, le=3660)] = 90
    ) -> dict[str, Any]:
        """Show score, characteristics and the trend by day of the caller's resource."""
        return await quality.report(await publisher.require_own(code, caller=caller), days=days)

    @router.get("/rules")
    async def show_rules(code: str, caller: provider) -> dict[str, Any]:
        """Show the quality rules of the caller's resource."""
        resource = await publisher.require_own(code, caller=caller)
        return render_rules(await quality.load_rules(resource))

    @router.put("/rules")
    async def set_rules(code: str, body: RulesIn, caller: provider) -> dict[str, Any]:
        """Set the quality rules of the caller's resource; batches after this meet them."""
        resource = await publisher.require_own(code, caller=caller)
        rules = tuple(
            Rule(
                kind=rule.kind,
                items=tuple(rule.items),
                severity=rule.severity,
                values=tuple(rule.values),
                target=rule.target,
            )
            for rule in body.rules
        )
        await quality.set_rules(resource, rules, caller=caller)
        return render_rules(rules)

    return router


def render_rules(rules: tuple[Rule, ...]) -> dict[str, Any]:
    """Render rules as they are set."""
    return {
        "rules": [
            {
                "kind": rule.kind,
                "items": list(rule.items),
                "severity": rule.severity,
                "values": list(rule.values),
                "target": rule.target,
            }
            for rule in rules
        ]
    }
