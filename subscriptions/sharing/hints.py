"""Predicate hints (Delta Sharing protocol, "JSON predicates for Filtering", and SQL expressions).

They are hints: a file is passed over only where its values prove that no row of it is sought. What is not
understood is ignored, as the protocol asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from subscriptions.sharing.model import SharedFile, Span
from subscriptions.sharing.spans import parse_bound

MAX_DEPTH: Final = 50
_SQL = re.compile(
    r"\s*`?(\w+)`?\s*(<=|>=|=|<|>)\s*(?:'((?:[^']|'')*)'|(-?\d+(?:\.\d+)?|true|false))\s*", re.I
)
_SQL_OPERATORS = {
    "=": "equal",
    "<": "lessThan",
    "<=": "lessThanOrEqual",
    ">": "greaterThan",
    ">=": "greaterThanOrEqual",
}
Predicate = Mapping[str, Any]


def parse_hints(json_hint: str | None, sql_hints: Sequence[str]) -> list[Predicate]:
    """Read hints that all hold together; those that cannot be read are left out."""
    found: list[Predicate] = [each for each in map(_parse_sql, sql_hints) if each is not None]
    if json_hint:
        try:
            read = json.loads(json_hint)
        except (ValueError, RecursionError):
            read = None
        if isinstance(read, dict):
            found.append(read)
    return found


def _parse_sql(text: str) -> Predicate | None:
    match = _SQL.fullmatch(text)
    if match is None:
        return None
    literal = match[4] if match[3] is None else match[3].replace("''", "'")
    children = [{"op": "column", "name": match[1]}, {"op": "literal", "value": literal}]
    return {"op": _SQL_OPERATORS[match[2]], "children": children}


def may_hold(file: SharedFile, predicates: Sequence[Predicate], schema: pa.Schema) -> bool:
    """Tell whether a file may have a row for which all predicates hold."""
    return all(_may(predicate, file, schema, 0) for predicate in predicates)


def _may(predicate: object, file: SharedFile, schema: pa.Schema, depth: int) -> bool:
    """Judge a predicate; True also where it cannot be judged."""
    if not isinstance(predicate, Mapping) or depth > MAX_DEPTH:
        return True
    children = predicate.get("children")
    if not isinstance(children, list):
        return True
    operator = predicate.get("op")
    if operator == "and":
        return all(_may(each, file, schema, depth + 1) for each in children)
    if operator == "or":
        return any(_may(each, file, schema, depth + 1) for each in children)
    return _may_leaf(operator, children, file, schema)


def _may_leaf(operator: object, children: Sequence[Any], file: SharedFile, schema: pa.Schema) -> bool:
    if operator == "isNull" and len(children) == 1:
        span = _span(children[0], file)
        return span is None or span[1].nulls > 0
    if operator == "in" and len(children) > 1:
        return any(_compare("equal", [children[0], each], file, schema) for each in children[1:])
    return len(children) != 2 or _compare(operator, children, file, schema)


_MIRRORED = {
    "lessThan": "greaterThan",
    "lessThanOrEqual": "greaterThanOrEqual",
    "greaterThan": "lessThan",
    "greaterThanOrEqual": "lessThanOrEqual",
    "equal": "equal",
}


def _compare(operator: object, children: Sequence[Any], file: SharedFile, schema: pa.Schema) -> bool:
    if operator not in _MIRRORED:
        return True
    column, literal = children
    if isinstance(column, Mapping) and column.get("op") == "literal":
        column, literal, operator = literal, column, _MIRRORED[str(operator)]
    found = _span(column, file)
    if found is None or not isinstance(literal, Mapping) or literal.get("op") != "literal":
        return True
    name, span = found
    if span.nulls == file.rows:
        return False
    if span.low is None or span.high is None:
        return True
    kind = schema.field(name).type
    try:
        low, high = parse_bound(span.low, kind), parse_bound(span.high, kind)
        sought = parse_bound(str(literal.get("value")), kind)
    except (ValueError, KeyError):
        return True
    judged: dict[str, bool] = {
        "equal": low <= sought <= high,
        "lessThan": low < sought,
        "lessThanOrEqual": low <= sought,
        "greaterThan": high > sought,
        "greaterThanOrEqual": high >= sought,
    }
    return judged[str(operator)]


def _span(column: object, file: SharedFile) -> tuple[str, Span] | None:
    """Find the column that a predicate names; names are compared without case, as the protocol does."""
    if not isinstance(column, Mapping) or column.get("op") != "column":
        return None
    wanted = str(column.get("name", "")).lower()
    return next(((name, span) for name, span in file.stats.items() if name.lower() == wanted), None)
