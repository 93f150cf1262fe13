"""Routes of grants once given: list, renew, shrink, revoke, report their use; and of masks."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.api import Role
from exchange.access.grants import GrantService, Shrink
from exchange.access.model import GrantUse, Mode, Quotas
from exchange.access.service import AccessService
from exchange.access.wire import (
    MAX_LISTED,
    MAX_VALID_DAYS,
    ApplicationOut,
    GrantOut,
    MasksIn,
    Quota,
    ReasonIn,
    RowFilterIn,
    ShortText,
    read_end,
    render_application,
    render_grant,
)

DEFAULT_REPORT_DAYS = 90


class RenewalIn(BaseModel):
    """How long a grant is to last. Give `valid_days` from now or `valid_until`, or neither for a year."""

    model_config = ConfigDict(extra="forbid")

    valid_days: int | None = Field(default=None, ge=1, le=MAX_VALID_DAYS)
    valid_until: AwareDatetime | None = None


class ShrinkIn(BaseModel):
    """What a grant is to give less of; what is left out stays as it is. A provider gives a reason."""

    model_config = ConfigDict(extra="forbid")

    items: list[ShortText] | None = Field(default=None, max_length=MAX_LISTED)
    modes: list[Mode] | None = Field(default=None, max_length=4)
    service_items: list[ShortText] | None = Field(default=None, max_length=MAX_LISTED)
    row_filter: RowFilterIn = Field(default_factory=dict)
    masks: MasksIn = Field(default_factory=dict)
    calls_per_day: Quota | None = None
    rows_per_day: Quota | None = None
    valid_until: AwareDatetime | None = None
    reason: ShortText = ""


class ItemUseOut(BaseModel):
    """How often an item was given out or verified."""

    item: str
    calls: int
    last_used_at: datetime | None


class GrantUseOut(BaseModel):
    """How a grant was used. `unused_items` could be given back with a shrink."""

    grant_id: UUID
    since: datetime
    calls: int
    rows: int
    items: list[ItemUseOut]
    unused_items: list[str]


class MasksBody(BaseModel):
    """The default masks of a resource."""

    model_config = ConfigDict(extra="forbid")

    masks: MasksIn


class MasksOut(BaseModel):
    """The default masks of a resource: item → service item → mask."""

    masks: dict[str, dict[str, Any]]


def build_router(*, access: AccessService, grants: GrantService, authentication: Authentication) -> APIRouter:
    """Build the routes over `grants`; renewals are requests like others, over `access`."""
    router = APIRouter(prefix="/v1", tags=["access"])
    applicant = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_APPLY))]
    decider = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_DECIDE))]
    either = Annotated[Caller, Depends(authentication.requires(Scope.ACCESS_APPLY, Scope.ACCESS_DECIDE))]

    @router.get("/grants")
    async def list_grants(caller: either, role: Role = "applicant") -> list[GrantOut]:
        """List the grants that this organisation holds, or that were given on its resources."""
        found = await grants.list_grants(caller=caller, as_provider=role == "provider")
        return [render_grant(each) for each in found]

    @router.post("/grants/{grant_id}/revocation")
    async def revoke(grant_id: UUID, body: ReasonIn, caller: decider) -> GrantOut:
        """Revoke a grant; from now on every call under it is refused."""
        return render_grant(await grants.revoke(caller=caller, grant_id=grant_id, reason=body.reason))

    @router.post("/grants/{grant_id}/renewal", status_code=201)
    async def renew(grant_id: UUID, body: RenewalIn, caller: applicant) -> ApplicationOut:
        """Ask for a grant to last longer on the same terms; decided like any application."""
        end = read_end(body.valid_days, body.valid_until, now=access.tell_time())
        return render_application(await access.renew(caller=caller, grant_id=grant_id, valid_until=end))

    @router.post("/grants/{grant_id}/shrink")
    async def shrink(grant_id: UUID, body: ShrinkIn, caller: either) -> GrantOut:
        """Narrow a grant at once, as its holder or as the provider; nothing ever widens."""
        return render_grant(await grants.shrink(caller=caller, grant_id=grant_id, shrink=_read_shrink(body)))

    @router.get("/grants/{grant_id}/use")
    async def report_use(
        grant_id: UUID,
        caller: either,
        days: Annotated[int, Query(ge=1, le=MAX_VALID_DAYS)] = DEFAULT_REPORT_DAYS,
    ) -> GrantUseOut:
        """Report how a grant was used in the last days, and which of its items never were."""
        since = access.tell_time() - timedelta(days=days)
        return _render_use(await grants.report_use(caller=caller, grant_id=grant_id, since=since))

    @router.get("/resources/{code}/masks")
    async def load_masks(code: str, caller: decider) -> MasksOut:
        """Show a resource's default masks, to its provider."""
        masks = await grants.load_masks(caller=caller, resource_code=code)
        return MasksOut(masks={item: dict(each) for item, each in masks.items()})

    @router.put("/resources/{code}/masks")
    async def set_masks(code: str, body: MasksBody, caller: decider) -> MasksOut:
        """Set how a resource's items are masked where a grant says nothing else; at once, for all grants."""
        await grants.set_masks(caller=caller, resource_code=code, masks=body.masks)
        return MasksOut(masks=body.masks)

    return router


def _read_shrink(body: ShrinkIn) -> Shrink:
    return Shrink(
        items=None if body.items is None else tuple(dict.fromkeys(body.items)),
        modes=None if body.modes is None else frozenset(body.modes),
        service_items=None if body.service_items is None else tuple(dict.fromkeys(body.service_items)),
        row_filter=body.row_filter,
        masks=body.masks,
        quotas=Quotas(calls_per_day=body.calls_per_day, rows_per_day=body.rows_per_day),
        valid_until=body.valid_until,
        reason=body.reason,
    )


def _render_use(found: GrantUse) -> GrantUseOut:
    return GrantUseOut(
        grant_id=found.grant.id,
        since=found.since,
        calls=found.calls,
        rows=found.rows,
        items=[
            ItemUseOut(item=each.item, calls=each.calls, last_used_at=each.last_used_at)
            for each in found.items
        ],
        unused_items=list(found.unused_items),
    )
