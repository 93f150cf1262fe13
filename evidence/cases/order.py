"""Holding an order against the item's rules: everything that is wrong with it, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from core.codes import citizen, credit
from core.errors import FieldError, SchemaViolation
from core.text import check_text
from evidence.cases.model import EvidenceOrder, Party
from evidence.rules.model import PartyKind, ServiceItem

MAX_NAME: Final = 200
MAX_INPUT: Final = 2000


def kinds_of(code: str) -> tuple[PartyKind, ...]:
    """Tell what a number may name; one citizen's number in 31 is a right credit code too, by chance."""
    checks = {PartyKind.PERSON: citizen.is_check_valid, PartyKind.ORGANISATION: credit.is_check_valid}
    return tuple(kind for kind, is_valid in checks.items() if is_valid(code))


def fit_order(order: EvidenceOrder, item: ServiceItem) -> EvidenceOrder:
    """Return an order that fits the item, with what each number names as its role has it.

    Raises SchemaViolation that points at all that is wrong.
    """
    errors = [*_check_parties(order, item), *_check_inputs(order, item)]
    if order.bundle is not None and order.bundle.code not in item.bundles:
        detail = "the item is not part of this bundle"
        errors.append(FieldError(pointer="/bundle/code", code="UNKNOWN-BUNDLE", detail=detail))
    if errors:
        msg = "the request does not fit the service item; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    roles = {role.name: role for role in item.roles}
    return replace(
        order,
        parties=tuple(
            each if roles[each.role].kind is PartyKind.ANY else replace(each, kind=roles[each.role].kind)
            for each in order.parties
        ),
    )


def _check_parties(order: EvidenceOrder, item: ServiceItem) -> Iterator[FieldError]:
    roles = {role.name: role for role in item.roles}
    counts = Counter(party.role for party in order.parties)
    for number, party in enumerate(order.parties):
        pointer = f"/applicants/{number}"
        role = roles.get(party.role)
        kinds = kinds_of(party.code)
        if role is None:
            detail = f"the item has the roles {', '.join(roles)}"
            yield FieldError(pointer=f"{pointer}/role", code="UNKNOWN-ROLE", detail=detail)
        elif counts[party.role] > 1:
            detail = "a role is filled once"
            yield FieldError(pointer=f"{pointer}/role", code="DUPLICATE", detail=detail)
        elif role.kind not in {PartyKind.ANY, *kinds}:
            detail = f"the number is not that of a {role.kind}, which {role.title} is"
            yield FieldError(pointer=f"{pointer}/code", code="KIND", detail=detail)
        yield from _check_party(party, kinds, pointer)
    for role in item.roles:
        if role.required and role.name not in counts:
            detail = f"the role {role.name} ({role.title}) must be filled"
            yield FieldError(pointer="/applicants", code="MISSING-ROLE", detail=detail)


def _check_party(party: Party, kinds: Sequence[PartyKind], pointer: str) -> Iterator[FieldError]:
    if not kinds:
        detail = "neither a citizen number nor a unified social credit code with a right check character"
        yield FieldError(pointer=f"{pointer}/code", code="NUMBER", detail=detail)
    yield from check_text(f"{pointer}/name", party.name, max_characters=MAX_NAME)


def _check_inputs(order: EvidenceOrder, item: ServiceItem) -> Iterator[FieldError]:
    known = {each.name for each in item.inputs}
    for name, value in order.inputs.items():
        if name not in known:
            detail = f"the item has the inputs {', '.join(sorted(known)) or '(none)'}"
            yield FieldError(pointer="/inputs", code="UNKNOWN-INPUT", detail=detail)
        else:
            yield from check_text(f"/inputs/{name}", value, max_characters=MAX_INPUT, required=False)
    for each in item.inputs:
        if each.required and not order.inputs.get(each.name, "").strip():
            detail = f"{each.title} must be stated"
            yield FieldError(pointer=f"/inputs/{each.name}", code="MISSING-INPUT", detail=detail)
