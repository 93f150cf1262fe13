"""The closed language of row filters: label → {item, and one operator}; all conditions must hold."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.database.names import check_item_name, check_resource_code
from core.errors import BadInput, FieldError
from exchange.access.model import Condition, FilterOperator, RowFilter, RowFilterJson
from exchange.access.values import parse_value
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Item, Resource, ShareType

MAX_CONDITIONS = 20
MAX_VALUES = 1000
MAX_LABEL_CHARACTERS = 60
_DIVISION = re.compile(r"\d{6}(?:\d{3}){0,2}", re.ASCII)


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
        reason, detail = (
            "FORM",
            f"a condition is an object with item and one of {', '.join(sorted(operators))}",
        )
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
    if operator is FilterOperator.IN_OWN:
        return _parse_own(value)
    if operator is FilterOperator.IN:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_VALUES:
            reason, detail = "VALUES", f"in takes a list of 1 to {MAX_VALUES} values"
            raise _WrongFilter(reason, detail)
        return tuple(parse_value(item, each) for each in value)
    if operator is FilterOperator.EQUALS:
        return (parse_value(item, value),)
    if parse_format(item.format).kind not in {Kind.TEXT, Kind.DIGITS}:
        reason, detail = operator.upper(), f"{operator} is for items of text or digits"
        raise _WrongFilter(reason, detail)
    if not isinstance(value, str) or not value:
        reason, detail = operator.upper(), f"{operator} takes text of at least one character"
        raise _WrongFilter(reason, detail)
    if operator is FilterOperator.PREFIX:
        return (parse_value(item, value),)
    prefix = trim_division(value) if _DIVISION.fullmatch(value) else ""
    if not prefix:
        reason, detail = "DIVISION", "division takes a code of 6, 9 or 12 digits, of a province or below one"
        raise _WrongFilter(reason, detail)
    return (prefix,)


def trim_division(code: str) -> str:
    """Return the beginning that the codes of a division and of all below it share (GB/T 2260, GB/T 10114).

    Six digits in pairs (province, city, county), then three for the township and three for the village.
    """
    for end, level in ((12, "000"), (9, "000"), (6, "00"), (4, "00"), (2, "00")):
        if len(code) == end and code.endswith(level):
            code = code[: -len(level)]
    return code


def _parse_own(value: object) -> tuple[object, ...]:
    if not isinstance(value, Mapping) or set(value) != {"resource", "item"}:
        reason, detail = "OWN", "in_own takes an object with resource and item, of a resource of your own"
        raise _WrongFilter(reason, detail)
    code, name = value["resource"], value["item"]
    if not isinstance(code, str) or not isinstance(name, str):
        reason, detail = "OWN", "resource and item of in_own are text"
        raise _WrongFilter(reason, detail)
    return check_resource_code(code), check_item_name(name)
