"""Reading changes that the change log no longer keeps, out of the lake.

The lake holds the changes of a version without their order. Within a version they come by key here, numbered
by the place of their key among all keys of the version, so that neither a row filter nor its narrowing moves
them. A cursor inside such a version carries the key; one of the change log's own numbering will not do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
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
from subscriptions.model import Cursor, Operation, Position
from subscriptions.sharing.changes import CHANGE_TYPE, show_changes
from subscriptions.sharing.store import load_own_values
from subscriptions.sharing.view import View

MAX_VERSION_CHANGES: Final = 2_000_000
_OPERATIONS: Final = {
    "insert": Operation.INSERT,
    "update_postimage": Operation.UPDATE,
    "delete": Operation.DELETE,
}


def find_oldest(versions: Sequence[LakeVersion], *, until: int) -> int:
    """Return the oldest version from which on the lake can replay all up to `until`, which it need not hold.

    A version with more than MAX_VERSION_CHANGES changes is not replayed: it has to be sorted in memory.
    """
    oldest = until
    for entry in reversed(versions):
        if entry.version >= until:
            continue
        replayable = entry.has_changes and entry.changed_rows <= MAX_VERSION_CHANGES
        if entry.version != oldest - 1 or not replayable or entry.version < 1:
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
            after = cursor.position.sequence if entry.version == cursor.position.version else 0
            part = await asyncio.to_thread(_read_version, table, view, entry, after)
            parts.append(part.slice(0, left))
            left -= parts[-1].num_rows
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


def _read_version(table: LakeTable, view: View, entry: LakeVersion, after: int) -> pa.Table:
    """Read the changes of a version whose number lies after `after`: `_version`, `_sequence` and so on."""
    feed = table.read_changes(entry.delta_version)
    keys = list(view.keys)
    ranks = feed.select(keys).group_by(keys, use_threads=False).aggregate([])
    ranks = ranks.sort_by([(name, "ascending") for name in keys])
    ranks = ranks.append_column("_sequence", pa.array(range(1, ranks.num_rows + 1), pa.int64()))
    shown = show_changes(view, feed)
    shown = shown.filter(pc.is_in(shown.column(CHANGE_TYPE), value_set=pa.array(list(_OPERATIONS))))
    shown = shown.join(ranks, keys=keys, join_type="inner", use_threads=False)
    shown = shown.filter(pc.greater(shown.column("_sequence"), after)).sort_by("_sequence")
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
