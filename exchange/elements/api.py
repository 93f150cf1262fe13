"""Routes of the element registry."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.catalogue.model import CheckRule
from exchange.elements.model import Element, Match
from exchange.elements.service import ElementService


class ElementIn(BaseModel):
    """A data element to register."""

    model_config = ConfigDict(extra="forbid")

    identifier: str
    title: str
    definition: str
    format: str
    title_en: str = ""
    synonyms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    code_list: str | None = None
    check_rule: CheckRule | None = None
    source: str = ""


def build_router(*, elements: ElementService, authentication: Authentication) -> APIRouter:
    """Build the routes over `elements`."""
    router = APIRouter(prefix="/v1", tags=["elements"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE))]
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.get("/elements")
    async def search_elements(
        _caller: known, q: Annotated[str, Query(max_length=100)] = ""
    ) -> list[dict[str, Any]]:
        """Find data elements by identifier, title, synonym or item name; all for an empty `q`."""
        return [asdict(each) for each in await elements.search(q)]

    @router.post("/elements", status_code=201)
    async def register_element(body: ElementIn, caller: provider) -> dict[str, Any]:
        """Register a data element of the caller's organisation."""
        made = Element(**body.model_dump(), owner_code=caller.organisation_code)
        await elements.register(made, caller=caller)
        return asdict(made)

    @router.get("/resources/{code}/elements")
    async def match_elements(code: str, caller: known) -> list[dict[str, Any]]:
        """Tell for each item of a resource which elements it may be of, and where it differs from them."""
        found = await elements.match_resource(code, caller=caller)
        return [
            {
                "item": item.name,
                "title": item.title,
                "element": item.element,
                "matches": [_render(match) for match in matches],
            }
            for item, matches in found
        ]

    return router


def _render(match: Match) -> dict[str, Any]:
    return {
        "element": match.element.identifier,
        "title": match.element.title,
        "ground": match.ground,
        "score": match.score,
        "differences": list(match.differences),
    }
