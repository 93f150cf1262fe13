"""Loading a page: rows of a snapshot, changes out of the lake where they were pruned, the change log."""

from __future__ import annotations

import pyarrow as pa

from core.database import Connection
from exchange.access.model import Grant
from exchange.access.row_filter import parse_row_filter
from exchange.catalogue.model import Resource
from subscriptions.delivery.manifest import place_at
from subscriptions.feed import store
from subscriptions.feed.columns import build_schema, read_table
from subscriptions.feed.replay import LakeReplay
from subscriptions.ground import Ground
from subscriptions.model import Cursor, Position


class PageLoader:
    """Loads pages under a grant, unmasked. Where the cursor may stand was checked before."""

    def __init__(self, *, replay: LakeReplay) -> None:
        self._replay = replay

    async def load(
        self,
        connection: Connection,
        *,
        ground: Ground,
        cursor: Cursor,
        limit_rows: int,
    ) -> tuple[pa.Table, Cursor]:
        """Load at most `limit_rows` changes after `cursor`, and the cursor after the last of them."""
        position, grant, resource = cursor.position, ground.grant, ground.resource
        if position.version > resource.current_version:
            return build_schema(resource, grant.open_items(resource)).empty_table(), Cursor(position=position)
        if position.version == ground.consumer.snapshot_version:
            return await _load_snapshot(connection, grant, resource, cursor, limit_rows)
        until = resource.current_version + 1 if ground.oldest_kept is None else ground.oldest_kept
        if position.version < until:
            found, cursor = await self._replay.load(
                connection, resource=resource, grant=grant, cursor=cursor, until=until, limit_rows=limit_rows
            )
            if found.num_rows:
                return found, cursor
        return await _load_changes(connection, grant, resource, cursor.position, limit_rows)


async def _load_snapshot(
    connection: Connection, grant: Grant, resource: Resource, cursor: Cursor, limit_rows: int
) -> tuple[pa.Table, Cursor]:
    """Load rows of the snapshot, and where it ends, the changes after it."""
    position, items = cursor.position, grant.open_items(resource)
    query = store.select_snapshot(
        resource,
        version=position.version,
        items=items,
        row_filter=parse_row_filter(resource, grant.terms.row_filter),
        after_key=cursor.snapshot_key,
        first_sequence=position.sequence + 1,
        limit_rows=limit_rows,
    )
    snapshot = await read_table(connection, query, build_schema(resource, items))
    if snapshot.num_rows == limit_rows:
        key = tuple(snapshot.column(item.name)[limit_rows - 1].as_py() for item in resource.key_items)
        return snapshot, Cursor(position=place_at(snapshot, limit_rows - 1), snapshot_key=key)
    after = Position(version=position.version + 1, sequence=0)
    changes, reached = await _load_changes(connection, grant, resource, after, limit_rows - snapshot.num_rows)
    return pa.concat_tables([snapshot, changes]), reached


async def _load_changes(
    connection: Connection, grant: Grant, resource: Resource, after: Position, limit_rows: int
) -> tuple[pa.Table, Cursor]:
    items = grant.open_items(resource)
    query = store.select_changes(
        resource,
        after=after,
        to_version=resource.current_version,
        items=items,
        row_filter=parse_row_filter(resource, grant.terms.row_filter),
        limit_rows=limit_rows,
    )
    changes = await read_table(connection, query, build_schema(resource, items))
    if changes.num_rows == limit_rows:
        return changes, Cursor(position=place_at(changes, limit_rows - 1))
    end = Position(version=resource.current_version + 1, sequence=0)
    return changes, Cursor(position=max(after, end))
