"""Loading a page: rows of a snapshot, changes out of the lake where they were pruned, the change log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import pyarrow as pa

from core.database import Connection
from exchange.access.masks import Mask
from exchange.access.row_filter import parse_row_filter
from exchange.catalogue.model import Resource
from subscriptions.delivery.manifest import place_at
from subscriptions.feed import store
from subscriptions.feed.announce import begin_announcing, end_announcing, verify_told
from subscriptions.feed.columns import build_schema, read_table
from subscriptions.feed.replay import LakeReplay
from subscriptions.feed.store_announce import Shown, select_announcement
from subscriptions.feed.store_masks import choose_sql_masks
from subscriptions.ground import Ground
from subscriptions.model import Announcing, Cursor, Key, Position

MAX_SILENT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Changes, and the cursor after the last of them. The items `masked` were masked by the database."""

    table: pa.Table
    reached: Cursor
    masked: frozenset[str] = frozenset()
    is_announcement: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """On which ground, with which masks of the database, and how much is loaded."""

    ground: Ground
    masks: Mapping[str, Mask]
    limit_rows: int


class PageLoader:
    """Loads pages under a grant. Where the cursor may stand was checked before."""

    def __init__(self, *, replay: LakeReplay) -> None:
        self._replay = replay
        self._silent: dict[tuple[UUID, Cursor], int] = {}

    async def load(
        self,
        connection: Connection,
        *,
        ground: Ground,
        cursor: Cursor,
        limit_rows: int,
        masks: Mapping[str, Mask] = store.NO_MASKS,
        announces: bool = True,
    ) -> Loaded:
        """Load at most `limit_rows` changes after `cursor`, with those of `masks` that the database applies.

        Where the grant's filter has changed since, what left and entered it comes first, as a page of its
        own; without `announces` that is passed over.
        """
        ask = _Ask(ground=ground, masks=choose_sql_masks(ground.resource, masks), limit_rows=limit_rows)
        begun = begin_announcing(ground, cursor) if announces else None
        if begun is not None:
            announced = await self._announce(connection, ask, cursor, begun)
            if announced.table.num_rows:
                return announced
            cursor = announced.reached
        loaded = await self._load_next(connection, ask, cursor)
        return replace(loaded, reached=replace(loaded.reached, epoch=ground.epoch))

    async def load_current(
        self,
        connection: Connection,
        *,
        ground: Ground,
        loaded: Loaded,
        masks: Mapping[str, Mask] = store.NO_MASKS,
    ) -> Loaded:
        """Load the rows that `loaded` tells of as they are now, each at the place of its last change."""
        resource, table = ground.resource, loaded.table
        if not table.num_rows:
            return loaded
        last: dict[Key, Position] = {}
        names = [item.name for item in resource.key_items]
        keys = zip(*(table.column(name).to_pylist() for name in names), strict=True)
        for number, key in enumerate(keys):
            last[key] = place_at(table, number)
        sql_masks = choose_sql_masks(resource, masks)
        items = ground.grant.open_items(resource)
        query = store.select_current(
            resource,
            keys=[(place, key) for key, place in last.items()],
            items=items,
            row_filter=ground.filter_of(ground.epoch),
            masks=sql_masks,
        )
        current = await read_table(connection, query, build_schema(resource, items))
        return replace(loaded, table=current, masked=frozenset(sql_masks))

    async def _announce(self, connection: Connection, ask: _Ask, read: Cursor, cursor: Cursor) -> Loaded:
        """Load what is announced at `cursor`. What was found to be nothing is not looked for again."""
        ground, limit_rows = ask.ground, ask.limit_rows
        told, resource = cursor.announcing, ground.resource
        assert told is not None
        known = (ground.subscription.id, read)
        if self._silent.get(known) == ground.epoch:
            return Loaded(table=_empty(ground), reached=end_announcing(ground, cursor, cursor.position))
        items = ground.grant.open_items(resource)
        verify_told(ground, told)
        is_inside = told.place.sequence > 0 and told.pieces[-1].upto is None
        query = select_announcement(
            resource,
            place=Position(version=cursor.position.version, sequence=told.place.sequence),
            is_inside=is_inside,
            shown=_describe_shown(ground, told),
            row_filter=ground.filter_of(ground.epoch),
            items=items,
            reached=told.reached,
            first_sequence=cursor.position.sequence + 1,
            limit_rows=limit_rows,
            masks=ask.masks,
        )
        table = await read_table(connection, query, build_schema(resource, items))
        if not table.num_rows:
            if len(self._silent) >= MAX_SILENT:
                self._silent.clear()
            self._silent[known] = ground.epoch
            return Loaded(table=table, reached=end_announcing(ground, cursor, cursor.position))
        last = place_at(table, table.num_rows - 1)
        if table.num_rows < limit_rows:
            reached = end_announcing(ground, cursor, last)
        else:
            key = _last_key(table, resource)
            reached = replace(cursor, position=last, announcing=replace(told, reached=key))
        return Loaded(table=table, reached=reached, masked=frozenset(ask.masks), is_announcement=True)

    async def _load_next(self, connection: Connection, ask: _Ask, cursor: Cursor) -> Loaded:
        ground, position, resource = ask.ground, cursor.position, ask.ground.resource
        if position.version > resource.current_version:
            return Loaded(table=_empty(ground), reached=Cursor(position=position))
        if position.version == ground.consumer.snapshot_version:
            return await _load_snapshot(connection, ask, cursor)
        until = resource.current_version + 1 if ground.oldest_kept is None else ground.oldest_kept
        if position.version < until:
            found, cursor = await self._replay.load(
                connection,
                resource=resource,
                grant=ground.grant,
                cursor=cursor,
                until=until,
                limit_rows=ask.limit_rows,
            )
            if found.num_rows:
                return Loaded(table=found, reached=cursor)
        return await _load_changes(connection, ask, cursor.position, ask.limit_rows)


