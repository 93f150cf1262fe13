"""A commit's change data feed as a view shows it.

A row that enters the row filter is an insert, one that leaves it a delete; an update that touches none of the
items is not seen: the same as in the feed. Where the grant had another row filter before, what left it and
what entered it by that is told along: rows outside the present filter with their key alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from subscriptions.sharing.view import View

CHANGE_TYPE: Final = "_change_type"
BEFORE: Final = ("delete", "update_preimage")
AFTER: Final = ("insert", "update_postimage")


def show_changes(view: View, feed: pa.Table, *, former: View | None = None) -> pa.Table:
    """Return the view's changes: its columns and `_change_type`, the images of an update together.

    With `former` rows were shown as that view has them before, and are shown as `view` has them after.
    """
    before, after = _side(former or view, feed, BEFORE), _side(view, feed, AFTER)
    pairs = _pair(view, before, after)
    kept = pairs.filter(pc.invert(_same(view, before, after, pairs)))
    old, new = kept.column("old"), kept.column("new")
    both = pc.and_(pc.is_valid(old), pc.is_valid(new))
    if former is not None:
        before = _hide_outside(view, before)
    parts = [
        _take(view, before, old, pc.and_(pc.is_valid(old), pc.is_null(new)), "delete"),
        _take(view, before, old, both, "update_preimage"),
        _take(view, after, new, both, "update_postimage"),
        _take(view, after, new, pc.and_(pc.is_valid(new), pc.is_null(old)), "insert"),
    ]
    return pa.concat_tables(parts)


def show_transition(view: View, former: View, rows: pa.Table, touched: pa.Table) -> pa.Table:
    """Return what left and entered the filter by its change alone: of `rows` those not in `touched`.

    `rows` are those of the version before, `touched` the change data feed of the version in question.
    """
    keys = list(view.keys)
    rows = rows.join(touched.select(keys), keys=keys, join_type="left anti", use_threads=False)
    was, now = former.test_rows(rows), view.test_rows(rows)
    left = _hide_outside(view, rows.filter(pc.and_not(was, now)))
    entered = rows.filter(pc.and_not(now, was))
    return pa.concat_tables([_name(view.show(left), "delete"), _name(view.show(entered), "insert")])


def keep_moved(view: View, former: View, table: pa.Table) -> pa.Table:
    """Keep the rows that one of two views shows."""
    return table.filter(pc.xor(former.test_rows(table), view.test_rows(table)))


def _hide_outside(view: View, table: pa.Table) -> pa.Table:
    """Leave of rows that the view does not show their keys alone."""
    shown = view.test_rows(table)
    for number, field in enumerate(table.schema):
        if field.name not in view.keys:
            kept = pc.if_else(shown, table.column(number), pa.scalar(None, field.type))
            table = table.set_column(number, field.with_nullable(True), kept)
    return table


def _side(view: View, feed: pa.Table, kinds: tuple[str, ...]) -> pa.Table:
    chosen = feed.filter(pc.is_in(feed.column(CHANGE_TYPE), value_set=pa.array(kinds)))
    return view.select_rows(chosen).combine_chunks()


def _pair(view: View, before: pa.Table, after: pa.Table) -> pa.Table:
    """Join both sides by key: the places of the rows, `old` or `new` null where the other side has none."""
    keys = list(view.keys)
    left = before.select(keys).append_column("old", pa.array(np.arange(before.num_rows)))
    right = after.select(keys).append_column("new", pa.array(np.arange(after.num_rows)))
    joined = left.join(right, keys=keys, join_type="full outer", use_threads=False)
    return joined.select(["old", "new"]).sort_by([("new", "ascending"), ("old", "ascending")])


def _same(view: View, before: pa.Table, after: pa.Table, pairs: pa.Table) -> pa.Array:
    """Tell of each pair whether both sides show the same items, before they are masked."""
    same = pc.and_(pc.is_valid(pairs.column("old")), pc.is_valid(pairs.column("new")))
    for name in view.schema.names:
        if name not in before.column_names:
            continue
        was = before.column(name).take(pairs.column("old"))
        now = after.column(name).take(pairs.column("new"))
        equal = pc.or_kleene(
            pc.fill_null(pc.equal(was, now), False), pc.and_(pc.is_null(was), pc.is_null(now))
        )
        same = pc.and_(same, equal)
    return same


def _take(view: View, side: pa.Table, places: pa.ChunkedArray, chosen: pa.Array, kind: str) -> pa.Table:
    return _name(view.show(side.take(pc.filter(places, chosen))), kind)


def _name(shown: pa.Table, kind: str) -> pa.Table:
    return shown.append_column(CHANGE_TYPE, pa.array([kind] * shown.num_rows, pa.string()))
