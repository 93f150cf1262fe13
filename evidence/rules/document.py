"""The rules' JSON: read strictly, with a pointer to each thing that is wrong, and written back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from core.errors import FieldError, SchemaViolation, TooLarge
from core.text import check_text
from evidence.rules.model import ServiceItem
from evidence.rules.values import escape
from signing import sm3
from signing.canonical_json import build_canonical_json

MAX_DOCUMENT_BYTES: Final = 512 * 1024
MAX_TEXT_CHARACTERS: Final = 2000
MAX_DEPTH: Final = 20
_ADAPTER: Final = TypeAdapter(ServiceItem)


def parse_item(document: object) -> ServiceItem:
    """Read a service item.

    Raises TooLarge, or SchemaViolation that points at every member which is missing, unknown or no value of
    its kind, and at every text with control characters. Whether the rules make sense, `check_item` tells.
    """
    errors = list(_check_texts(document, "", 0))
    if not errors and len(json.dumps(document, ensure_ascii=False).encode()) > MAX_DOCUMENT_BYTES:
        msg = f"the rules of one item take at most {MAX_DOCUMENT_BYTES} bytes"
        raise TooLarge(msg)
    if not errors:
        try:
            return _ADAPTER.validate_python(document)
        except ValidationError as wrong:
            errors = [
                FieldError(
                    pointer=_pointer(document, each["loc"]),
                    code="MISSING" if each["type"] == "missing" else "RULE-FORM",
                    detail=each["msg"],
                )
                for each in wrong.errors(include_url=False, include_input=False)
            ]
    msg = "the rules are not in the form of a service item; see errors"
    raise SchemaViolation(msg, errors=tuple(errors))


def dump_item(item: ServiceItem) -> dict[str, Any]:
    """Write a service item as JSON; members that are as by default are left out."""
    written: dict[str, Any] = _ADAPTER.dump_python(item, mode="json", exclude_defaults=True)
    return written


def digest_item(item: ServiceItem) -> str:
    """Return the SM3 of an item's document as canonical JSON, in hex."""
    return sm3.digest(build_canonical_json(dump_item(item))).hex()


def describe_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a service item."""
    return _ADAPTER.json_schema()


def _check_texts(node: object, pointer: str, depth: int) -> Iterator[FieldError]:
    if depth > MAX_DEPTH:
        detail = f"nested more than {MAX_DEPTH} deep"
        yield FieldError(pointer=pointer, code="TOO-DEEP", detail=detail)
    elif isinstance(node, dict):
        for name, value in node.items():
            below = f"{pointer}/{escape(str(name))}"
            yield from check_text(pointer, str(name), max_characters=200, required=False)
            yield from _check_texts(value, below, depth + 1)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _check_texts(value, f"{pointer}/{number}", depth + 1)
    elif isinstance(node, str):
        yield from check_text(pointer, node, max_characters=MAX_TEXT_CHARACTERS, required=False)


def _pointer(document: object, location: Sequence[str | int]) -> str:
    """Turn a place as pydantic names it into a JSON pointer: the tags of unions are no members."""
    node: Any = document
    parts: list[str] = []
    is_new = True
    for number, part in enumerate(location):
        if is_new and isinstance(node, dict) and node.get("kind") == part:
            is_new = False
            continue
        if isinstance(part, int):
            is_there = isinstance(node, list | tuple) and part < len(node)
        else:
            is_there = isinstance(node, dict) and part in node
        if is_there:
            node, is_new = node[part], True
        elif number == len(location) - 1 and isinstance(node, dict):
            node = None
        else:
            continue
        parts.append(escape(str(part)))
    return "".join(f"/{part}" for part in parts)
