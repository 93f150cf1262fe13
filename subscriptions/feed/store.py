"""All SQL that reads changes and snapshots: queries whose rows are copied out, and what there is to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.database import Connection
from core.database.names import quote_name
from exchange.access.masks import Mask
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Resource
from exchange.catalogue.store import CHANGES_PER_PARTITION, changes_of, table_of
from subscriptions.feed.store_masks import write_item
from subscriptions.model import Operation, Position

NO_MASKS: Final[Mapping[str, Mask]] = {}
PLACE_COLUMNS: Final = ("_version", "_sequence", "_operation")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedQuery:
    """A SELECT of at most `limit_rows` of `_version`, `_sequence`, `_operation` and the items."""

    sql: str
    parameters: tuple[object, ...]
    limit_rows: int


def select_snapshot(
    resource: Resource,
    *,
    version: int,
    items: Sequence[str],
    row_filter: RowFilter,
    after_key: Sequence[object] | None,
    first_sequence: int,
    limit_rows: int,
    masks: Mapping[str, Mask] = NO_MASKS,
) -> FeedQuery:
    """Select rows as they were at `version`, by key after `after_key`, as inserts from `first_sequence` on.

    What has not changed since is read from the current rows; what has, from before its first later change.
    """
    key_items = [item.name for item in resource.key_items]
    parameters: list[object] = [version, limit_rows, first_sequence]
    order = ", ".join(f"s.k{number}" for number in range(len(key_items)))
    beyond = ""
    if after_key is not None:
        first = len(parameters) + 1
        parameters += after_key
        beyond = f" > ({', '.join(f'${first + number}' for number in range(len(key_items)))})"

    def beyond_key(keys: Sequence[str]) -> str:
        return f" AND ({', '.join(keys)}){beyond}" if beyond else ""

    current_keys = [f"_d.{quote_name(name)}" for name in key_items]
    changed_keys = write_change_keys(key_items)
    columns = ", ".join(write_item("(x.held)", name, masks) for name in items)
    current = (
        f"SELECT {write_keys(current_keys)}, _d AS held FROM {table_of(resource.code)} _d"
        f" WHERE _d._version <= $1 AND {compile_row_filter(row_filter, row='_d', parameters=parameters)}"
        f"{beyond_key(current_keys)} ORDER BY {', '.join(current_keys)} LIMIT $2"
    )
    changed = (
        f"SELECT DISTINCT ON ({', '.join(changed_keys)}) {write_keys(changed_keys)}, c._before AS held"
        f" FROM {changes_of(resource.code)} c WHERE c._version > $1{beyond_key(changed_keys)}"
        f" ORDER BY {', '.join(changed_keys)}, c._version, c._sequence"
    )
    passes = compile_row_filter(row_filter, row="(s.held)", parameters=parameters)
    sql = (
        f"SELECT $1::bigint, $3::bigint + row_number() OVER () - 1, '{Operation.INSERT}', {columns} FROM ("
        f"SELECT s.held FROM (({current}) UNION ALL ({changed})) s"
        f" WHERE s.held IS DISTINCT FROM NULL AND {passes} ORDER BY {order} LIMIT $2) x"
    )
    return FeedQuery(sql=sql, parameters=tuple(parameters), limit_rows=limit_rows)


def write_keys(keys: Sequence[str]) -> str:
    """Write the columns of a key as `k0`, `k1` and so on."""
    return ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys))


def select_changes(
    resource: Resource,
    *,
    after: Position,
    to_version: int,
    items: Sequence[str],
    row_filter: RowFilter,
    limit_rows: int,
    masks: Mapping[str, Mask] = NO_MASKS,
) -> FeedQuery:
    """Select the changes after `after`, up to `to_version`, as they look through items and row filter.

    A row that enters the filter is an insert, one that leaves it a delete; an update that touches none of
    the items, or a row outside the filter on both sides, is not seen at all. Deletes have their key alone.
    """
    parameters: list[object] = [after.version, after.sequence, to_version, limit_rows]
    was = compile_row_filter(row_filter, row="(c._before)", parameters=parameters)
    now = compile_row_filter(row_filter, row="(c._after)", parameters=parameters)
    differs = " OR ".join(
        f"(c._before).{quote_name(name)} IS DISTINCT FROM (c._after).{quote_name(name)}" for name in items
    )
    keys = {item.name for item in resource.key_items}
    columns = ", ".join(
        write_item("(x.shown)", name, masks)
        if name in keys
        else f"CASE WHEN x.operation <> '{Operation.DELETE}' THEN {write_item('(x.shown)', name, masks)} END"
        for name in items
    )
    sql = (
        f"SELECT x.at_version, x.at_sequence, x.operation, {columns} FROM ("
        f" SELECT c._version AS at_version, c._sequence AS at_sequence, CASE WHEN NOT c.was THEN"
        f" '{Operation.INSERT}' WHEN NOT c.now THEN '{Operation.DELETE}' ELSE '{Operation.UPDATE}' END AS"
        " operation, CASE WHEN c.now THEN c._after ELSE c._before END AS shown FROM ("
        f"  SELECT c.*, c._operation <> 'insert' AND {was} AS was, c._operation <> 'delete' AND {now} AS now"
        f"  FROM {changes_of(resource.code)} c WHERE c._version >= $1 AND c._version <= $3"
        "  AND (c._version, c._sequence) > ($1, $2)"
        f" ) c WHERE c.was <> c.now OR (c.was AND c.now AND ({differs}))"
        " ORDER BY c._version, c._sequence LIMIT $4) x ORDER BY x.at_version, x.at_sequence"
    )
    return FeedQuery(sql=sql, parameters=tuple(parameters), limit_rows=limit_rows)


def select_current(
    resource: Resource,
    *,
    keys: Sequence[tuple[Position, Sequence[object]]],
    items: Sequence[str],
    row_filter: RowFilter,
    masks: Mapping[str, Mask] = NO_MASKS,
) -> FeedQuery:
    """Select the rows of these keys as they are now, in the order of the places given with them.

    A row inside the filter is an insert; of any other there is a delete with its key alone.
    """
    formats = [parse_format(item.format).sql_type for item in resource.key_items]
    columns = [list(column) for column in zip(*(key for _, key in keys), strict=True)]
    parameters: list[object] = [[place.version for place, _ in keys], [place.sequence for place, _ in keys]]
    parameters += columns
    arrays = ", ".join(f"${number}::{sql_type}[]" for number, sql_type in enumerate(formats, start=3))
    names = [f"k{number}" for number in range(len(formats))]
    own = ", ".join(f"_d.{quote_name(item.name)}" for item in resource.key_items)
    inside = compile_row_filter(row_filter, row="_d", parameters=parameters)
    of_key = {item.name: f"k.{name}" for item, name in zip(resource.key_items, names, strict=True)}
    shown = ", ".join(of_key.get(name) or write_item("(x.held)", name, masks) for name in items)
    sql = (
        "SELECT k.at_version, k.at_sequence, CASE WHEN x.held IS DISTINCT FROM NULL"
        f" THEN '{Operation.INSERT}' ELSE '{Operation.DELETE}' END, {shown}"
        f" FROM unnest($1::bigint[], $2::bigint[], {arrays}) k(at_version, at_sequence, {', '.join(names)})"
        f" LEFT JOIN LATERAL (SELECT _d AS held FROM {table_of(resource.code)} _d"
        f" WHERE ({own}) = ({', '.join(f'k.{name}' for name in names)}) AND {inside}) x ON true"
        " ORDER BY k.at_version, k.at_sequence"
    )
    return FeedQuery(sql=sql, parameters=tuple(parameters), limit_rows=len(keys))


async def change_exists(connection: Connection, *, resource_code: str, position: Position) -> bool:
    """Tell whether the change log has a change at `position`."""
    changes = changes_of(resource_code)
    return bool(
        await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {changes} WHERE _version = $1 AND _sequence = $2)",
            position.version,
            position.sequence,
        )
    )


async def load_oldest_kept(connection: Connection, *, resource_code: str) -> int | None:
    """Load the oldest version from which on every version's changes are kept; None where none is."""
    names: list[str] = await connection.fetchval(
        "SELECT coalesce(array_agg(c.relname::text), '{}') FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = to_regclass($1) AND NOT i.inhdetachpending",
        changes_of(resource_code),
    )
    return find_oldest_kept(names)


def find_oldest_kept(partitions: Sequence[str]) -> int | None:
    """Find the oldest version from which on the partitions of a change log hold every version."""
    firsts = sorted((int(name.rpartition("_")[2]) for name in partitions), reverse=True)
    oldest: int | None = None
    for first in firsts:
        if oldest is not None and first != oldest - CHANGES_PER_PARTITION:
            break
        oldest = first
    return oldest


def write_change_keys(key_items: Sequence[str]) -> list[str]:
    """Write the key of a change, which stands in `_before`, in `_after`, or in both."""
    return [f"coalesce((c._before).{quote_name(name)}, (c._after).{quote_name(name)})" for name in key_items]
