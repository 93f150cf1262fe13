"""Whether a feed gave an old value: by its change, or on a page of a snapshot that a consumer began with."""

from __future__ import annotations

from core.database import Connection
from exchange.access.model import RowFilter
from exchange.access.values import parse_value
from exchange.catalogue.model import Resource
from exchange.objections import store_readers as store
from exchange.objections.model import Objection


async def has_read(
    connection: Connection,
    resource: Resource,
    objection: Objection,
    reader: store.Reader,
    row_filter: RowFilter,
    *,
    corrected: int,
) -> bool:
    """Tell whether a reader was given the old value, through the row filter that its grant has now.

    A page of a snapshot held the rows from its first to its last place, which are counted by key.
    """
    keys = [item.name for item in resource.key_items]
    if reader.has_change and await store.was_within(
        connection, objection=objection, key_items=keys, row_filter=row_filter, corrected=corrected
    ):
        return True
    texts = zip(resource.key_items, objection.row_key, strict=True)
    values = {item.name: parse_value(item, text) for item, text in texts}
    for version in sorted({version for version, _, _ in reader.pages}):
        place = await store.load_snapshot_place(
            connection, resource_code=resource.code, keys=values, row_filter=row_filter, version=version
        )
        pages = [page for page in reader.pages if page[0] == version]
        if place is not None and any(
            first <= place and (last is None or place <= last) for _, first, last in pages
        ):
            return True
    return False
