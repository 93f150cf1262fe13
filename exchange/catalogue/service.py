"""The rules of the catalogue: what may be registered, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from core.caller import Caller
from core.database import Database
from core.database.names import check_item_name, check_resource_code
from core.errors import BadInput, FieldError, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.catalogue import store
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Item, Resource, ShareType
from exchange.standards.code_lists import CODE_LISTS

MAX_ITEMS = 500
MAX_TITLE_CHARACTERS = 200
MAX_SUMMARY_CHARACTERS = 2000
SEARCH_LIMIT = 200


class CatalogueService:
    """Registers and finds resources."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log

    async def register(self, resource: Resource, *, caller: Caller) -> None:
        """Register a resource and create its tables, all or nothing.

        Raises SchemaViolation with every field that is wrong, or Conflict where the code is taken.
        """
        errors = check_resource(resource)
        if errors:
            msg = "the resource is not described rightly; see errors for each field"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            await store.save_resource(connection, resource=resource)
            await store.create_tables(connection, resource=resource)
            await self._log.append(
                connection,
                event=Event.RESOURCE_REGISTERED,
                caller=caller,
                resource_code=resource.code,
                details={"items": [item.name for item in resource.items]},
            )

    async def load(self, code: str) -> Resource:
        """Load a resource with its items. Raises NotFound."""
        async with self._database.acquire() as connection:
            resource = await store.load_resource(connection, code=code)
        if resource is None:
            msg = "there is no resource of that code in the catalogue"
            raise NotFound(msg)
        return resource

    async def search(self, text: str) -> list[Resource]:
        """Find resources by a piece of their code, title, summary or item titles, in Chinese or English."""
        async with self._database.acquire() as connection:
            return await store.search_resources(connection, text=text, limit=SEARCH_LIMIT)

    async def load_versions(self, code: str) -> list[dict[str, object]]:
        """Load the accounting of the newest 100 versions. Raises NotFound."""
        await self.load(code)
        async with self._database.acquire() as connection:
            return await store.load_versions(connection, code=code, limit=100)


def check_resource(resource: Resource) -> list[FieldError]:
    """Check a description; return every error, each with a pointer into the request body."""
    errors = _check(check_resource_code, "/code", resource.code)
    errors += check_text("/title", resource.title, max_characters=MAX_TITLE_CHARACTERS)
    errors += check_text("/summary", resource.summary, max_characters=MAX_SUMMARY_CHARACTERS, required=False)
    if not resource.items or len(resource.items) > MAX_ITEMS:
        errors.append(_error("/items", "COUNT", f"a resource has 1 to {MAX_ITEMS} items"))
    elif not resource.key_items:
        errors.append(_error("/items", "NO-KEY", "at least one item must be a key (is_key)"))
    counted = Counter(item.name.lower() for item in resource.items)
    for position, item in enumerate(resource.items):
        pointer = f"/items/{position}"
        errors += _check_item(pointer, item)
        if counted[item.name.lower()] > 1:
            errors.append(_error(f"{pointer}/name", "DUPLICATE", "two items have this name (but for case)"))
    for scheme, code in resource.external_codes.items():
        errors += check_text("/external_codes", scheme, max_characters=60)
        errors += check_text("/external_codes", code, max_characters=120)
    return errors


def _check_item(pointer: str, item: Item) -> list[FieldError]:
    errors = _check(check_item_name, f"{pointer}/name", item.name)
    errors += check_text(f"{pointer}/title", item.title, max_characters=MAX_TITLE_CHARACTERS)
    errors += _check(parse_format, f"{pointer}/format", item.format)
    if item.code_list is not None and item.code_list not in CODE_LISTS:
        known = ", ".join(sorted(CODE_LISTS))
        errors.append(_error(f"{pointer}/code_list", "UNKNOWN", f"not a code list of this hub ({known})"))
    if item.share_type is ShareType.NOT_SHARED and not item.share_basis.strip():
        errors.append(_error(f"{pointer}/share_basis", "BLANK", "an item not shared names its legal basis"))
    errors += check_text(f"{pointer}/share_basis", item.share_basis, max_characters=500, required=False)
    return errors


def _check(rule: Callable[[str], object], pointer: str, value: str) -> list[FieldError]:
    try:
        rule(value)
    except BadInput as error:
        return [_error(pointer, "FORM", error.detail)]
    return []


def _error(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)
