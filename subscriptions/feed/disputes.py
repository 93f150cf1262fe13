"""Marks on values under objection, for the rows of a page."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.database import Connection
from exchange.catalogue.model import Resource
from exchange.objections.store_open import load_disputed
from subscriptions.model import Operation

METADATA: Final = b"shuzheng.disputed"
Disputed = Mapping[int, tuple[str, ...]]


async def find_disputed(
    connection: Connection, *, resource: Resource, items: Sequence[str], table: pa.Table
) -> dict[int, tuple[str, ...]]:
    """Name the items under objection of each row of a feed's table, of those granted, by the row's number.

    The table holds the key items as they are, unmasked. A delete shows no value and has no mark.
    """
    if not table.num_rows:
        return {}
    open_items = await load_disputed(connection, resource=resource, items=items)
    if not open_items:
        return {}
    keys = [table.column(item.name) for item in resource.key_items]
    wanted = pa.array([key[0] for key in open_items], keys[0].type)
    found: dict[int, tuple[str, ...]] = {}
    for number in pc.indices_nonzero(pc.is_in(keys[0], value_set=wanted)).to_pylist():
        named = open_items.get(tuple(column[number].as_py() for column in keys))
        if named is not None and table.column("_operation")[number].as_py() != Operation.DELETE:
            found[number] = named
    return found


def mark_table(table: pa.Table, disputed: Disputed) -> pa.Table:
    """Put the marks into the schema's metadata, as JSON: places by item (`{"XM": ["7.1"]}`)."""
    if not disputed:
        return table
    return table.replace_schema_metadata({METADATA: json.dumps(list_places(table, disputed)).encode()})


def list_places(table: pa.Table, disputed: Disputed) -> dict[str, list[str]]:
    """List where in a feed's table which items are disputed: places `version.sequence` by item."""
    places: dict[str, list[str]] = defaultdict(list)
    for number, items in sorted(disputed.items()):
        place = f"{table.column(0)[number].as_py()}.{table.column(1)[number].as_py()}"
        for item in items:
            places[item].append(place)
    return dict(places)
