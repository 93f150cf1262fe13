"""Holding an order against the item's rules: everything that is wrong with it, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from core.codes import citizen, credit
from core.errors import FieldError, SchemaViolation
from core.text import check_text
from evidence.cases.model import EvidenceOrder, Party
from evidence.rules.model import PartyKind, ServiceItem

MAX_NAME: Final = 200
MAX_INPUT: Final = 2000


def kind_of(code: str) -> PartyKind | None:
    """Tell what a number names; None for what is neither a citizen's number nor a credit code."""
    if credit.is_check_valid(code):
        return PartyKind.ORGANISATION
    return PartyKind.PERSON if citizen.is_check_valid(code) else None


def verify_order(order: EvidenceOrder, item: ServiceItem) -> None:
    """Let an order pass that fits the item. Raises SchemaViolation that points at all that is wrong."""
    errors = [*_check_parties(order, item), *_check_inputs(order, item)]
    if order.bundle is not None and order.bundle.code not in item.bundles:
        detail = "the item is not part of this bundle"
        errors.append(FieldError(pointer="/bundle/code", code="UNKNOWN-BUNDLE", detail=detail))
    if errors:
        msg = "the request does not fit the service item; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))


def _check_parties(order: EvidenceOrder, item: ServiceItem) -> Iterator[FieldError]:
    roles = {role.name: role for role in item.roles}
    counts = Counter(party.role for party in order.parties)
    for number, party in enumerate(order.parties):
        pointer = f"/applicants/{number}"
        role = roles.get(party.role)
        if role is None:
            detail = f"the item has the roles {', '.join(roles)}"
            yield FieldError(pointer=f"{pointer}/role", code="UNKNOWN-ROLE", detail=detail)
        elif counts[party.role] > 1:
            detail = "a role is filled once"
            yield FieldError(pointer=f"{pointer}/role", code="DUPLICATE", detail=detail)
        elif role.kind not in {PartyKind.ANY, party.kind}:
            detail = f"{role.title} is a {role.kind}; the number is that of a {party.kind}"
            yield FieldError(pointer=f"{pointer}/code", code="KIND", detail=detail)
        yield from _check_party(party, pointer)
    for role in item.roles:
        if role.required and role.name not in counts:
            detail = f"the role {role.name} ({role.title}) must be filled"
            yield FieldError(pointer="/applicants", code="MISSING-ROLE", detail=detail)


def _check_party(party: Party, pointer: str) -> Iterator[FieldError]:
    if kind_of(party.code) is None:
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
