"""The query of what left a grant's row filter, and what entered it, because the filter changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.database.names import quote_name
from exchange.access.masks import Mask
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.catalogue.model import Resource
from exchange.catalogue.store import changes_of, table_of
from subscriptions.feed.store import NO_MASKS, FeedQuery, write_change_keys, write_keys
from subscriptions.feed.store_masks import write_item
from subscriptions.model import Key, Operation, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Under which filters rows were shown, by the first bound that a key lies in.

    Those `broken_off` are of announcements, each of which told the whole of its version up to a key. What
    they did not reach was shown under `row_filter` up to `bound`; None bounds nothing.
    """

    broken_off: tuple[tuple[RowFilter, Key], ...]
    row_filter: RowFilter
    bound: Key | None


def select_announcement(
    resource: Resource,
    *,
    place: Position,
    is_inside: bool,
    shown: Shown,
    row_filter: RowFilter,
    items: Sequence[str],
    reached: Key | None,
    first_sequence: int,
    limit_rows: int,
    masks: Mapping[str, Mask] = NO_MASKS,
) -> FeedQuery:
    """Select by key what has to be told so that rows `shown` up to `place` become those of `row_filter`.

    Rows are taken as they were after all of `place.version`. With `is_inside` they were shown as they were
    after change `place.sequence` of it, so that the rest of the version is told along. A row in both filters
    is not told, but for that; a delete has its key alone. The rows are of version `place.version`, numbered
    from `first_sequence` on.
    """
    writer = _Writer(resource, shown, row_filter, items)
    writer.parameters += [place.version, limit_rows, first_sequence]
    if is_inside:
        writer.parameters.append(place.sequence)
    if reached is not None:
        writer.beyond = f" > {writer.place_key(reached)}"
    parts = [writer.write_unchanged(is_inside), writer.write_changed(is_inside)]
    if is_inside:
        parts.append(writer.write_rest())
    keys = [item.name for item in resource.key_items]
    order = ", ".join(f"x.k{number}" for number in range(len(keys)))
    columns = ", ".join(
        write_item("(x.held)", name, masks)
        if name in keys
        else f"CASE WHEN x.now THEN {write_item('(x.held)', name, masks)} END"
        for name in items
    )
    sql = (
        f"SELECT $1::bigint, $3::bigint + row_number() OVER (ORDER BY {order}) - 1,"
        f" CASE WHEN NOT x.was THEN '{Operation.INSERT}' WHEN NOT x.now THEN '{Operation.DELETE}'"
        f" ELSE '{Operation.UPDATE}' END, {columns}"
        f" FROM (SELECT * FROM ({' UNION ALL '.join(parts)}) x ORDER BY {order} LIMIT $2) x"
        f" ORDER BY {order}"
    )
    return FeedQuery(sql=sql, parameters=tuple(writer.parameters), limit_rows=limit_rows)


