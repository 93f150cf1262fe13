"""Which scopes no single system may hold: who keeps seals does not set them."""

from __future__ import annotations

from typing import Final

from core.caller import Scope
from core.errors import FieldError

ADMINISTERING: Final = frozenset({Scope.ADMIN, Scope.SEAL_MANAGE})
"""Scopes that register, replace and suspend seals; their holders never sign with one."""


def check_separation(scopes: frozenset[Scope]) -> list[FieldError]:
    """Return why one system may not hold all of `scopes`; empty where it may."""
    keeping = scopes & ADMINISTERING
    if not keeping or Scope.CERTIFICATE_ISSUE not in scopes:
        return []
    names = " and ".join(sorted(keeping))
    detail = f"{names} administers seals and {Scope.CERTIFICATE_ISSUE} uses them; give them to two systems"
    return [FieldError(pointer="/scopes", code="SEPARATION", detail=detail)]
