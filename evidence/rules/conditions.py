"""Conditions: when a material is required at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Final

from evidence.rules.model import Combined, Condition, InputCondition, PartyKind, RoleCondition, ServiceItem

MAX_WORLDS: Final = 20_000


def holds(condition: Condition, *, roles: Mapping[str, PartyKind], inputs: Mapping[str, str]) -> bool:
    """Tell whether a condition holds for a case: what fills each role, and what the form says."""
    match condition:
        case RoleCondition():
            kind = roles.get(condition.role)
            return kind is not None and condition.is_a in {PartyKind.ANY, kind}
        case InputCondition():
            value = inputs.get(condition.input)
            return bool(value) and (not condition.one_of or value in condition.one_of)
    parts = (holds(each, roles=roles, inputs=inputs) for each in condition.of)
    match condition.kind:
        case "all":
            return all(parts)
        case "any":
            return any(parts)
        case _:
            return not any(parts)


def leaves_of(condition: Condition, pointer: str) -> Iterator[tuple[str, RoleCondition | InputCondition]]:
    """Go through the simple conditions within a condition, each with its pointer."""
    if not isinstance(condition, Combined):
        yield pointer, condition
        return
    for number, each in enumerate(condition.of):
        yield from leaves_of(each, f"{pointer}/of/{number}")


def can_hold(condition: Condition, item: ServiceItem) -> bool | None:
    """Tell whether there is any case in which a condition holds; None where that is too many to try."""
    leaves = [leaf for _, leaf in leaves_of(condition, "")]
    kinds = {role.name: _kinds(role.kind, required=role.required) for role in item.roles}
    named = sorted({leaf.role for leaf in leaves if isinstance(leaf, RoleCondition)})
    inputs: dict[str, set[str]] = {}
    for leaf in leaves:
        if isinstance(leaf, InputCondition):
            inputs.setdefault(leaf.input, {"", "\x00 any other"}).update(leaf.one_of)
    required = {each.name for each in item.inputs if each.required}
    choices: list[list[tuple[str, PartyKind | str | None]]] = [
        [(name, kind) for kind in kinds.get(name, ())] for name in named
    ]
    choices += [
        [(name, value) for value in sorted(values) if value or name not in required]
        for name, values in sorted(inputs.items())
    ]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_WORLDS:
        return None
    for world in itertools.product(*choices):
        roles = {name: value for name, value in world if isinstance(value, PartyKind)}
        form = {name: value for name, value in world if type(value) is str}
        if holds(condition, roles=roles, inputs=form):
            return True
    return False


def _kinds(kind: PartyKind, *, required: bool) -> list[PartyKind | None]:
    filled: list[PartyKind | None] = (
        [PartyKind.PERSON, PartyKind.ORGANISATION] if kind is PartyKind.ANY else [kind]
    )
    return filled if required else [None, *filled]
