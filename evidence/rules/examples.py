"""Example applicants: what the rules ask of each of them, held against what the office expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.rules.conditions import holds
from evidence.rules.cycles import order_facts
from evidence.rules.model import (
    CertificateWay,
    Example,
    Fact,
    PartyKind,
    RuleFinding,
    ServiceItem,
    Severity,
    Way,
)
from evidence.rules.values import Origin, escape, parse_value, values_of
from evidence.rules.ways import gives_of

MAX_EXAMPLES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the rules come to for one applicant.

    `required` are codes of materials in the order of the item; `ways` has, for each fact that these need,
    the numbers of the ways that can be tried for this applicant.
    """

    required: tuple[str, ...]
    ways: Mapping[str, tuple[int, ...]]


def find_demand(item: ServiceItem, *, roles: Mapping[str, PartyKind], inputs: Mapping[str, str]) -> Demand:
    """Say which materials an applicant needs, and which ways are open for each of their facts.

    A way is open where everything that it refers to is there: roles are filled, inputs are given, and another
    fact has an open way that gives the attribute. Whether the source then has anything, only a case tells.
    """
    materials = [
        each for each in item.materials if each.when is None or holds(each.when, roles=roles, inputs=inputs)
    ]
    given: dict[str, set[str]] = {}
    open_ways: dict[str, tuple[int, ...]] = {}
    for code in (code for facts in order_facts(item) for code in facts):
        ways = item.fact(code).ways
        numbers = tuple(
            number
            for number, way in enumerate(ways)
            if all(_is_there(text, roles, inputs, given) for text in _texts_of(way))
        )
        open_ways[code] = numbers
        given[code] = {name for number in numbers for name in gives_of(ways[number])}
    needed = dict.fromkeys(code for each in materials for code in each.facts)
    return Demand(
        required=tuple(each.code for each in materials), ways={code: open_ways[code] for code in needed}
    )


def check_examples(item: ServiceItem) -> Iterator[RuleFinding]:
    """Hold an item's rules, which are sound otherwise, against its examples.

    An example that fails is an error, in whose detail it is named. A condition that no example makes hold, or
    that none makes fail, is a warning.
    """
    if len(item.examples) > MAX_EXAMPLES:
        yield RuleFinding(pointer="/examples", code="COUNT", detail=f"at most {MAX_EXAMPLES} are tested")
        return
    counts = Counter(each.name for each in item.examples)
    demands: list[Demand] = []
    for number, example in enumerate(item.examples):
        pointer = f"/examples/{number}"
        if counts[example.name] > 1 or not example.name.strip():
            detail = "an example has a name of its own"
            yield RuleFinding(pointer=f"{pointer}/name", code="DUPLICATE", detail=detail)
        unfit = list(_check_applicant(item, example, pointer))
        yield from unfit
        if not unfit:
            demand = find_demand(item, roles=example.roles, inputs=example.inputs)
            demands.append(demand)
            yield from compare_example(item, example, demand, pointer)
    yield from _check_coverage(item, demands)


def compare_example(
    item: ServiceItem, example: Example, demand: Demand, pointer: str
) -> Iterator[RuleFinding]:
    """Say where an example expects something else than the rules demand."""
    for code in demand.required:
        if code not in example.required:
            detail = f"example {example.name!r}: the rules require {code}, which it does not expect"
            yield RuleFinding(pointer=f"{pointer}/required", code="EXAMPLE-FAILED", detail=detail)
    for code in example.required:
        if code not in demand.required:
            detail = f"example {example.name!r}: expects {code}, which the rules do not require"
            yield RuleFinding(pointer=f"{pointer}/required", code="EXAMPLE-FAILED", detail=detail)
    for code, expected in example.ways.items():
        place = f"{pointer}/ways/{escape(code)}"
        found = name_ways(item, code, demand.ways.get(code, ()))
        if code not in demand.ways:
            detail = f"example {example.name!r}: no material that is required here needs the fact {code!r}"
            yield RuleFinding(pointer=place, code="EXAMPLE-FAILED", detail=detail)
        elif found != expected:
            detail = (
                f"example {example.name!r}: the fact {code} can be met by {', '.join(found) or 'no way'},"
                f" expected is {', '.join(expected) or 'no way'}"
            )
            yield RuleFinding(pointer=place, code="EXAMPLE-FAILED", detail=detail)


