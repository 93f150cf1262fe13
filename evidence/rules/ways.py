"""The model checker's rules for single ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from core.codes import credit
from core.database.names import check_resource_code
from core.errors import BadInput
from evidence.rules.model import (
    AbolishedWay,
    CertificateWay,
    CommitmentWay,
    Comparison,
    CreditWay,
    DatasetWay,
    Fact,
    RequestWay,
    Requirement,
    RuleFinding,
    ServiceItem,
    SourceWay,
    ToleranceWay,
    VerificationWay,
    Way,
)
from evidence.rules.values import facts_needed

ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_DAYS: Final = 3650


def gives_of(way: Way) -> Mapping[str, str]:
    """Return the attributes that a way gives, by name."""
    return way.gives if isinstance(way, CertificateWay | DatasetWay) else {}


def can_be_reused(fact: Fact) -> bool:
    """Tell whether another case can take a fact over at all.

    One that gives values cannot be, since no case keeps values; nor one that stands on another fact, or on a
    certificate, which must be valid on the day.
    """
    sources = [way for way in fact.ways if isinstance(way, SourceWay)]
    return bool(sources) and not any(
        isinstance(way, CertificateWay) or facts_needed(way) or gives_of(way) for way in sources
    )


def check_way(item: ServiceItem, way: Way, pointer: str) -> Iterator[RuleFinding]:
    """Check what can be said of a way alone: its names, numbers and texts, and whether it can succeed."""
    match way:
        case CertificateWay():
            yield from _check_holder(item, way, pointer)
        case DatasetWay():
            yield from _check_resource(way.resource, way.keys, f"{pointer}/keys", pointer)
        case VerificationWay():
            yield from _check_resource(way.resource, way.subject, f"{pointer}/subject", pointer)
            if not way.assertions:
                detail = "assert at least one item"
                yield RuleFinding(pointer=f"{pointer}/assertions", code="COUNT", detail=detail)
        case CreditWay():
            yield from _check_resource(way.resource, way.where, f"{pointer}/where", pointer)
        case RequestWay():
            if not credit.is_check_valid(way.department):
                detail = "not a unified social credit code with a right check character (GB 32100)"
                yield RuleFinding(pointer=f"{pointer}/department", code="CREDIT-CODE", detail=detail)
            yield from _check_days(way.within_days, f"{pointer}/within_days")
            yield from _check_filled(way.question, f"{pointer}/question")
        case CommitmentWay():
            yield from _check_days(way.verify_within_days, f"{pointer}/verify_within_days")
            yield from _check_filled(way.template, f"{pointer}/template")
        case ToleranceWay():
            yield from _check_days(way.within_days, f"{pointer}/within_days")
        case AbolishedWay():
            yield from _check_filled(way.basis, f"{pointer}/basis")
    if isinstance(way, CertificateWay | DatasetWay):
        yield from _check_gives(way.gives, f"{pointer}/gives")
        yield from _check_requirements(way.requires, f"{pointer}/requires")
    if isinstance(way, DatasetWay | VerificationWay | CreditWay) and way.max_age_days is not None:
        yield from _check_days(way.max_age_days, f"{pointer}/max_age_days")


def _check_holder(item: ServiceItem, way: CertificateWay, pointer: str) -> Iterator[RuleFinding]:
    if way.holder not in {each.name for each in item.roles}:
        detail = f"there is no role {way.holder!r}"
        yield RuleFinding(pointer=f"{pointer}/holder", code="UNKNOWN-NAME", detail=detail)


def _check_resource(
    resource: str, keys: Mapping[str, str], place: str, pointer: str
) -> Iterator[RuleFinding]:
    try:
        check_resource_code(resource)
    except BadInput as wrong:
        yield RuleFinding(pointer=f"{pointer}/resource", code="CODE", detail=wrong.detail)
    if not keys:
        yield RuleFinding(pointer=place, code="COUNT", detail="say by which items the row is found")


def _check_gives(gives: Mapping[str, str], pointer: str) -> Iterator[RuleFinding]:
    for name in gives:
        if not ATTRIBUTE.fullmatch(name):
            detail = f"{name!r} is no name of an attribute: a-z, 0-9 and _, beginning with a letter"
            yield RuleFinding(pointer=pointer, code="NAME", detail=detail)


def _check_requirements(requires: tuple[Requirement, ...], pointer: str) -> Iterator[RuleFinding]:
    wanted: dict[str, set[str]] = {}
    for number, each in enumerate(requires):
        counts = {Comparison.EQUALS: (1, 1), Comparison.ONE_OF: (1, 200)}.get(each.test, (0, 0))
        if not counts[0] <= len(each.values) <= counts[1]:
            detail = {
                Comparison.EQUALS: "equals takes one value",
                Comparison.ONE_OF: "one_of takes 1 to 200",
            }.get(each.test, f"{each.test} takes no values")
            yield RuleFinding(pointer=f"{pointer}/{number}/values", code="COUNT", detail=detail)
        elif each.values and not any(value.startswith("$") for value in each.values):
            left = wanted.setdefault(each.item, set(each.values)) & set(each.values)
            wanted[each.item] = left
            if not left:
                detail = f"with what is required of {each.item} above, nothing can meet this"
                yield RuleFinding(pointer=f"{pointer}/{number}", code="CONTRADICTION", detail=detail)


def _check_days(days: int, pointer: str) -> Iterator[RuleFinding]:
    if not 1 <= days <= MAX_DAYS:
        yield RuleFinding(pointer=pointer, code="RANGE", detail=f"1 to {MAX_DAYS} days")


def _check_filled(text: str, pointer: str) -> Iterator[RuleFinding]:
    if not text.strip():
        yield RuleFinding(pointer=pointer, code="BLANK", detail="must not be blank")
