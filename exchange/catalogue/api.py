"""Routes of the catalogue."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, Scope
from core.errors import NotFound
from core.http.authentication import Authentication
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle
from exchange.catalogue.service import CatalogueService
from exchange.standards.schemas import STANDARD_SCHEMAS


class ItemIn(BaseModel):
    """A data item to register; see `exchange.catalogue.formats` for `format`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    format: str
    is_key: bool = False
    is_required: bool = False
    share_type: ShareType = ShareType.CONDITIONAL
    share_basis: str = ""
    code_list: str | None = None
    check_rule: CheckRule | None = None
    is_sensitive: bool = False


class ResourceIn(BaseModel):
    """A resource to register."""

    model_config = ConfigDict(extra="forbid")

    code: str
    title: str
    summary: str = ""
    theme: Theme
    update_cycle: UpdateCycle
    items: list[ItemIn]
    external_codes: dict[str, str] = {}


class StandardIn(BaseModel):
    """A ready schema to register as a resource of the caller's."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = None
    title: str | None = None


def build_router(*, catalogue: CatalogueService, authentication: Authentication) -> APIRouter:
    """Build the routes over `catalogue`."""
    router = APIRouter(prefix="/v1/resources", tags=["catalogue"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE))]
    known = Depends(authentication.requires())

    @router.post("", status_code=201)
    async def register_resource(body: ResourceIn, caller: provider) -> dict[str, Any]:
        """Register a resource of the caller's organisation, with its items."""
        resource = Resource(
            code=body.code,
            title=body.title,
            summary=body.summary,
            theme=body.theme,
            provider_code=caller.organisation_code,
            update_cycle=body.update_cycle,
            items=tuple(Item(**item.model_dump()) for item in body.items),
            external_codes=body.external_codes,
        )
        await catalogue.register(resource, caller=caller)
        return render_resource(resource)

    @router.post("/standard/{schema}", status_code=201)
    async def register_standard(schema: str, body: StandardIn, caller: provider) -> dict[str, Any]:
        """Register a ready standard schema (rk_jbxx, fr_jbxx, …) as a resource of the caller's."""
        if schema not in STANDARD_SCHEMAS:
            msg = f"there is no standard schema of that name; there are {', '.join(sorted(STANDARD_SCHEMAS))}"
            raise NotFound(msg)
        made = STANDARD_SCHEMAS[schema].build(
            provider_code=caller.organisation_code, code=body.code, title=body.title
        )
        await catalogue.register(made, caller=caller)
        return render_resource(made)

    @router.get("", dependencies=[known])
    async def search_resources(q: Annotated[str, Query(max_length=100)] = "") -> list[dict[str, Any]]:
        """Find resources by a piece of their code, titles or summary; all of them for an empty `q`."""
        return [render_summary(found) for found in await catalogue.search(q)]

    @router.get("/{code}", dependencies=[known])
    async def show_resource(code: str) -> dict[str, Any]:
        """Show a resource with its items and their share types."""
        return render_resource(await catalogue.load(code))

    @router.get("/{code}/versions", dependencies=[known])
    async def list_versions(code: str) -> list[dict[str, Any]]:
        """List the newest versions with their accounting."""
        return await catalogue.load_versions(code)

    return router


def render_summary(resource: Resource) -> dict[str, Any]:
    """Render a resource without its items."""
    return {
        "code": resource.code,
        "title": resource.title,
        "summary": resource.summary,
        "theme": resource.theme,
        "provider_code": resource.provider_code,
        "update_cycle": resource.update_cycle,
        "schema_version": resource.schema_version,
        "current_version": resource.current_version,
        "current_rows": resource.current_rows,
    }


def render_resource(resource: Resource) -> dict[str, Any]:
    """Render a resource with its items."""
    items = [
        {
            "name": item.name,
            "title": item.title,
            "format": item.format,
            "is_key": item.is_key,
            "is_required": item.is_required,
            "share_type": item.share_type,
            "share_basis": item.share_basis,
            "code_list": item.code_list,
            "check_rule": item.check_rule,
        }
        for item in resource.items
    ]
    return {**render_summary(resource), "items": items, "external_codes": resource.external_codes}
