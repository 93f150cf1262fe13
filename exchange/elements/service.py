"""The rules of the element registry: who registers, what is found, what a resource's items are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from core.caller import Caller
from core.database import Database
from core.errors import BadInput, Conflict, FieldError, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Item
from exchange.catalogue.service import CatalogueService
from exchange.codes.model import SHIPPED
from exchange.codes.store import load_known_names
from exchange.elements import store
from exchange.elements.match import find_elements, match_item
from exchange.elements.model import Element, Match
from exchange.elements.shipped import SHIPPED_ELEMENTS

MAX_TITLE_CHARACTERS = 200
MAX_DEFINITION_CHARACTERS = 1000
MAX_ENTRIES = 50
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,59}")


class ElementService:
    """Keeps data elements and matches items to them."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        catalogue: CatalogueService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._catalogue = catalogue
        self._now = now

    async def register(self, element: Element, *, caller: Caller) -> None:
        """Register an element. Raises SchemaViolation with every field that is wrong, or Conflict."""
        errors = check_element(element)
        if element.code_list is not None and element.code_list not in SHIPPED:
            async with self._database.acquire() as connection:
                if not await load_known_names(connection, names=[element.code_list]):
                    detail = "not a code list of this hub; GET /v1/code-lists names them"
                    errors.append(FieldError(pointer="/code_list", code="UNKNOWN", detail=detail))
        if errors:
            msg = "the data element is not described rightly; see errors for each field"
            raise SchemaViolation(msg, errors=tuple(errors))
        if any(each.identifier == element.identifier for each in SHIPPED_ELEMENTS):
            msg = f"the data element {element.identifier} comes with the hub"
            raise Conflict(msg)
        async with self._database.transaction() as connection:
            await store.save_element(connection, element=element, at=self._now())
            await self._log.append(
                connection,
                event=Event.ELEMENT_REGISTERED,
                caller=caller,
                details={"element": element.identifier, "title": element.title},
            )

    async def load_all(self) -> list[Element]:
        """Load all elements: those that come with the hub, then those that departments registered."""
        async with self._database.acquire() as connection:
            return [*SHIPPED_ELEMENTS, *await store.load_elements(connection)]

    async def search(self, text: str) -> list[Element]:
        """Find elements by identifier, title, synonym or item name, the likeliest first; all for no text."""
        return find_elements(text, await self.load_all())

    async def match_resource(self, code: str, *, caller: Caller) -> list[tuple[Item, list[Match]]]:
        """Match every item of a resource to the elements that it may be of. Raises NotFound."""
        resource = await self._catalogue.load(code, caller=caller)
        elements = await self.load_all()
        return [(item, match_item(item, elements)) for item in resource.items]


def check_element(element: Element) -> list[FieldError]:
    """Check a description of an element in itself; return every error with its pointer."""
    errors = []
    if not _IDENTIFIER.fullmatch(element.identifier):
        detail = "an identifier has 2 to 60 letters, digits, points, dashes and _"
        errors.append(FieldError(pointer="/identifier", code="FORM", detail=detail))
    errors += check_text("/title", element.title, max_characters=MAX_TITLE_CHARACTERS)
    errors += check_text("/definition", element.definition, max_characters=MAX_DEFINITION_CHARACTERS)
    for name in ("title_en", "source"):
        text = getattr(element, name)
        errors += check_text(f"/{name}", text, max_characters=MAX_TITLE_CHARACTERS, required=False)
    for name in ("synonyms", "names"):
        entries = getattr(element, name)
        if len(entries) > MAX_ENTRIES:
            errors.append(
                FieldError(pointer=f"/{name}", code="COUNT", detail=f"at most {MAX_ENTRIES} entries")
            )
        for place, entry in enumerate(entries):
            errors += check_text(f"/{name}/{place}", entry, max_characters=MAX_TITLE_CHARACTERS)
    try:
        parse_format(element.format)
    except BadInput as wrong:
        errors.append(FieldError(pointer="/format", code="FORM", detail=wrong.detail))
    if element.code_list is not None:
        errors += check_text("/code_list", element.code_list, max_characters=60)
    return errors
