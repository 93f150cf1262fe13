"""Values in rules: texts, and references to applicants, form and facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from evidence.rules.model import (
    CertificateWay,
    CreditWay,
    DatasetWay,
    VerificationWay,
    Way,
)

_ROLE: Final = re.compile(r"\$([a-z][a-z0-9_]*)\.(code|name)")
_INPUT: Final = re.compile(r"\$input\.([a-z][a-z0-9_]*)")
_FACT: Final = re.compile(r"\$fact\.([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")


class Origin(StrEnum):
    """Where a value comes from."""

    TEXT = "text"
    ROLE = "role"
    INPUT = "input"
    FACT = "fact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a rule: a text, or a member (`field`) of what is named."""

    origin: Origin
    name: str
    field: str = ""


@lru_cache(maxsize=10_000)
def parse_value(text: str) -> Value | None:
    """Read a value; None where it begins like a reference and is none."""
    if not text.startswith("$"):
        return Value(origin=Origin.TEXT, name=text)
    if text.startswith("$$"):
        return Value(origin=Origin.TEXT, name=text[1:])
    if found := _INPUT.fullmatch(text):
        return Value(origin=Origin.INPUT, name=found[1])
    if found := _FACT.fullmatch(text):
        return Value(origin=Origin.FACT, name=found[1], field=found[2])
    if (found := _ROLE.fullmatch(text)) and found[1] not in {"input", "fact"}:
        return Value(origin=Origin.ROLE, name=found[1], field=found[2])
    return None


def values_of(way: Way) -> Iterator[tuple[str, str]]:
    """Go through the values of a way that may be references: pointer below the way, and text."""
    match way:
        case DatasetWay():
            yield from _members("keys", way.keys)
        case VerificationWay():
            yield from _members("subject", way.subject)
            yield from _members("assertions", way.assertions)
        case CreditWay():
            yield from _members("where", way.where)
    if isinstance(way, CertificateWay | DatasetWay):
        for number, requirement in enumerate(way.requires):
            for place, text in enumerate(requirement.values):
                yield f"/requires/{number}/values/{place}", text


def facts_needed(way: Way) -> frozenset[str]:
    """Name the facts whose attributes a way refers to."""
    found = (parse_value(text) for _, text in values_of(way))
    return frozenset(each.name for each in found if each is not None and each.origin is Origin.FACT)


def _members(name: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, text in values.items():
        yield f"/{name}/{escape(key)}", text


def escape(name: str) -> str:
    """Write a member's name as a part of a JSON pointer (RFC 6901 3)."""
    return name.replace("~", "~0").replace("/", "~1")
