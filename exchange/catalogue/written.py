"""The parts of a description that are kept as JSON: metadata, and what an item has beyond its columns.

Only what differs from its default is written, so that a field added later is simply absent in older rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from exchange.catalogue.metadata import FormatClass, Metadata, OpenType, ShareMethod
from exchange.catalogue.model import Item, UpdateCycle

DETAIL_FIELDS: Final = (
    "title_en",
    "description",
    "element",
    "source_system",
    "source_item",
    "update_cycle",
    "is_authoritative",
    "is_incremental",
    "is_open",
)
_WORDS: Final = {"format_class": FormatClass, "open_type": OpenType}
_LISTS: Final = {"aliases": str, "labels": str, "classification_titles": str, "related_codes": str} | {
    "share_methods": ShareMethod
}


def write_metadata(metadata: Metadata) -> dict[str, Any]:
    """Write metadata as JSON."""
    return _write(metadata, [each.name for each in fields(Metadata)])


def read_metadata(written: Mapping[str, Any]) -> Metadata:
    """Read what `write_metadata` wrote."""
    values = dict(written)
    for name, word in _WORDS.items():
        if name in values:
            values[name] = word(values[name])
    for name, kind in _LISTS.items():
        if name in values:
            values[name] = tuple(kind(each) for each in values[name])
    return Metadata(**values)


def write_details(item: Item) -> dict[str, Any]:
    """Write what an item has beyond its columns as JSON."""
    return _write(item, DETAIL_FIELDS)


def read_details(written: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `write_details` wrote, as arguments of Item."""
    values = dict(written)
    if "update_cycle" in values:
        values["update_cycle"] = UpdateCycle(values["update_cycle"])
    return values


def _write(held: Metadata | Item, names: Any) -> dict[str, Any]:
    defaults = {each.name: each.default for each in fields(held) if each.default is not MISSING}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in names
        if (value := getattr(held, name)) != defaults[name]
    }
