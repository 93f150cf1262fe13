"""Step 1 of an access request: the automatic check, which tells everything it finds at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from core.errors import FieldError, SchemaViolation
from core.text import check_text
from exchange.access.model import Finding, Grant, Mode, Terms
from exchange.access.refusal import NOT_SHARED_CODE
from exchange.access.row_filter import assess_row_filter
from exchange.catalogue.model import Resource, ShareType

MAX_PURPOSE_CHARACTERS = 500
MAX_SERVICE_ITEMS = 100
MAX_SERVICE_ITEM_CHARACTERS = 128
MAX_VALIDITY = timedelta(days=5 * 366)
WHOLE_ROW_MODES = frozenset({Mode.SUBSCRIBE, Mode.BULK})


def verify_terms(resource: Resource, terms: Terms, *, at: datetime) -> None:
    """Raise SchemaViolation with every reason for which these terms cannot be asked for.

    1. Every item exists, is named once and may be shared; the refusal of one that may not carries its basis.
    2. Whoever follows or copies whole rows asks for the key items too, without which rows have no name.
    3. The row filter is well formed. 4. Purpose, basis, service items and validity are given.
    """
    errors = [
        *_check_items(resource, terms.items),
        *check_whole_rows(resource, items=terms.items, modes=terms.modes),
        *assess_row_filter(resource, terms.row_filter)[0],
        *_check_reasons(terms, at=at),
    ]
    if errors:
        msg = "the application cannot be accepted as it is; errors lists everything that stands in its way"
        raise SchemaViolation(msg, errors=tuple(errors))


def _check_items(resource: Resource, names: Sequence[str]) -> Iterable[FieldError]:
    if not names:
        yield FieldError(pointer="/items", code="EMPTY", detail="name at least one item")
    for position, name in enumerate(names):
        pointer = f"/items/{position}"
        item = resource.item(name)
        if item is None:
            yield FieldError(
                pointer=pointer, code="UNKNOWN-ITEM", detail="the resource has no item of this name"
            )
        elif item.share_type is ShareType.NOT_SHARED:
            detail = f"{item.name} is not shared; basis: {item.share_basis}"
            yield FieldError(pointer=pointer, code=NOT_SHARED_CODE, detail=detail)
        if name in names[:position]:
            yield FieldError(pointer=pointer, code="DUPLICATE", detail="the item is named twice")


def check_whole_rows(resource: Resource, *, items: Sequence[str], modes: Iterable[Mode]) -> list[FieldError]:
    """Check that modes which hand out rows by their key come with the key items."""
    missing = [item.name for item in resource.key_items if item.name not in items]
    if not missing or not WHOLE_ROW_MODES & set(modes):
        return []
    detail = f"subscribe and bulk need the key items too: {', '.join(missing)}"
    return [FieldError(pointer="/items", code="KEY-ITEMS", detail=detail)]


def _check_reasons(terms: Terms, *, at: datetime) -> Iterable[FieldError]:
    if not terms.modes:
        yield FieldError(pointer="/modes", code="EMPTY", detail="name at least one mode")
    yield from check_text("/purpose", terms.purpose, max_characters=MAX_PURPOSE_CHARACTERS)
    yield from check_text("/legal_basis", terms.legal_basis, max_characters=MAX_PURPOSE_CHARACTERS)
    if not 1 <= len(terms.service_items) <= MAX_SERVICE_ITEMS:
        detail = f"name 1 to {MAX_SERVICE_ITEMS} service items"
        yield FieldError(pointer="/service_items", code="COUNT", detail=detail)
    for position, code in enumerate(terms.service_items[:MAX_SERVICE_ITEMS]):
        yield from check_text(f"/service_items/{position}", code, max_characters=MAX_SERVICE_ITEM_CHARACTERS)
    if not at < terms.valid_until <= at + MAX_VALIDITY:
        detail = "a grant ends in the future, at most five years from now"
        yield FieldError(pointer="/valid_until", code="VALIDITY", detail=detail)


def strictest_share_type(resource: Resource, terms: Terms) -> ShareType:
    """Return CONDITIONAL where an item asked for or filtered by is; else UNCONDITIONAL."""
    names = {
        *terms.items,
        *(condition.item for condition in assess_row_filter(resource, terms.row_filter)[1]),
    }
    found = [item for name in names if (item := resource.item(name)) is not None]
    free = all(item.share_type is ShareType.UNCONDITIONAL for item in found)
    return ShareType.UNCONDITIONAL if free else ShareType.CONDITIONAL


def find_duplicates(terms: Terms, grants: Sequence[Grant]) -> tuple[Finding, ...]:
    """Note the grants in force that already give all that is asked for, or part of it."""
    findings = []
    for grant in grants:
        shared = set(terms.items) & set(grant.terms.items)
        modes = terms.modes & grant.terms.modes
        services = all(grant.serves(code) for code in terms.service_items)
        if not shared or not modes:
            continue
        whole = len(shared) == len(terms.items) and modes == terms.modes and services
        code = "DUPLICATE-GRANT" if whole else "OVERLAPPING-GRANT"
        extent = "all of it" if whole else f"the items {', '.join(sorted(shared))}"
        findings.append(Finding(code=code, detail=f"grant {grant.id} in force already gives {extent}"))
    return tuple(findings)
