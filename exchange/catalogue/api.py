"""Routes of the catalogue."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, OrganisationCode, Scope
from core.errors import FieldError, NotFound, SchemaViolation
from core.http.authentication import Authentication
from exchange.catalogue.model import Resource, ResourceState, ShareType, Theme, UpdateCycle
from exchange.catalogue.service import CatalogueService
from exchange.catalogue.wire import DescriptionIn, build_resource, describe
from exchange.search.model import MAX_PAGE, Found, Search
from exchange.search.service import MAX_TEXT_CHARACTERS, SearchService
from exchange.standards.schemas import STANDARD_SCHEMAS


class ResourceIn(DescriptionIn):
    """A resource to register; as a draft, it can be rewritten until it is submitted."""

    draft: bool = False


class StandardIn(BaseModel):
    """A ready schema to register as a resource of the caller's."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = None
    title: str | None = None
    draft: bool = False


class Review(StrEnum):
    """What a reviewer says."""

    APPROVE = "approve"
    RETURN = "return"


class ReviewIn(BaseModel):
    """A reviewer's decision; returning needs a reason."""

    model_config = ConfigDict(extra="forbid")

    decision: Review
    reason: str = ""


class ReasonIn(BaseModel):
    """Why something is done."""

    model_config = ConfigDict(extra="forbid")

    reason: str


def build_router(
    *, catalogue: CatalogueService, search: SearchService, authentication: Authentication
) -> APIRouter:
    """Build the routes over `catalogue` and `search`."""
    router = APIRouter(prefix="/v1/resources", tags=["catalogue"])
    _add_reading(router, catalogue, search, authentication)
    _add_writing(router, catalogue, authentication)
    return router


def _add_reading(
    router: APIRouter, catalogue: CatalogueService, search: SearchService, authentication: Authentication
) -> None:
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.get("")
    async def search_resources(
        caller: known,
        q: Annotated[str, Query(max_length=MAX_TEXT_CHARACTERS)] = "",
        theme: Theme | None = None,
        provider: str | None = None,
        share_type: ShareType | None = None,
        update_cycle: UpdateCycle | None = None,
        item: str | None = None,
        state: ResourceState = ResourceState.PUBLISHED,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> list[dict[str, Any]]:
        """Find resources by words in Chinese or English, the best first; all, by code, for an empty `q`.

        Titles, codes and aliases count most, then items, then summary, provider and labels.
        """
        asked = Search(
            text=q,
            theme=theme,
            provider_code=None if provider is None else OrganisationCode(provider),
            share_type=share_type,
            update_cycle=update_cycle,
            item=item,
            state=state,
            limit=limit,
            offset=offset,
        )
        return [render_found(found) for found in await search.search(asked, caller=caller)]

    @router.get("/{code}")
    async def show_resource(code: str, caller: known) -> dict[str, Any]:
        """Show a resource with its items and their share types."""
        return render_resource(await catalogue.load(code, caller=caller))

    @router.get("/{code}/versions")
    async def list_versions(code: str, caller: known) -> list[dict[str, Any]]:
        """List the newest versions with their accounting."""
        return await catalogue.load_versions(code, caller=caller)

    @router.get("/{code}/history")
    async def list_history(code: str, caller: known) -> list[dict[str, Any]]:
        """List the states that a resource came through, and who brought it there."""
        return await catalogue.load_history(code, caller=caller)


def _add_writing(router: APIRouter, catalogue: CatalogueService, authentication: Authentication) -> None:
    provider = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE))]
    recaller = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE, Scope.ADMIN))]
    reviewer = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]

    @router.post("", status_code=201)
    async def register_resource(body: ResourceIn, caller: provider) -> dict[str, Any]:
        """Register a resource of the caller's organisation, with its items."""
        resource = build_resource(body, provider_code=caller.organisation_code)
        return render_resource(await catalogue.register(resource, caller=caller, draft=body.draft))

    @router.post("/standard/{schema}", status_code=201)
    async def register_standard(schema: str, body: StandardIn, caller: provider) -> dict[str, Any]:
        """Register a ready standard schema (rk_jbxx, fr_jbxx, …) as a resource of the caller's."""
        if schema not in STANDARD_SCHEMAS:
            msg = f"there is no standard schema of that name; there are {', '.join(sorted(STANDARD_SCHEMAS))}"
            raise NotFound(msg)
        made = STANDARD_SCHEMAS[schema].build(
            provider_code=caller.organisation_code, code=body.code, title=body.title
        )
        return render_resource(await catalogue.register(made, caller=caller, draft=body.draft))

    @router.put("/{code}/draft")
    async def rewrite_draft(code: str, body: DescriptionIn, caller: provider) -> dict[str, Any]:
        """Replace the whole description of a draft."""
        verify_same_code(code, body)
        resource = build_resource(body, provider_code=caller.organisation_code)
        return render_resource(await catalogue.rewrite(resource, caller=caller))

    @router.delete("/{code}/draft", status_code=204)
    async def discard_draft(code: str, caller: provider) -> None:
        """Delete a draft that was never published."""
        await catalogue.discard(code, caller=caller)

    @router.post("/{code}/submit")
    async def submit_resource(code: str, caller: provider) -> dict[str, Any]:
        """Submit a draft, or a recalled resource: it is published, or waits for a reviewer."""
        return render_resource(await catalogue.submit(code, caller=caller))

    @router.post("/{code}/review")
    async def review_resource(code: str, body: ReviewIn, caller: reviewer) -> dict[str, Any]:
        """Publish a submitted resource, or return it to its provider with a reason."""
        approve = body.decision is Review.APPROVE
        return render_resource(
            await catalogue.review(code, approve=approve, reason=body.reason, caller=caller)
        )

    @router.post("/{code}/recall")
    async def recall_resource(code: str, body: ReasonIn, caller: recaller) -> dict[str, Any]:
        """Recall a published resource: it is closed, with the reason, to queries, feeds and batches."""
        return render_resource(await catalogue.recall(code, reason=body.reason, caller=caller))


def verify_same_code(code: str, body: DescriptionIn) -> None:
    """Let a description pass whose code is that of the path. Raises SchemaViolation."""
    if body.code != code:
        msg = "the code in the body is another than the one in the path"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/code", code="DIFFERS", detail=msg),))


def render_found(found: Found) -> dict[str, Any]:
    """Render a resource that was searched for."""
    return {**render_summary(found.resource), "score": found.score}


def render_summary(resource: Resource) -> dict[str, Any]:
    """Render a resource without its items."""
    published = resource.published_at
    return {
        "code": resource.code,
        "title": resource.title,
        "summary": resource.summary,
        "theme": resource.theme,
        "provider_code": resource.provider_code,
        "update_cycle": resource.update_cycle,
        "state": resource.state,
        "state_reason": resource.state_reason,
        "published_at": None if published is None else published.isoformat(),
        "schema_version": resource.schema_version,
        "major": resource.major,
        "supersedes": resource.supersedes,
        "superseded_by": resource.superseded_by,
        "readable_until": None if resource.readable_until is None else resource.readable_until.isoformat(),
        "current_version": resource.current_version,
        "current_rows": resource.current_rows,
    }


def render_resource(resource: Resource) -> dict[str, Any]:
    """Render a resource with its items and metadata."""
    return {**describe(resource), **render_summary(resource), "share_type": resource.share_type}
