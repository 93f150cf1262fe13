"""The rules of search: who finds what."""

from __future__ import annotations

from core.caller import Caller, Scope
from core.database import Database
from core.errors import Forbidden, SchemaViolation
from core.text import check_text
from exchange.catalogue.model import ResourceState
from exchange.search import store
from exchange.search.model import Found, Search

MAX_TEXT_CHARACTERS = 100


class SearchService:
    """Finds resources in the catalogue."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def search(self, search: Search, *, caller: Caller) -> list[Found]:
        """Find published resources; what is not yet published only for its provider and administrators.

        Raises SchemaViolation for text that cannot be searched for, Forbidden for others' drafts.
        """
        errors = check_text("/q", search.text, max_characters=MAX_TEXT_CHARACTERS, required=False)
        if errors:
            msg = "these words cannot be searched for"
            raise SchemaViolation(msg, errors=tuple(errors))
        hidden = search.state in {ResourceState.DRAFT, ResourceState.IN_REVIEW}
        own = search.provider_code == caller.organisation_code
        if hidden and not own and Scope.ADMIN not in caller.scopes:
            msg = "drafts and submitted resources are shown to their provider; name it as provider"
            raise Forbidden(msg)
        async with self._database.acquire() as connection:
            return await store.search_resources(connection, search=search)
