"""A catalogue on its way in or out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

MAX_ENTRIES: Final = 2000
_ITEM_POINTER: Final = re.compile(r"/items/([0-9]+)(?:/([a-z_]+))?(/.*)?")
_CODE_POINTER: Final = re.compile(r"/codes/([0-9]+)(.*)")
_FIELD_POINTER: Final = re.compile(r"/(?:metadata/)?([a-z_]+)(/.*)?")


class DocumentFormat(StrEnum):
    """The forms that a catalogue is written in."""

    JSON = "json"
    EXCEL = "xlsx"
    DCAT = "dcat"


MEDIA_TYPES: Final[Mapping[DocumentFormat, str]] = {
    DocumentFormat.JSON: "application/json",
    DocumentFormat.EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    DocumentFormat.DCAT: "application/ld+json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One resource as a document describes it, not yet checked.

    `place` names where it stands in the document, `item_places` where each item does. `columns` turns fields
    into the document's own words for them.
    """

    description: dict[str, Any]
    place: str
    item_places: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    item_columns: Mapping[str, str] = field(default_factory=dict)

    def locate(self, pointer: str) -> str:
        """Turn a pointer into the description into a place in the document."""
        if not self.item_places:
            return f"{self.place}{pointer}"
        if found := _ITEM_POINTER.fullmatch(pointer):
            number, name = int(found[1]), found[2]
            if number < len(self.item_places):
                column = f"/{self.item_columns.get(name, name)}" if name else ""
                return f"{self.item_places[number]}{column}"
        if found := _FIELD_POINTER.fullmatch(pointer):
            return f"{self.place}/{self.columns.get(found[1], found[1])}{found[2] or ''}"
        return f"{self.place}{pointer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry:
    """One code list as a document describes it, not yet checked. `places` names where each code stands."""

    description: dict[str, Any]
    place: str
    places: tuple[str, ...] = ()

    def locate(self, pointer: str) -> str:
        """Turn a pointer into the list into a place in the document."""
        found = _CODE_POINTER.fullmatch(pointer)
        if found and int(found[1]) < len(self.places):
            return f"{self.places[int(found[1])]}{found[2]}"
        return f"{self.place}{'' if self.places else pointer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A catalogue as a document tells it: resources, and the code lists that departments keep."""

    entries: list[Entry]
    code_lists: list[ListEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import did, or in a dry run would do, by resource code."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    def render(self) -> dict[str, object]:
        """Render the outcome."""
        return {
            "created": list(self.created),
            "changed": list(self.changed),
            "unchanged": list(self.unchanged),
        }
