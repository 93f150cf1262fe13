"""The model checker: refuses rules that cannot be lived by, before anybody's case meets them.

It proves of an item: every material can be met (each of its facts has a way that can succeed, and its
condition can hold), every fact has a way and a use, nothing refers to what is not there, no fact waits for
itself, and every example applicant meets what the office expects.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from core.codes import credit
from evidence.rules.conditions import can_hold, leaves_of
from evidence.rules.cycles import find_cycle
from evidence.rules.examples import check_examples
from evidence.rules.model import (
    AbolishedWay,
    CertificateWay,
    Confirm,
    CreditWay,
    DatasetWay,
    Fact,
    OnChange,
    RoleCondition,
    RuleFinding,
    ServiceItem,
    Severity,
    VerificationWay,
)
from evidence.rules.values import Origin, escape, parse_value, values_of
from evidence.rules.ways import can_be_reused, check_way, gives_of

CODE: Final = re.compile(r"[^\s/?#%]{1,128}")
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
REGION: Final = re.compile(r"\d{6}(\d{6})?", re.ASCII)
RESERVED: Final = frozenset({"input", "fact"})
MAX_PARTS: Final = 500


def check_item(item: ServiceItem) -> list[RuleFinding]:
    """Return what is wrong with an item's rules by themselves; see `against` for the hub's state."""
    findings = [*_check_head(item), *_check_names(item), *_check_materials(item)]
    for number, fact in enumerate(item.facts):
        findings += _check_fact(item, fact, f"/facts/{number}")
    findings += _check_form(item)
    if not any(each.severity is Severity.ERROR for each in findings):
        findings += _check_order(item)
    if not any(each.severity is Severity.ERROR for each in findings):
        findings += check_examples(item)
    return findings


def _check_head(item: ServiceItem) -> Iterator[RuleFinding]:
    if not CODE.fullmatch(item.code):
        detail = "1 to 128 characters, without blanks and without / ? # %"
        yield RuleFinding(pointer="/code", code="CODE", detail=detail)
    if not credit.is_check_valid(item.office):
        detail = "not a unified social credit code with a right check character (GB 32100)"
        yield RuleFinding(pointer="/office", code="CREDIT-CODE", detail=detail)
    if not REGION.fullmatch(item.region):
        yield RuleFinding(pointer="/region", code="DIVISION", detail="a division code of 6 or 12 digits")
    for name in ("roles", "facts", "materials"):
        if not 1 <= len(getattr(item, name)) <= MAX_PARTS:
            yield RuleFinding(pointer=f"/{name}", code="COUNT", detail=f"1 to {MAX_PARTS} are needed")


def _check_names(item: ServiceItem) -> Iterator[RuleFinding]:
    lists: dict[str, list[str]] = {
        "roles": [each.name for each in item.roles],
        "inputs": [each.name for each in item.inputs],
        "facts": [each.code for each in item.facts],
        "materials": [each.code for each in item.materials],
    }
    for place, names in lists.items():
        counts = Counter(names)
        for number, name in enumerate(names):
            pointer = f"/{place}/{number}"
            if counts[name] > 1:
                detail = f"{name!r} is here {counts[name]} times; a name is used once"
                yield RuleFinding(pointer=pointer, code="DUPLICATE", detail=detail)
            is_material = place == "materials"
            if not (CODE if is_material else NAME).fullmatch(name) or name in RESERVED:
                detail = "a-z, 0-9 and _, beginning with a letter; not input, not fact"
                yield RuleFinding(
                    pointer=pointer, code="NAME", detail="not a code" if is_material else detail
                )


def _check_materials(item: ServiceItem) -> Iterator[RuleFinding]:
    facts = {each.code for each in item.facts}
    used: set[str] = set()
    for number, material in enumerate(item.materials):
        pointer = f"/materials/{number}"
        if not material.facts:
            detail = "a material that proves no fact can never be met; name its facts"
            yield RuleFinding(pointer=f"{pointer}/facts", code="NO-FACT", detail=detail)
        for place, code in enumerate(material.facts):
            used.add(code)
            if code not in facts:
                detail = f"there is no fact {code!r}"
                yield RuleFinding(pointer=f"{pointer}/facts/{place}", code="UNKNOWN-FACT", detail=detail)
        if material.when is not None:
            yield from _check_condition(item, number)
    used |= {
        value.name
        for fact in item.facts
        for way in fact.ways
        for _, text in values_of(way)
        if (value := parse_value(text)) is not None and value.origin is Origin.FACT
    }
    for number, fact in enumerate(item.facts):
        if fact.code not in used:
            detail = f"no material needs the fact {fact.code!r}; leave it out"
            yield RuleFinding(
                pointer=f"/facts/{number}", code="UNUSED-FACT", detail=detail, severity=Severity.WARNING
            )


def _check_condition(item: ServiceItem, number: int) -> Iterator[RuleFinding]:
    condition, pointer = item.materials[number].when, f"/materials/{number}/when"
    assert condition is not None
    roles, inputs = {each.name for each in item.roles}, {each.name for each in item.inputs}
    is_known = True
    for place, leaf in leaves_of(condition, pointer):
        known, name = (roles, leaf.role) if isinstance(leaf, RoleCondition) else (inputs, leaf.input)
        if name not in known:
            is_known = False
            yield RuleFinding(pointer=place, code="UNKNOWN-NAME", detail=f"there is no {leaf.kind} {name!r}")
    possible = can_hold(condition, item) if is_known else True
    if possible is None:
        detail = "too many cases to try; whether the condition can hold is not proved"
        yield RuleFinding(pointer=pointer, code="UNPROVED", detail=detail, severity=Severity.WARNING)
    elif not possible:
        yield RuleFinding(pointer=pointer, code="NEVER", detail="there is no case in which this can hold")


def _check_fact(item: ServiceItem, fact: Fact, pointer: str) -> Iterator[RuleFinding]:
    if not fact.ways:
        detail = "a fact without a way can never be established; name at least one"
        yield RuleFinding(pointer=f"{pointer}/ways", code="NO-WAY", detail=detail)
    if not 0 <= fact.reuse_days <= 3650:
        yield RuleFinding(pointer=f"{pointer}/reuse_days", code="RANGE", detail="0 to 3650 days")
    for number, way in enumerate(fact.ways):
        place = f"{pointer}/ways/{number}"
        yield from check_way(item, way, place)
        if isinstance(way, AbolishedWay) and len(fact.ways) > 1:
            detail = "an abolished fact needs nothing else; the other ways would never be tried"
            yield RuleFinding(pointer=place, code="UNREACHABLE", detail=detail)
        yield from _check_values(item, way_pointer=place, values=list(values_of(way)))
    if fact.reuse_days and not can_be_reused(fact):
        detail = "not for reuse: it gives values, stands on another fact, or on a certificate or no source"
        yield RuleFinding(
            pointer=f"{pointer}/reuse_days", code="NOT-REUSABLE", detail=detail, severity=Severity.WARNING
        )
    sources = [
        way for way in fact.ways if isinstance(way, CertificateWay | DatasetWay | VerificationWay | CreditWay)
    ]
    if fact.on_change is not OnChange.NOTIFY and not sources:
        detail = "no way of the fact has a source that could change"
        yield RuleFinding(
            pointer=f"{pointer}/on_change", code="NOT-FOLLOWED", detail=detail, severity=Severity.WARNING
        )
    if fact.confirm is Confirm.ALL and len(sources) < 2:
        detail = "confirm: all compares sources, of which there must be two or more"
        yield RuleFinding(pointer=f"{pointer}/confirm", code="CONFIRM", detail=detail)


def _check_values(
    item: ServiceItem, *, way_pointer: str, values: Sequence[tuple[str, str]]
) -> Iterator[RuleFinding]:
    for below, text in values:
        detail = explain_value(item, text)
        if detail is not None:
            yield RuleFinding(pointer=way_pointer + below, code="REFERENCE", detail=detail)


def explain_value(item: ServiceItem, text: str) -> str | None:
    """Say what is wrong with a value that refers to something; None where it is right."""
    value = parse_value(text)
    if value is None:
        return "write $role.code, $role.name, $input.name or $fact.code.attribute ($$ for a dollar sign)"
    match value.origin:
        case Origin.ROLE if value.name not in {each.name for each in item.roles}:
            return f"there is no role {value.name!r}"
        case Origin.INPUT if value.name not in {each.name for each in item.inputs}:
            return f"there is no input {value.name!r}"
        case Origin.FACT:
            fact = next((each for each in item.facts if each.code == value.name), None)
            if fact is None:
                return f"there is no fact {value.name!r}"
            if not any(value.field in gives_of(way) for way in fact.ways):
                return f"no way of the fact {value.name!r} gives {value.field!r}"
    return None


def _check_form(item: ServiceItem) -> Iterator[RuleFinding]:
    for name, text in item.form.items():
        detail = explain_value(item, text)
        if detail is not None:
            yield RuleFinding(pointer=f"/form/{escape(name)}", code="REFERENCE", detail=detail)


def _check_order(item: ServiceItem) -> Iterator[RuleFinding]:
    cycle = find_cycle(item)
    if cycle is not None:
        number = next(n for n, each in enumerate(item.facts) if each.code == cycle[0])
        detail = "facts wait for each other: " + " → ".join((*cycle, cycle[0]))
        yield RuleFinding(pointer=f"/facts/{number}", code="CYCLE", detail=detail)