def _empty(ground: Ground) -> pa.Table:
    return build_schema(ground.resource, ground.grant.open_items(ground.resource)).empty_table()


def _describe_shown(ground: Ground, told: Announcing) -> Shown:
    *broken_off, last = told.pieces
    return Shown(
        broken_off=tuple(
            (ground.filter_of(each.epoch), each.upto) for each in broken_off if each.upto is not None
        ),
        row_filter=ground.filter_of(last.epoch),
        bound=last.upto,
    )


def _last_key(table: pa.Table, resource: Resource) -> Key:
    return tuple(table.column(item.name)[table.num_rows - 1].as_py() for item in resource.key_items)


async def _load_snapshot(connection: Connection, ask: _Ask, cursor: Cursor) -> Loaded:
    """Load rows of the snapshot, and where it ends, the changes after it."""
    resource, limit_rows, position = ask.ground.resource, ask.limit_rows, cursor.position
    items = ask.ground.grant.open_items(resource)
    query = store.select_snapshot(
        resource,
        version=position.version,
        items=items,
        row_filter=parse_row_filter(resource, ask.ground.grant.terms.row_filter),
        after_key=cursor.snapshot_key,
        first_sequence=position.sequence + 1,
        limit_rows=limit_rows,
        masks=ask.masks,
    )
    snapshot = await read_table(connection, query, build_schema(resource, items))
    masked = frozenset(ask.masks)
    if snapshot.num_rows == limit_rows:
        key, last = _last_key(snapshot, resource), place_at(snapshot, limit_rows - 1)
        return Loaded(table=snapshot, reached=Cursor(position=last, snapshot_key=key), masked=masked)
    after = Position(version=position.version + 1, sequence=0)
    loaded = await _load_changes(connection, ask, after, limit_rows - snapshot.num_rows)
    return replace(loaded, table=pa.concat_tables([snapshot, loaded.table]))


async def _load_changes(connection: Connection, ask: _Ask, after: Position, limit_rows: int) -> Loaded:
    resource = ask.ground.resource
    items = ask.ground.grant.open_items(resource)
    query = store.select_changes(
        resource,
        after=after,
        to_version=resource.current_version,
        items=items,
        row_filter=parse_row_filter(resource, ask.ground.grant.terms.row_filter),
        limit_rows=limit_rows,
        masks=ask.masks,
    )
    changes = await read_table(connection, query, build_schema(resource, items))
    if changes.num_rows == limit_rows:
        reached = place_at(changes, limit_rows - 1)
    else:
        reached = max(after, Position(version=resource.current_version + 1, sequence=0))
    return Loaded(table=changes, reached=Cursor(position=reached), masked=frozenset(ask.masks))
