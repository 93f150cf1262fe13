"""Rules of cascades: read strictly, and held against what there is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from certs.types.store import load_types_by_code
from core.database import Connection
from core.errors import FieldError, SchemaViolation
from core.text import check_text
from evidence.cascade.model import CascadeRule, CertificateSource, RowSource
from exchange.catalogue.store import load_resource

_ADAPTER: Final = TypeAdapter(CascadeRule)
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def parse_rule(document: object) -> CascadeRule:
    """Read a rule. Raises SchemaViolation that points at every member which is wrong."""
    try:
        rule = _ADAPTER.validate_python(document)
    except ValidationError as wrong:
        errors = tuple(
            FieldError(pointer=_pointer(each["loc"]), code="RULE-FORM", detail=each["msg"])
            for each in wrong.errors(include_url=False, include_input=False)
        )
        msg = "this is not in the form of a cascade rule; see errors"
        raise SchemaViolation(msg, errors=errors) from wrong
    errors = tuple(_check(rule))
    if errors:
        msg = "the rule does not make sense; see errors"
        raise SchemaViolation(msg, errors=errors)
    return rule


def dump_rule(rule: CascadeRule) -> dict[str, Any]:
    """Write a rule as JSON."""
    written: dict[str, Any] = _ADAPTER.dump_python(rule, mode="json", exclude_defaults=True)
    return written


async def verify_known(connection: Connection, rule: CascadeRule) -> None:
    """Let a rule pass that names what there is. Raises SchemaViolation."""
    named = [("/target", rule.target)]
    if isinstance(rule.source, CertificateSource):
        named.append(("/source/type_code", rule.source.type_code))
    kinds = await load_types_by_code(connection, codes=[code for _, code in named])
    errors = []
    for pointer, code in named:
        if code not in kinds:
            detail = "no certificate type of this code is registered"
            errors.append(FieldError(pointer=pointer, code="UNKNOWN-TYPE", detail=detail))
    if isinstance(rule.source, RowSource):
        errors += [each async for each in _check_row(connection, rule.source)]
    if errors:
        msg = "the rule names what is not there; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))


async def _check_row(connection: Connection, source: RowSource) -> AsyncIterator[FieldError]:
    resource = await load_resource(connection, code=source.resource)
    if resource is None:
        detail = f"there is no resource {source.resource} in the catalogue"
        yield FieldError(pointer="/source/resource", code="UNKNOWN-RESOURCE", detail=detail)
        return
    named = [] if source.holder is None else [("/source/holder", source.holder)]
    named += [(f"/source/when/{number}/item", each.item) for number, each in enumerate(source.when)]
    for pointer, name in named:
        if resource.item(name) is None:
            detail = f"the resource has no item {name!r}"
            yield FieldError(pointer=pointer, code="UNKNOWN-ITEM", detail=detail)


def _pointer(location: tuple[str | int, ...]) -> str:
    """Turn a place as pydantic names it into a JSON pointer: the tag of the source is no member."""
    is_tagged = location[:1] == ("source",) and location[1:2] in {("row",), ("certificate",)}
    parts = (location[0], *location[2:]) if is_tagged else location
    return "".join(f"/{part}" for part in parts)


def _check(rule: CascadeRule) -> Iterator[FieldError]:
    if not _CODE.fullmatch(rule.code):
        detail = "1 to 64 of A-Z, a-z, 0-9, _ and -"
        yield FieldError(pointer="/code", code="CODE", detail=detail)
    yield from check_text("/title", rule.title, max_characters=200)
    source = rule.source
    if isinstance(source, CertificateSource):
        if not source.statuses:
            yield FieldError(pointer="/source/statuses", code="COUNT", detail="name at least one status")
        if source.type_code == rule.target:
            detail = "a certificate does not rest on one of its own type"
            yield FieldError(pointer="/target", code="CYCLE", detail=detail)
        return
    if not source.on:
        yield FieldError(pointer="/source/on", code="COUNT", detail="name at least one operation")
    for number, each in enumerate(source.when):
        pointer = f"/source/when/{number}/values"
        count = {"equals": (1, 1), "one_of": (1, 200)}.get(each.test, (0, 0))
        if not count[0] <= len(each.values) <= count[1]:
            yield FieldError(pointer=pointer, code="COUNT", detail=f"{each.test} takes other values")
        if any(value.startswith("$") for value in each.values):
            detail = "a rule of cascades has no applicant to refer to; write the value itself"
            yield FieldError(pointer=pointer, code="REFERENCE", detail=detail)
