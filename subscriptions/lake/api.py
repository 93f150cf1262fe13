"""Routes of the lake, for providers."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from subscriptions.lake.model import LakeVersion, Standing
from subscriptions.lake.service import LakeService

MAX_SHOWN = 100


class LakeChoiceIn(BaseModel):
    """Whether the resource is followed into the lake; null leaves that to the hub's setting."""

    model_config = ConfigDict(extra="forbid")

    followed: bool | None


class LakeVersionOut(BaseModel):
    """A version that can be read from the table, and the table's own number of its commit."""

    version: int
    delta_version: int
    changed_rows: int
    has_changes: bool
    written_at: datetime


class LakeOut(BaseModel):
    """How far the table is, and its newest versions, newest first."""

    resource: str
    followed: bool
    chosen: bool
    version: int | None
    current_version: int
    lag_versions: int
    rows: int | None
    written_at: datetime | None
    tended_at: datetime | None
    trouble: str | None
    versions: list[LakeVersionOut]


def build_router(*, lake: LakeService, authentication: Authentication) -> APIRouter:
    """Build the routes over `lake`."""
    router = APIRouter(prefix="/v1/resources/{code}/lake", tags=["lake"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]

    @router.get("")
    async def show_lake(code: str, caller: provider) -> LakeOut:
        """Show how far a resource's Delta Lake table is."""
        return render_standing(*await lake.show(code, caller=caller))

    @router.put("")
    async def choose_lake(code: str, body: LakeChoiceIn, caller: provider) -> LakeOut:
        """Choose whether a resource is followed into the lake."""
        await lake.choose(code, followed=body.followed, caller=caller)
        return render_standing(*await lake.show(code, caller=caller))

    return router


def render_standing(standing: Standing, versions: list[LakeVersion]) -> LakeOut:
    """Render a table's standing."""
    state = standing.state
    return LakeOut(
        resource=state.resource_code,
        followed=standing.is_followed,
        chosen=standing.is_chosen,
        version=state.version,
        current_version=standing.current_version,
        lag_versions=standing.lag_versions,
        rows=state.rows,
        written_at=state.written_at,
        tended_at=state.tended_at,
        trouble=state.trouble,
        versions=[
            LakeVersionOut(
                version=each.version,
                delta_version=each.delta_version,
                changed_rows=each.changed_rows,
                has_changes=each.has_changes,
                written_at=each.written_at,
            )
            for each in reversed(versions[-MAX_SHOWN:])
        ],
    )
