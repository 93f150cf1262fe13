"""Reading what a query asks, against the resource and the grant."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from core.errors import BadInput, FieldError, GrantMissing, SchemaViolation
from exchange.access.ground import ReadGrant
from exchange.access.values import parse_value
from exchange.catalogue.model import Resource
from exchange.query.model import Question

MAX_CONDITIONS = 20


def parse_conditions(resource: Resource, question: Question) -> dict[str, object]:
    """Read the values searched by. Raises SchemaViolation with every field that is wrong."""
    if (question.keys is None) == (question.where is None):
        msg = "search by keys or by where, one of the two"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/keys", code="ONE-OF", detail=msg),))
    place, asked = ("/keys", question.keys) if question.keys is not None else ("/where", question.where)
    assert asked is not None
    if not 1 <= len(asked) <= MAX_CONDITIONS:
        msg = f"search by 1 to {MAX_CONDITIONS} items"
        raise SchemaViolation(msg, errors=(FieldError(pointer=place, code="COUNT", detail=msg),))
    keys = {item.name for item in resource.key_items}
    if question.keys is not None and set(asked) != keys:
        msg = f"keys names exactly the key items: {', '.join(sorted(keys))}"
        raise SchemaViolation(msg, errors=(FieldError(pointer=place, code="KEY-ITEMS", detail=msg),))
    return parse_values(resource, asked, place=place)


def parse_values(resource: Resource, asked: Mapping[str, object], *, place: str) -> dict[str, object]:
    """Read values by item name. Raises SchemaViolation with every one that is wrong."""
    values: dict[str, object] = {}
    errors = []
    for position, (name, value) in enumerate(asked.items()):
        item = resource.item(name)
        if item is None:
            detail = f"the {position + 1}. name is not an item of this resource"
            errors.append(FieldError(pointer=place, code="UNKNOWN-ITEM", detail=detail))
            continue
        try:
            values[name] = parse_value(item, value)
        except BadInput as wrong:
            errors.append(FieldError(pointer=f"{place}/{name}", code="VALUE", detail=wrong.detail))
    if errors:
        msg = "the values searched by are not all right; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    return values


def choose_items(
    resource: Resource, read: ReadGrant, question: Question, *, masked: Collection[str]
) -> tuple[str, ...]:
    """Return the items to answer with. Raises SchemaViolation for unknown ones, GrantMissing for others.

    An item is searched by where the grant allows it and shows it unmasked: else a search would find out
    what the mask hides. The key items of `keys` are free: who names a subject knows its number.
    """
    granted = read.ordered_items
    wanted = granted if question.items is None else tuple(dict.fromkeys(question.items))
    if not wanted:
        msg = "items names at least one item; leave it out for all that are granted"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/items", code="EMPTY", detail=msg),))
    unknown = [
        FieldError(pointer=f"/items/{n}", code="UNKNOWN-ITEM", detail="the resource has no item of this name")
        for n, name in enumerate(wanted)
        if resource.item(name) is None
    ]
    if unknown:
        msg = "not all items are items of this resource; see errors"
        raise SchemaViolation(msg, errors=tuple(unknown))
    searched = set(question.where or {})
    refuse_ungranted({*wanted, *searched}, read.items)
    closed = sorted(name for name in searched if name not in read.searchable or name in masked)
    if closed:
        errors = tuple(FieldError(pointer="/where", code="NOT-SEARCHABLE", detail=name) for name in closed)
        msg = f"the grant does not allow searching by {', '.join(closed)}"
        raise GrantMissing(msg, errors=errors)
    return wanted


def refuse_ungranted(names: Collection[str], granted: Collection[str]) -> None:
    """Raise GrantMissing that names the items (of the public catalogue) which are not granted."""
    missing = sorted(set(names) - set(granted))
    if missing:
        errors = tuple(FieldError(pointer="/items", code="NOT-GRANTED", detail=name) for name in missing)
        msg = f"the grant does not cover {', '.join(missing)}; apply for them"
        raise GrantMissing(msg, errors=errors)


def check_version(resource: Resource, version: int | None) -> None:
    """Raise BadInput for a version that the resource does not have."""
    if version is not None and not 1 <= version <= resource.current_version:
        msg = f"the resource has the versions 1 to {resource.current_version}; ask as of one of them"
        raise BadInput(msg)