class _Writer:
    """Writes the parts of the query, each `k0, k1, …, held, was, now` of rows that are to be told."""

    def __init__(self, resource: Resource, shown: Shown, row_filter: RowFilter, items: Sequence[str]) -> None:
        self._keys = [item.name for item in resource.key_items]
        self._table, self._changes = table_of(resource.code), changes_of(resource.code)
        self._shown, self._filter, self._items = shown, row_filter, items
        self.parameters: list[object] = []
        self.beyond = ""

    def place_key(self, key: Key) -> str:
        """Write a key as parameters."""
        first = len(self.parameters) + 1
        self.parameters += key
        return f"({', '.join(f'${first + number}' for number in range(len(key)))})"

    def write_unchanged(self, is_inside: bool) -> str:
        """Select rows that no later version has touched."""
        keys = [f"_d.{quote_name(name)}" for name in self._keys]
        told = self._tell("_d", "_d", keys)
        return (
            f"(SELECT k.* FROM (SELECT {write_keys(keys)}, _d AS held, {told} FROM {self._table} _d"
            f" WHERE _d._version <= $1{self._after(keys)}{self._not_in_rest(keys, is_inside)}) k"
            f" WHERE k.was <> k.now ORDER BY {self._order('k')} LIMIT $2)"
        )

    def write_changed(self, is_inside: bool) -> str:
        """Select rows that a later version touched, as they were before it."""
        change_keys = write_change_keys(self._keys)
        keys = [f"b.k{number}" for number in range(len(self._keys))]
        before = (
            f"SELECT DISTINCT ON ({', '.join(change_keys)}) {write_keys(change_keys)}, c._before AS held"
            f" FROM {self._changes} c WHERE c._version > $1{self._after(change_keys)}"
            f" ORDER BY {', '.join(change_keys)}, c._version, c._sequence"
        )
        told = self._tell("(b.held)", "(b.held)", keys)
        return (
            f"(SELECT k.* FROM (SELECT b.*, {told} FROM ({before}) b"
            f" WHERE b.held IS DISTINCT FROM NULL{self._not_in_rest(keys, is_inside)}) k"
            " WHERE k.was <> k.now)"
        )

    def write_rest(self) -> str:
        """Select what the rest of the version does to rows."""
        change_keys = write_change_keys(self._keys)
        keys = [f"b.k{number}" for number in range(len(self._keys))]
        rest = (
            f"SELECT {write_keys(change_keys)}, c._before AS was_held, c._after AS now_held"
            f" FROM {self._changes} c WHERE c._version = $1 AND c._sequence > $4{self._after(change_keys)}"
        )
        differs = " OR ".join(
            f"(b.was_held).{quote_name(name)} IS DISTINCT FROM (b.now_held).{quote_name(name)}"
            for name in self._items
        )
        told = self._tell("(b.was_held)", "(b.now_held)", keys, absent=True)
        for _, bound in self._shown.broken_off:
            differs = f"({differs}) AND ({', '.join(keys)}) > {self.place_key(bound)}"
        names = ", ".join(f"k.k{number}" for number in range(len(keys)))
        return (
            f"(SELECT {names}, CASE WHEN k.now THEN k.now_held ELSE coalesce(k.was_held, k.now_held) END AS"
            f" held, k.was, k.now FROM (SELECT b.*, {told}, ({differs}) AS differs FROM ({rest}) b) k"
            " WHERE k.was <> k.now OR (k.was AND k.now AND k.differs))"
        )

    def _tell(self, old: str, new: str, keys: Sequence[str], *, absent: bool = False) -> str:
        """Write whether a row was shown and whether it is to be; with `absent` it may not have been there."""
        row = f"({', '.join(keys)})"

        def test(row_filter: RowFilter, side: str) -> str:
            found = compile_row_filter(row_filter, row=side, parameters=self.parameters)
            return f"({side} IS DISTINCT FROM NULL AND {found})" if absent else found

        shown = self._shown
        was, now = test(shown.row_filter, old), test(self._filter, new)
        if shown.bound is not None:
            within = f"{row} <= {self.place_key(shown.bound)}"
            was, now = f"{was} AND {within}", f"{now} AND {within}"
        if shown.broken_off:
            pieces = (
                f"WHEN {row} <= {self.place_key(upto)} THEN {test(row_filter, new)}"
                for row_filter, upto in shown.broken_off
            )
            was = f"CASE {' '.join(pieces)} ELSE {was} END"
        return f"({was}) AS was, ({now}) AS now"

    def _after(self, keys: Sequence[str]) -> str:
        return f" AND ({', '.join(keys)}){self.beyond}" if self.beyond else ""

    def _not_in_rest(self, keys: Sequence[str], is_inside: bool) -> str:
        if not is_inside:
            return ""
        return (
            f" AND NOT EXISTS (SELECT FROM {self._changes} c WHERE c._version = $1 AND c._sequence > $4"
            f" AND ({', '.join(write_change_keys(self._keys))}) = ({', '.join(keys)}))"
        )

    def _order(self, table: str) -> str:
        return ", ".join(f"{table}.k{number}" for number in range(len(self._keys)))
