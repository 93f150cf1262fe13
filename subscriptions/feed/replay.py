"""Reading changes that the change log no longer keeps, out of the lake.

The lake holds the changes of a version without their order. Within a version they come by key here, numbered
by the place of their key among all keys of the version, so that neither a row filter nor its narrowing moves
them. A cursor inside such a version carries the key; one of the change log's own numbering will not do. A
large version is read in windows of so many keys, each in two passes over its changes: which keys, then their
rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.database import Connection
from core.errors import Unavailable
from exchange.access.model import Grant
from exchange.access.row_filter import parse_row_filter
from exchange.catalogue.model import Resource
from subscriptions.feed.columns import build_schema
from subscriptions.lake import store as lake_store
from subscriptions.lake.columns import arrow_type
from subscriptions.lake.model import LakeVersion
from subscriptions.lake.place import LakePlace
from subscriptions.lake.table import LakeTable
from subscriptions.model import Cursor, Key, Operation, Position
from subscriptions.sharing.changes import CHANGE_TYPE, show_changes
from subscriptions.sharing.store import load_own_values
from subscriptions.sharing.view import View

WINDOW_KEYS: Final = 500_000
_OPERATIONS: Final = {
    "insert": Operation.INSERT,
    "update_postimage": Operation.UPDATE,
    "delete": Operation.DELETE,
}


def find_oldest(versions: Sequence[LakeVersion], *, until: int) -> int:
    """Return the oldest version from which on the lake can replay all before `until`."""
    oldest = until
    for entry in reversed(versions):
        if entry.version >= until:
            continue
        if entry.version != oldest - 1 or not entry.has_changes or entry.version < 1:
            break
        oldest = entry.version
    return oldest


class LakeReplay:
    """Reads the lake as a feed. `place` is where the lake lies."""

    def __init__(self, *, place: LakePlace) -> None:
        self._place = place

    async def load(
        self,
        connection: Connection,
        *,
        resource: Resource,
        grant: Grant,
        cursor: Cursor,
        until: int,
        limit_rows: int,
    ) -> tuple[pa.Table, Cursor]:
        """Load the changes from `cursor` on, of versions before `until`; unmasked, and the cursor after them.

        Raises Unavailable where the object store fails, or the lake lost a table.
        """
        view = await _build_view(connection, resource=resource, grant=grant)
        versions = await lake_store.load_versions(connection, code=resource.code)
        table = await asyncio.to_thread(LakeTable.open, self._place, resource.code)
        if table is None:
            msg = "the table of this resource is being written anew; try again soon"
            raise Unavailable(msg)
        parts: list[pa.Table] = []
        left = limit_rows
        for entry in versions:
            if entry.version < cursor.position.version or entry.version >= until or not entry.changed_rows:
                continue
            begun = cursor if entry.version == cursor.position.version else None
            found = await asyncio.to_thread(_read_version, table, view, entry, begun, left)
            parts += [part for part in found if part.num_rows]
            left -= sum(part.num_rows for part in found)
            if not left:
                last = parts[-1].slice(parts[-1].num_rows - 1)
                place = Position(version=entry.version, sequence=last.column("_sequence")[0].as_py())
                key = tuple(last.column(name)[0].as_py() for name in view.keys)
                return _finish(parts, resource, view), Cursor(position=place, replay_key=key)
        return _finish(parts, resource, view), Cursor(position=Position(version=until, sequence=0))


async def _build_view(connection: Connection, *, resource: Resource, grant: Grant) -> View:
    row_filter = parse_row_filter(resource, grant.terms.row_filter)
    items = [item for item in resource.items if item.name in set(grant.open_items(resource))]
    return View(
        digest=b"",
        schema=pa.schema([pa.field(item.name, arrow_type(item)) for item in items]),
        keys=tuple(item.name for item in resource.key_items),
        row_filter=row_filter,
        masks={},
        own=await load_own_values(connection, row_filter=row_filter),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """Changes of a version: all those whose keys follow one another, `keys` in order."""

    keys: pa.Table
    feed: pa.Table
    is_last: bool


def _read_version(
    table: LakeTable, view: View, entry: LakeVersion, begun: Cursor | None, limit_rows: int
) -> list[pa.Table]:
    """Read at most `limit_rows` changes of a version, from its beginning or on from a cursor inside it."""
    found: list[pa.Table] = []
    left, numbered, key = limit_rows, 0, None
    if begun is not None and begun.replay_key is not None:
        numbered, key = begun.position.sequence, begun.replay_key
    while left:
        window = _read_window(table, entry, view.keys, key)
        found.append(_number(view, window, entry, numbered).slice(0, left))
        left -= found[-1].num_rows
        if window.is_last:
            break
        numbered += window.keys.num_rows
        key = _key_at(window.keys, window.keys.num_rows - 1)
    return found


def _read_window(table: LakeTable, entry: LakeVersion, keys: tuple[str, ...], after: Key | None) -> _Window:
    """Read the changes of the next WINDOW_KEYS keys after a key."""
    if entry.changed_rows <= WINDOW_KEYS:
        feed = _keep_beyond(table.read_changes(entry.delta_version), keys, after)
        return _Window(keys=_sort_keys([feed], keys), feed=feed, is_last=True)
    chosen, is_cut = _find_keys(table, entry, keys, after)
    if not chosen.num_rows:
        return _Window(keys=chosen, feed=table.read_changes(entry.delta_version).slice(0, 0), is_last=True)
    last = _key_at(chosen, chosen.num_rows - 1)
    rows = [
        _keep_up_to(_keep_beyond(piece, keys, after), keys, last)
        for piece in table.stream_changes(entry.delta_version)
    ]
    return _Window(keys=chosen, feed=pa.concat_tables(rows), is_last=not is_cut)


def _find_keys(
    table: LakeTable, entry: LakeVersion, keys: tuple[str, ...], after: Key | None
) -> tuple[pa.Table, bool]:
    """Find the next WINDOW_KEYS keys of a version after a key, and whether there are more."""
    held: list[pa.Table] = []
    last: Key | None = None
    for piece in table.stream_changes(entry.delta_version, keys):
        beyond = _keep_beyond(piece.select(list(keys)), keys, after)
        held.append(beyond if last is None else _keep_up_to(beyond, keys, last))
        if sum(part.num_rows for part in held) > 3 * WINDOW_KEYS:
            whole = _sort_keys(held, keys)
            held = [whole.slice(0, WINDOW_KEYS + 1)]
            if held[0].num_rows > WINDOW_KEYS:
                last = _key_at(whole, WINDOW_KEYS)
    whole = _sort_keys(held, keys) if held else pa.table({name: pa.array([], pa.string()) for name in keys})
    return whole.slice(0, WINDOW_KEYS), whole.num_rows > WINDOW_KEYS


def _key_at(table: pa.Table, number: int) -> Key:
    return tuple(column[number].as_py() for column in table.columns)


def _sort_keys(tables: Sequence[pa.Table], keys: tuple[str, ...]) -> pa.Table:
    """Put keys together, each once, in order."""
    whole = pa.concat_tables(table.select(list(keys)) for table in tables)
    unique = whole.group_by(list(keys), use_threads=False).aggregate([])
    return unique.sort_by([(name, "ascending") for name in keys]).combine_chunks()


def _keep_beyond(table: pa.Table, keys: tuple[str, ...], after: Key | None) -> pa.Table:
    return table if after is None else table.filter(_is_beyond(table, keys, after))


def _keep_up_to(table: pa.Table, keys: tuple[str, ...], last: Key) -> pa.Table:
    return table.filter(pc.invert(_is_beyond(table, keys, last)))


def _is_beyond(table: pa.Table, keys: tuple[str, ...], key: Key) -> pa.ChunkedArray:
    """Tell of each row whether its key is greater, item by item from the first."""
    result = None
    for name, value in reversed(list(zip(keys, key, strict=True))):
        column = table.column(name)
        scalar = pa.scalar(value, column.type)
        beyond = pc.greater(column, scalar)
        result = beyond if result is None else pc.or_(beyond, pc.and_(pc.equal(column, scalar), result))
    return result


def _number(view: View, window: _Window, entry: LakeVersion, numbered: int) -> pa.Table:
    """Show a window's changes, numbered by their keys after `numbered`: `_version`, `_sequence` and so on."""
    first, count = numbered + 1, window.keys.num_rows
    ranks = window.keys.append_column("_sequence", pa.array(range(first, first + count), pa.int64()))
    shown = show_changes(view, window.feed)
    shown = shown.filter(pc.is_in(shown.column(CHANGE_TYPE), value_set=pa.array(list(_OPERATIONS))))
    shown = shown.join(ranks, keys=list(view.keys), join_type="inner", use_threads=False)
    shown = shown.sort_by("_sequence")
    words = [str(_OPERATIONS[kind]) for kind in shown.column(CHANGE_TYPE).to_pylist()]
    shown = shown.drop_columns([CHANGE_TYPE]).append_column("_operation", pa.array(words, pa.string()))
    return shown.append_column("_version", pa.array([entry.version] * len(words), pa.int64()))


def _finish(parts: Sequence[pa.Table], resource: Resource, view: View) -> pa.Table:
    """Put the columns in the feed's order; a delete has its key alone."""
    schema = build_schema(resource, view.schema.names)
    if not parts:
        return schema.empty_table()
    whole = pa.concat_tables(parts).select(schema.names).cast(schema).combine_chunks()
    stays = pc.not_equal(whole.column("_operation"), str(Operation.DELETE))
    for number, field in enumerate(schema):
        if field.name not in {"_version", "_sequence", "_operation", *view.keys}:
            held = pc.if_else(stays, whole.column(number), pa.scalar(None, field.type))
            whole = whole.set_column(number, field, held)
    return whole
