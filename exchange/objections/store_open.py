"""Which values of a resource are under objection now: what marks in bulk are made of."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.access.values import parse_value
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Resource
from exchange.catalogue.store import table_of

DisputedKeys = dict[tuple[object, ...], tuple[str, ...]]
_OPEN = (
    "SELECT o.row_key, array_agg(DISTINCT o.item ORDER BY o.item) AS items FROM exchange.objection o"
    " WHERE o.resource_code = $1 AND o.state = 'open' AND o.item = ANY($2::text[]) GROUP BY o.row_key"
)


async def load_disputed(connection: Connection, *, resource: Resource, items: Sequence[str]) -> DisputedKeys:
    """Load the keys (in key order, as the columns hold them) with the items under objection, of `items`."""
    return _read_keys(resource, await connection.fetch(_OPEN, resource.code, list(items)))


async def load_disputed_within(
    connection: Connection, *, resource: Resource, items: Sequence[str], row_filter: RowFilter
) -> DisputedKeys:
    """Load the same of the present rows within a row filter alone, by key."""
    parameters: list[object] = [resource.code, list(items)]
    passes = compile_row_filter(row_filter, row="d", parameters=parameters)
    keys = [item.name for item in resource.key_items]
    order = ", ".join(f"d.{quote_name(name)}" for name in keys)
    same = " AND ".join(
        f"d.{quote_name(item.name)} = (o.row_key)[{n}]::{parse_format(item.format).sql_type}"
        for n, item in enumerate(resource.key_items, start=1)
    )
    rows = await connection.fetch(
        f"SELECT o.row_key, o.items FROM ({_OPEN}) o JOIN {table_of(resource.code)} d"
        f" ON {same} WHERE {passes} ORDER BY {order}",
        *parameters,
    )
    return _read_keys(resource, rows)


def _read_keys(resource: Resource, rows: Sequence[asyncpg.Record]) -> DisputedKeys:
    found: DisputedKeys = {}
    for row in rows:
        texts = zip(resource.key_items, row["row_key"], strict=True)
        found[tuple(parse_value(item, text) for item, text in texts)] = tuple(row["items"])
    return found
