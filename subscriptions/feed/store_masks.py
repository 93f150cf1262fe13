"""Masks as SQL, so that what they hide never leaves the database.

Only masks of text that count characters can be written so. `hash` is a keyed SM3, which PostgreSQL has not,
and its key must not reach the database's logs; `address` needs the table of divisions, as verification does;
items that are no text are masked as the hub renders them; keys are what pages go on from. These are applied
by the hub, as are all masks where rows come out of the lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.database.names import quote_name
from exchange.access.masks import KEPT, STAR, Mask, MaskKind
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Resource

IN_SQL: Final = frozenset({MaskKind.FULL, MaskKind.NAME, MaskKind.ID_NUMBER, MaskKind.PHONE, MaskKind.KEEP})
_TEXT: Final = frozenset({Kind.TEXT, Kind.DIGITS})


def choose_sql_masks(resource: Resource, masks: Mapping[str, Mask]) -> dict[str, Mask]:
    """Choose the masks that the database applies."""
    chosen = {}
    for name, mask in masks.items():
        item = resource.item(name)
        if item is None or item.is_key or parse_format(item.format).kind not in _TEXT:
            continue
        if mask.kind in IN_SQL:
            chosen[name] = mask
    return chosen


def write_item(row: str, name: str, masks: Mapping[str, Mask]) -> str:
    """Write an item of `row` (a composite in brackets) as it is shown."""
    column = f"{row}.{quote_name(name)}"
    mask = masks.get(name)
    return column if mask is None else write_mask(mask, column)


def write_mask(mask: Mask, column: str) -> str:
    """Write what `exchange.access.masks.mask_text` makes of a text column; null stays null."""
    if mask.kind is MaskKind.FULL:
        return f"CASE WHEN {column} IS NOT NULL THEN '{STAR * 3}' END"
    length = f"length({column})"
    if mask.kind is MaskKind.NAME:
        return f"left({column}, 1) || repeat('{STAR}', greatest(1, least({length} - 1, 3)))"
    first, last = KEPT.get(mask.kind, (mask.keep_first, mask.keep_last))
    return (
        f"CASE WHEN {length} <= {first + last} THEN repeat('{STAR}', greatest({length}, 1))"
        f" ELSE left({column}, {first}) || repeat('{STAR}', {length} - {first + last})"
        f" || right({column}, {last}) END"
    )
