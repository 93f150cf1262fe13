"""The closed language of row filters: label → {item, and one of equals, in, prefix}; all must hold."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import BadInput, FieldError
from exchange.access.model import Condition, FilterOperator, RowFilter, RowFilterJson
from exchange.access.values import parse_value
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Item, Resource, ShareType

MAX_CONDITIONS = 20
MAX_VALUES = 1000
MAX_LABEL_CHARACTERS = 60


class _WrongFilter(BadInput):
    """One condition that is not well formed; becomes a FieldError below."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def parse_row_filter(resource: Resource, written: RowFilterJson) -> RowFilter:
    """Read a row filter against the resource's items. Raises BadInput for the first thing wrong."""
    errors, conditions = assess_row_filter(resource, written)
    if errors:
        raise BadInput(errors[0].detail, errors=tuple(errors))
    return conditions


def assess_row_filter(
    resource: Resource, written: Mapping[str, object], *, pointer: str = "/row_filter"
) -> tuple[list[FieldError], RowFilter]:
    """Read a row filter; return every error, each with its pointer, and the conditions that are right."""
    errors, conditions = [], []
    if len(written) > MAX_CONDITIONS:
        detail = f"a row filter has at most {MAX_CONDITIONS} conditions"
        return [FieldError(pointer=pointer, code="TOO-MANY", detail=detail)], ()
    for label, body in written.items():
        place = f"{pointer}/{label[:MAX_LABEL_CHARACTERS].replace('~', '~0').replace('/', '~1')}"
        try:
            conditions.append(_parse_condition(resource, label, body))
        except _WrongFilter as wrong:
            errors.append(FieldError(pointer=place, code=wrong.reason, detail=wrong.detail))
        except BadInput as wrong:
            errors.append(FieldError(pointer=place, code="VALUE", detail=wrong.detail))
    return errors, tuple(conditions)


def _parse_condition(resource: Resource, label: str, body: object) -> Condition:
    if not label or len(label) > MAX_LABEL_CHARACTERS or not label.isprintable():
        reason, detail = "LABEL", f"a condition's label has 1 to {MAX_LABEL_CHARACTERS} printable characters"
        raise _WrongFilter(reason, detail)
    operators = {str(each) for each in FilterOperator}
    if not isinstance(body, Mapping) or len(body) != 2 or "item" not in body or not operators & set(body):
        reason, detail = "FORM", "a condition is an object with item and one of equals, in, prefix"
        raise _WrongFilter(reason, detail)
    name = body["item"]
    item = resource.item(name) if isinstance(name, str) else None
    if item is None or item.share_type is ShareType.NOT_SHARED:
        reason, detail = "ITEM", "the item of a condition must be a shared item of this resource"
        raise _WrongFilter(reason, detail)
    operator = FilterOperator((set(body) - {"item"}).pop())
    return Condition(
        label=label, item=item.name, operator=operator, values=_parse_values(item, operator, body[operator])
    )


def _parse_values(item: Item, operator: FilterOperator, value: object) -> tuple[object, ...]:
    if operator is FilterOperator.IN:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_VALUES:
            reason, detail = "VALUES", f"in takes a list of 1 to {MAX_VALUES} values"
            raise _WrongFilter(reason, detail)
        return tuple(parse_value(item, each) for each in value)
    if operator is FilterOperator.PREFIX:
        if parse_format(item.format).kind not in {Kind.TEXT, Kind.DIGITS}:
            reason, detail = "PREFIX", "prefix is for items of text or digits"
            raise _WrongFilter(reason, detail)
        if not isinstance(value, str) or not value:
            reason, detail = "PREFIX", "prefix takes text of at least one character"
            raise _WrongFilter(reason, detail)
    return (parse_value(item, value),)
