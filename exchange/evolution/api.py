"""Routes of evolution: revisions and differences, changes at once, rehearsals, major versions."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.catalogue.api import render_resource, verify_same_code
from exchange.catalogue.model import Resource
from exchange.catalogue.wire import DescriptionIn, build_resource, describe
from exchange.evolution.service import EvolutionService

MAX_REVISION = 2**31 - 1


class MajorIn(BaseModel):
    """A breaking description, the digest of its rehearsal, and the last day of the present major version."""

    model_config = ConfigDict(extra="forbid")

    description: DescriptionIn
    rehearsal: str
    readable_until: date


def build_router(*, evolution: EvolutionService, authentication: Authentication) -> APIRouter:
    """Build the routes over `evolution`."""
    router = APIRouter(prefix="/v1/resources/{code}", tags=["evolution"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE))]
    known = Annotated[Caller, Depends(authentication.requires())]
    number = Annotated[int, Query(ge=1, le=MAX_REVISION)]

    @router.put("")
    async def evolve_resource(
        code: str,
        body: DescriptionIn,
        caller: provider,
        close: Annotated[bool, Query(description="let items be closed that are shared now")] = False,
    ) -> dict[str, Any]:
        """Give a published resource a wider description, at once; 412 lists whatever would break somebody."""
        resource = _read_resource(code, body, caller)
        evolved, changes = await evolution.evolve(resource, caller=caller, close=close)
        return {"resource": render_resource(evolved), "changes": [change.render() for change in changes]}

    @router.post("/rehearsals")
    async def rehearse(code: str, body: DescriptionIn, caller: provider) -> dict[str, Any]:
        """Tell what a description would change, who would break on which item, which rows would not fit."""
        resource = _read_resource(code, body, caller)
        return (await evolution.rehearse(resource, caller=caller)).render()

    @router.post("/majors", status_code=201)
    async def release_major(code: str, body: MajorIn, caller: provider) -> dict[str, Any]:
        """Release a rehearsed description as the next major version, under the code `…_v2`, `…_v3`, …"""
        resource = _read_resource(code, body.description, caller)
        released = await evolution.release(
            resource, caller=caller, rehearsal=body.rehearsal, readable_until=body.readable_until
        )
        return render_resource(released)

    @router.get("/revisions")
    async def list_revisions(code: str, caller: known) -> list[dict[str, Any]]:
        """List the revisions of the description, oldest first."""
        return await evolution.load_revisions(code, caller=caller)

    @router.get("/revisions/{revision}")
    async def show_revision(
        code: str, revision: Annotated[int, Path(ge=1, le=MAX_REVISION)], caller: known
    ) -> dict[str, Any]:
        """Show the description as a revision had it."""
        return describe(await evolution.load_revision(code, revision, caller=caller))

    @router.get("/diff")
    async def diff_revisions(
        code: str,
        first: number,
        second: number,
        caller: known,
        other: Annotated[str | None, Query(description="compare with this resource's revision")] = None,
    ) -> list[dict[str, Any]]:
        """List what differs between two revisions, of this resource or of it and `other`."""
        found = await evolution.diff(code, first=first, second=second, other_code=other, caller=caller)
        return [change.render() for change in found]

    return router


def _read_resource(code: str, body: DescriptionIn, caller: Caller) -> Resource:
    verify_same_code(code, body)
    return build_resource(body, provider_code=caller.organisation_code)