def name_ways(item: ServiceItem, fact: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """Return the kinds of a fact's ways of these numbers."""
    found: Fact | None = next((each for each in item.facts if each.code == fact), None)
    return () if found is None else tuple(found.ways[number].kind for number in numbers)


def _check_applicant(item: ServiceItem, example: Example, pointer: str) -> Iterator[RuleFinding]:
    """Say where an example is no applicant of this item, so that testing it would prove nothing."""
    kinds = {each.name: each for each in item.roles}
    for name, kind in example.roles.items():
        place = f"{pointer}/roles/{escape(name)}"
        if name not in kinds:
            yield _unfit(example, place, f"there is no role {name!r}")
        elif kind is PartyKind.ANY:
            yield _unfit(example, place, "say whether a person or an organisation fills the role")
        elif kinds[name].kind not in {PartyKind.ANY, kind}:
            yield _unfit(example, place, f"the role is filled by a {kinds[name].kind}")
    for role in item.roles:
        if role.required and role.name not in example.roles:
            yield _unfit(example, f"{pointer}/roles", f"somebody must fill the role {role.name!r}")
    inputs = {each.name for each in item.inputs}
    for name in example.inputs:
        if name not in inputs:
            place = f"{pointer}/inputs/{escape(name)}"
            yield _unfit(example, place, f"there is no input {name!r}")
    for each in item.inputs:
        if each.required and not example.inputs.get(each.name, "").strip():
            yield _unfit(example, f"{pointer}/inputs", f"the input {each.name!r} must be stated")
    yield from _check_named(item, example, pointer)


def _check_named(item: ServiceItem, example: Example, pointer: str) -> Iterator[RuleFinding]:
    materials = {each.code for each in item.materials}
    for place, code in enumerate(example.required):
        if code not in materials:
            yield _unfit(example, f"{pointer}/required/{place}", f"there is no material {code!r}")
    facts = {each.code for each in item.facts}
    for code in example.ways:
        if code not in facts:
            yield _unfit(example, f"{pointer}/ways/{escape(code)}", f"there is no fact {code!r}")


def _unfit(example: Example, pointer: str, detail: str) -> RuleFinding:
    return RuleFinding(pointer=pointer, code="EXAMPLE", detail=f"example {example.name!r}: {detail}")


def _check_coverage(item: ServiceItem, demands: Sequence[Demand]) -> Iterator[RuleFinding]:
    if not item.examples:
        if any(each.when is not None for each in item.materials):
            detail = "conditions decide what is required, and no example applicant tests them"
            yield RuleFinding(pointer="/examples", code="UNTESTED", detail=detail, severity=Severity.WARNING)
        return
    for number, material in enumerate(item.materials):
        if material.when is None:
            continue
        found = {material.code in demand.required for demand in demands}
        for outcome in sorted({True, False} - found):
            detail = f"no example is {'asked for' if outcome else 'spared'} {material.code}; add one"
            yield RuleFinding(
                pointer=f"/materials/{number}/when",
                code="UNTESTED",
                detail=detail,
                severity=Severity.WARNING,
            )


def _texts_of(way: Way) -> Iterator[str]:
    if isinstance(way, CertificateWay):
        yield f"${way.holder}.code"
    yield from (text for _, text in values_of(way))


def _is_there(
    text: str,
    roles: Mapping[str, PartyKind],
    inputs: Mapping[str, str],
    given: Mapping[str, set[str]],
) -> bool:
    value = parse_value(text)
    assert value is not None
    match value.origin:
        case Origin.TEXT:
            return True
        case Origin.ROLE:
            return value.name in roles
        case Origin.INPUT:
            return bool(inputs.get(value.name))
    return value.field in given.get(value.name, ())
