"""The words of a search: what is asked, and what was found."""

from __future__ import annotations

from dataclasses import dataclass

from core.caller import OrganisationCode
from exchange.catalogue.model import Resource, ResourceState, ShareType, Theme, UpdateCycle

MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search: words (all resources for none), and filters that narrow it.

    `share_type` asks for resources with an item of that share type, `item` for those with an item of that
    name. `state` is PUBLISHED unless somebody looks for his own drafts.
    """

    text: str = ""
    theme: Theme | None = None
    provider_code: OrganisationCode | None = None
    share_type: ShareType | None = None
    update_cycle: UpdateCycle | None = None
    item: str | None = None
    state: ResourceState = ResourceState.PUBLISHED
    limit: int = MAX_PAGE
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A resource (without its items) and how well it fits; 0 where no words were asked for."""

    resource: Resource
    score: float
