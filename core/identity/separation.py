"""Separation of duties (三员分立): administration, operation and audit are never in one hand.

Whoever administers (organisations, systems, people, seals) does not work with data or certificates, whoever
works with them does not administer, and whoever audits does neither. It holds for systems and for people,
and the database refuses what this module would refuse.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final

from core.caller import Scope
from core.errors import FieldError


class Duty(StrEnum):
    """What a scope is part of."""

    ADMINISTRATION = "administration"
    OPERATION = "operation"
    AUDIT = "audit"


_DUTIES: Final = {
    Scope.ADMIN: Duty.ADMINISTRATION,
    Scope.SEAL_MANAGE: Duty.ADMINISTRATION,
    Scope.AUDIT: Duty.AUDIT,
}


def duty_of(scope: Scope) -> Duty:
    """Tell which duty a scope belongs to."""
    return _DUTIES.get(scope, Duty.OPERATION)


def check_separation(scopes: AbstractSet[Scope], *, pointer: str = "/scopes") -> list[FieldError]:
    """Return why nobody may hold all of `scopes`; empty where one may."""
    duties = {duty: sorted(s for s in scopes if duty_of(s) is duty) for duty in Duty}
    held = {duty: names for duty, names in duties.items() if names}
    if len(held) <= 1:
        return []
    listed = "; ".join(f"{duty}: {', '.join(names)}" for duty, names in held.items())
    detail = f"these belong to separate duties, which go to separate hands ({listed})"
    return [FieldError(pointer=pointer, code="SEPARATION", detail=detail)]
