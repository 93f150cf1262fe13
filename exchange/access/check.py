"""Step 1 of an access request: the automatic check, which tells everything it finds at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from core.caller import OrganisationCode
from core.database import Connection
from core.errors import FieldError, SchemaViolation
from core.identity.model import Organisation
from core.text import check_text
from exchange.access.model import Application, FilterOperator, Finding, Grant, Mode, RowFilterJson, Terms
from exchange.access.refusal import NOT_SHARED_CODE
from exchange.access.row_filter import assess_row_filter, trim_division
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import CheckRule, Resource, ShareType
from exchange.catalogue.store import load_resource

MAX_PURPOSE_CHARACTERS = 500
MAX_SERVICE_ITEMS = 100
MAX_SERVICE_ITEM_CHARACTERS = 128
MAX_VALIDITY = timedelta(days=5 * 366)
MAX_QUOTA = 10**12
WHOLE_ROW_MODES = frozenset({Mode.SUBSCRIBE, Mode.BULK})


def verify_terms(resource: Resource, terms: Terms, *, at: datetime) -> None:
    """Raise SchemaViolation with every reason for which these terms cannot be asked for; see assess_terms."""
    refuse_errors(assess_terms(resource, terms, at=at))


def refuse_errors(errors: Sequence[FieldError], *, what: str = "application cannot be accepted") -> None:
    """Raise SchemaViolation where there are errors."""
    if errors:
        msg = f"the {what} as it is; errors lists everything that stands in its way"
        raise SchemaViolation(msg, errors=tuple(errors))


def assess_terms(resource: Resource, terms: Terms, *, at: datetime) -> list[FieldError]:
    """List every reason for which these terms cannot be asked for.

    1. Every item exists, is named once and may be shared; the refusal of one that may not carries its basis.
    2. Whoever follows or copies whole rows asks for the key items too, without which rows have no name.
    3. The row filter is well formed. 4. Purpose, basis, service items and validity are given. 5. Items to
    search by are among those asked for; quotas are at least one.
    """
    return [
        *_check_items(resource, terms.items),
        *check_whole_rows(resource, items=terms.items, modes=terms.modes),
        *assess_filter(resource, terms.row_filter, modes=terms.modes),
        *_check_reasons(terms, at=at),
        *_check_limits(terms),
    ]


def assess_filter(
    resource: Resource, row_filter: RowFilterJson, *, modes: Iterable[Mode]
) -> list[FieldError]:
    """Check that a row filter is well formed and that whoever follows or copies rows can be told of it."""
    errors, conditions = assess_row_filter(resource, row_filter)
    if WHOLE_ROW_MODES & set(modes) and any(c.operator is FilterOperator.IN_OWN for c in conditions):
        detail = "own subjects change by themselves, which no feed or copy follows; ask for query and verify"
        errors.append(FieldError(pointer="/row_filter", code="OWN-SUBJECTS", detail=detail))
    return errors


def _check_limits(terms: Terms) -> Iterable[FieldError]:
    for position, name in enumerate(terms.search_items or ()):
        if name not in terms.items:
            detail = "an item to search by is one of the items asked for"
            yield FieldError(pointer=f"/search_items/{position}", code="NOT-ASKED-FOR", detail=detail)
    for name, value in (
        ("calls_per_day", terms.quotas.calls_per_day),
        ("rows_per_day", terms.quotas.rows_per_day),
    ):
        if value is not None and not 1 <= value <= MAX_QUOTA:
            detail = f"a quota is 1 to {MAX_QUOTA} a day; leave it out for none"
            yield FieldError(pointer=f"/{name}", code="QUOTA", detail=detail)


async def assess_own_filters(
    connection: Connection, resource: Resource, row_filter: RowFilterJson, *, holder: OrganisationCode
) -> list[FieldError]:
    """Check that conditions on own subjects name an item of the same kind of a resource of the holder's."""
    errors = []
    for condition in assess_row_filter(resource, row_filter)[1]:
        if condition.operator is not FilterOperator.IN_OWN:
            continue
        code, name = (str(value) for value in condition.values)
        own = await load_resource(connection, code=code)
        theirs, mine = resource.item(condition.item), None if own is None else own.item(name)
        if own is None or own.provider_code != holder or mine is None or theirs is None:
            detail = "in_own names a resource that your own organisation publishes, and an item of it"
        elif parse_format(mine.format).sql_type != parse_format(theirs.format).sql_type:
            detail = "the item of your own resource is of another kind than the item filtered by"
        else:
            continue
        errors.append(FieldError(pointer="/row_filter", code="OWN", detail=detail))
    return errors


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


def find_scope(
    resource: Resource, terms: Terms, *, applicant: Organisation, provider: Organisation
) -> tuple[Finding, ...]:
    """Note where an applicant's own division is narrower than the rows asked for."""
    divided = {item.name for item in resource.items if item.check_rule is CheckRule.DIVISION_CODE}
    conditions = assess_row_filter(resource, terms.row_filter)[1]
    home = trim_division(applicant.division_code)
    if home in ("", trim_division(provider.division_code)):
        return ()
    operators = {FilterOperator.DIVISION, FilterOperator.PREFIX}
    by_division = [c for c in conditions if c.operator in operators and c.item in divided]
    if any(str(c.values[0]).startswith(home) for c in by_division):
        return ()
    if by_division:
        detail = f"the rows asked for lie outside the applicant's division {applicant.division_code}"
        return (Finding(code="OUTSIDE-DIVISION", detail=detail),)
    if divided:
        detail = f"all divisions are asked for; the applicant's is {applicant.division_code}"
        return (Finding(code="ALL-DIVISIONS", detail=detail),)
    return ()


def find_duplicates(
    terms: Terms, grants: Sequence[Grant], pending: Sequence[Application] = ()
) -> tuple[Finding, ...]:
    """Note the grants in force, and the requests that wait, that give all that is asked for or part of it."""
    findings = [
        Finding(
            code="DUPLICATE-APPLICATION", detail=f"application {each.id} of the same content waits already"
        )
        for each in pending
        if set(terms.items) <= set(each.terms.items)
        and terms.modes <= each.terms.modes
        and set(terms.service_items) <= set(each.terms.service_items)
    ]
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
