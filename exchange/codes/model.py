"""The words of code lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.caller import OrganisationCode
from exchange.standards.code_lists import CODE_LISTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code and what it means. A retired one is still understood, and flags the rows that come with it."""

    code: str
    title: str
    is_retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A code list. `version` counts its changes; `owner_code` is None for those that come with the hub."""

    name: str
    title: str
    codes: tuple[Code, ...]
    source: str = ""
    version: int = 1
    owner_code: OrganisationCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeListVersion:
    """One version of a list: when it came, and by code what it added, retitled, retired, revived, removed."""

    version: int
    at: datetime
    changes: Mapping[str, tuple[str, ...]]


SHIPPED: Final[Mapping[str, tuple[Code, ...]]] = {
    name: tuple(Code(code=code, title=title) for code, title in codes.items())
    for name, codes in CODE_LISTS.items()
}


def compare_codes(old: Sequence[Code], new: Sequence[Code]) -> dict[str, tuple[str, ...]]:
    """Tell which codes a new version adds, retitles, retires, revives and removes; no empty kinds."""
    was = {each.code: each for each in old}
    now = {each.code: each for each in new}
    kept = [(was[code], now[code]) for code in now if code in was]
    found = {
        "added": tuple(code for code in now if code not in was),
        "retitled": tuple(each.code for before, each in kept if before.title != each.title),
        "retired": tuple(each.code for before, each in kept if each.is_retired and not before.is_retired),
        "revived": tuple(each.code for before, each in kept if before.is_retired and not each.is_retired),
        "removed": tuple(code for code in was if code not in now),
    }
    return {kind: codes for kind, codes in found.items() if codes}
