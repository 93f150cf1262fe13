"""Routes of the rules that administrators set: deadlines and the calendar."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.model import Deadline, RequestType
from exchange.access.rules import MAX_WORKING_DAYS, RuleService
from exchange.catalogue.model import ShareType

MAX_DAYS = 1000


class DeadlineBody(BaseModel):
    """One rule: within how many working days an answer is due.

    `jurisdiction` is the beginning of the provider's division code; of several rules the longest that fits
    counts. `extension_days` can be taken once.
    """

    model_config = ConfigDict(extra="forbid")

    jurisdiction: str = Field(default="", pattern=r"^([0-9]{2}){0,3}$")
    request_type: RequestType
    share_type: Literal["unconditional", "conditional"]
    working_days: int = Field(ge=1, le=MAX_WORKING_DAYS)
    extension_days: int = Field(default=0, ge=0, le=MAX_WORKING_DAYS)
    legal_reference: str = Field(min_length=1, max_length=200)
    valid_from: date = date(2000, 1, 1)
    valid_until: date | None = None


class CalendarBody(BaseModel):
    """Days that differ from the statutory calendar: day → is it worked."""

    model_config = ConfigDict(extra="forbid")

    days: dict[date, bool] = Field(max_length=MAX_DAYS, examples=[{"2026-12-31": False}])


def build_router(*, rules: RuleService, authentication: Authentication) -> APIRouter:
    """Build the routes over `rules`."""
    router = APIRouter(prefix="/v1", tags=["rules"])
    anyone = Annotated[Caller, Depends(authentication.requires())]
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]

    @router.get("/deadlines")
    async def list_deadlines(_caller: anyone) -> list[DeadlineBody]:
        """List the table of deadlines."""
        return [_render(each) for each in await rules.list_deadlines()]

    @router.put("/deadlines")
    async def set_deadline(body: DeadlineBody, caller: administrator) -> DeadlineBody:
        """Set one rule of the table of deadlines."""
        return _render(await rules.set_deadline(caller=caller, deadline=_read(body)))

    @router.get("/calendar")
    async def load_calendar(_caller: anyone, first: date = date(2000, 1, 1)) -> CalendarBody:
        """List the days that differ from the statutory calendar."""
        return CalendarBody.model_construct(days=await rules.load_calendar(first=first))

    @router.put("/calendar")
    async def set_calendar(body: CalendarBody, caller: administrator) -> CalendarBody:
        """Set days that differ from the statutory calendar."""
        await rules.set_calendar(caller=caller, days=body.days)
        return body

    return router


def _render(found: Deadline) -> DeadlineBody:
    return DeadlineBody(
        jurisdiction=found.jurisdiction,
        request_type=found.request_type,
        share_type="conditional" if found.share_type is ShareType.CONDITIONAL else "unconditional",
        working_days=found.working_days,
        extension_days=found.extension_days,
        legal_reference=found.legal_reference,
        valid_from=found.valid_from,
        valid_until=found.valid_until,
    )


def _read(body: DeadlineBody) -> Deadline:
    return Deadline(**(body.model_dump() | {"share_type": ShareType(body.share_type)}))
