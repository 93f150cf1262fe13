"""Who read an old value in bulk: in a feed (by its change, or on a page of a snapshot), or in a share."""

from __future__ import annotations

from uuid import UUID

from core.database import Connection
from exchange.access.ground import read_grant
from exchange.access.model import Mode, RowFilter
from exchange.access.store import load_grant
from exchange.access.values import parse_value
from exchange.catalogue.model import Resource
from exchange.objections import store_readers as store
from exchange.objections.model import Holder, Objection
from exchange.objections.store import OldValue


async def find_readers(
    connection: Connection, resource: Resource, objection: Objection, old: OldValue
) -> list[Holder]:
    """Find the grants under which the old value was read in bulk, each once; feeds before shares."""
    keys = [item.name for item in resource.key_items]
    found: dict[UUID, Holder] = {}
    for reader in await store.load_readers(connection, objection=objection, old=old):
        row_filter = await _load_filter(connection, resource, reader.holder, Mode.SUBSCRIBE)
        if row_filter is not None and await has_read(
            connection, resource, objection, reader, row_filter, corrected=old.corrected
        ):
            found[reader.holder.grant_id] = reader.holder
    for holder in await store.load_sharers(connection, objection=objection, old=old):
        row_filter = await _load_filter(connection, resource, holder, Mode.BULK)
        if row_filter is not None and await store.was_within(
            connection, objection=objection, key_items=keys, row_filter=row_filter, corrected=old.corrected
        ):
            found.setdefault(holder.grant_id, holder)
    return list(found.values())


async def _load_filter(
    connection: Connection, resource: Resource, holder: Holder, mode: Mode
) -> RowFilter | None:
    grant = await load_grant(connection, grant_id=holder.grant_id)
    if grant is None or mode not in grant.terms.modes:
        return None
    return read_grant(resource, grant).row_filter


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
