"""The words of the element registry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.caller import OrganisationCode
from exchange.catalogue.model import CheckRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A data element. `synonyms` are other titles of it, `names` the item names that it goes by.

    `owner_code` is None for the elements that come with the hub; `source` names where the definition stands.
    """

    identifier: str
    title: str
    definition: str
    format: str
    title_en: str = ""
    synonyms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    code_list: str | None = None
    check_rule: CheckRule | None = None
    source: str = ""
    owner_code: OrganisationCode | None = None


class Ground(StrEnum):
    """Why an item is taken for an element, the surest first."""

    NAMED = "named"
    SAME_TITLE = "same_title"
    SYNONYM = "synonym"
    SAME_NAME = "same_name"
    SIMILAR_TITLE = "similar_title"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An item that may be of an element: how sure (0 to 1), why, and where the two differ."""

    element: Element
    ground: Ground
    score: float
    differences: tuple[str, ...]
