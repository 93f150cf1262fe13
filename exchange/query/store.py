"""All SQL of query on a resource's rows, present and past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core.database import Connection
from core.database.gathering import Gathering, Row
from core.database.names import quote_name
from core.database.writes import Writes
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.access.store_ground import Claim
from exchange.catalogue.store import changes_of, table_of
from exchange.query.model import Snapshot

MAX_HOLDERS_WRITTEN: Final = 50
_HOLD: Final = "INSERT INTO exchange.row_holder AS h (resource_code, row_digest, grant_id, version, items)"
_HOLD_MORE: Final = (
    " ON CONFLICT ON CONSTRAINT row_holder_pk DO UPDATE"
    " SET items = ARRAY(SELECT DISTINCT unnest(h.items || EXCLUDED.items))"
    " WHERE NOT h.items @> EXCLUDED.items"
)
_FIXED_COLUMNS: Final = 3  # version, its time, and whether there is a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Which items of a row, named by its digest, were given under a grant at a version."""

    resource_code: str
    digest: bytes
    grant_id: UUID
    version: int
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRows:
    """A reading of rows within a statement, and which columns of it are what."""

    number: int
    items: tuple[str, ...]
    with_disputes: bool
    with_digests: bool
    claim: Claim | None = None


def write_rows(
    gathering: Gathering,
    *,
    resource_code: str,
    key_items: Sequence[str],
    items: Sequence[str],
    conditions: Mapping[str, object],
    row_filter: RowFilter,
    after_key: Sequence[object] | None,
    limit_rows: int,
    as_of_version: int | None = None,
    with_disputes: bool = False,
    row_salt: bytes | None = None,
    claim: Claim | None = None,
) -> WrittenRows:
    """Write the reading of rows that satisfy all conditions and the row filter, by key, with their version.

    Only the columns `items` are selected: nothing else leaves the database. One statement, so that rows and
    version are of one snapshot. Values travel as parameters, names quoted. `as_of_version` reads the rows as
    they were then: what has not changed since from the current rows, what has from before its first later
    change. Whatever marks a row (disputes, its digest under `row_salt`) is computed there too.
    With a `claim` the database proves what the call stands on in the same statement; `read_snapshot` raises
    GroundChanged where it is otherwise, and then no row has left the database.
    """
    place = gathering.place
    code, limit = place(resource_code), place(limit_rows)
    version, source, row = "r.current_version", f"{table_of(resource_code)} d", "d"
    if as_of_version is not None:
        version = f"{place(as_of_version)}::bigint"
        source, row = write_past_rows(resource_code, key_items, version=version), "(d.held)"
    tests = [compile_row_filter(row_filter, row=row, parameters=gathering.parameters)]
    tests += [f"{row}.{quote_name(name)} = {place(value)}" for name, value in conditions.items()]
    keys = ", ".join(f"{row}.{quote_name(name)}" for name in key_items)
    if after_key is not None:
        tests.append(f"({keys}) > ({', '.join(map(place, after_key))})")
    columns = "".join(f", {row}.{quote_name(name)} AS {quote_name(f'i{n}')}" for n, name in enumerate(items))
    if with_disputes:
        shown = disputed_items(row, key_items, code=code, items=place(list(items)))
        columns += f", {shown} AS _disputed"
    if row_salt is not None:
        columns += f", {row_digest(row, key_items, salt=place(row_salt))} AS _digest"
    proved = "" if claim is None else f" AND {claim.write(gathering.parameters)}"
    number = gathering.add(
        f"SELECT {version} AS _at, v.committed_at AS _as_of, found.*"
        f" FROM exchange.resource r LEFT JOIN exchange.version v"
        f" ON v.resource_code = r.code AND v.version = {version}"
        f" LEFT JOIN LATERAL (SELECT true AS _found{columns} FROM {source}"
        f" WHERE {' AND '.join(tests)} ORDER BY {keys} LIMIT {limit}) found ON true"
        f" WHERE r.code = {code}{proved}"
    )
    return WrittenRows(
        number=number,
        items=tuple(items),
        with_disputes=with_disputes,
        with_digests=row_salt is not None,
        claim=claim,
    )


def read_snapshot(written: WrittenRows, found: Sequence[Sequence[Row]]) -> Snapshot:
    """Read what the statement of `write_rows` found. Raises GroundChanged."""
    rows = found[written.number]
    if written.claim is not None:
        written.claim.take(rows)
    width = _FIXED_COLUMNS + len(written.items)
    there = [row for row in rows if row[_FIXED_COLUMNS - 1] is not None]
    digest_at = width + written.with_disputes
    return Snapshot(
        version=rows[0][0],
        as_of=rows[0][1],
        rows=tuple(dict(zip(written.items, row[_FIXED_COLUMNS:width], strict=True)) for row in there),
        disputed=tuple(tuple(row[width]) for row in there) if written.with_disputes else (),
        digests=tuple(row[digest_at] for row in there) if written.with_digests else (),
    )


async def load_rows(
    connection: Connection,
    *,
    resource_code: str,
    key_items: Sequence[str],
    items: Sequence[str],
    conditions: Mapping[str, object],
    row_filter: RowFilter,
    limit_rows: int,
) -> Snapshot:
    """Load rows as they are now; see `write_rows`."""
    gathering = Gathering()
    written = write_rows(
        gathering,
        resource_code=resource_code,
        key_items=key_items,
        items=items,
        conditions=conditions,
        row_filter=row_filter,
        after_key=None,
        limit_rows=limit_rows,
    )
    return read_snapshot(written, await gathering.run(connection))


def write_past_rows(resource_code: str, key_items: Sequence[str], *, version: str) -> str:
    """Write the rows as they were at a version, as composites `d.held`."""
    changes = changes_of(resource_code)
    either = ", ".join(
        f"CASE WHEN c._operation = 'insert' THEN (c._after).{quote_name(name)}"
        f" ELSE (c._before).{quote_name(name)} END"
        for name in key_items
    )
    return (
        f"(SELECT _now AS held FROM {table_of(resource_code)} _now WHERE _now._version <= {version} UNION ALL"
        f" SELECT f.held FROM (SELECT DISTINCT ON ({either}) c._before AS held FROM {changes} c"
        f" WHERE c._version > {version} ORDER BY {either}, c._version, c._sequence) f"
        " WHERE f.held IS DISTINCT FROM NULL) d"
    )


def row_key(row: str, key_items: Sequence[str]) -> str:
    """Write the key of a row as an array of text, the name under which objections keep it."""
    return f"ARRAY[{', '.join(f'{row}.{quote_name(name)}::text' for name in key_items)}]"


def disputed_items(row: str, key_items: Sequence[str], *, code: str, items: str) -> str:
    """Write the items of a row, of those in the parameter `items`, that are under objection."""
    return (
        f"ARRAY(SELECT DISTINCT o.item FROM exchange.objection o WHERE o.resource_code = {code}"
        f" AND o.state = 'open' AND o.row_key = {row_key(row, key_items)}"
        f" AND o.item = ANY({items}::text[]) ORDER BY 1)"
    )


def row_digest(row: str, key_items: Sequence[str], *, salt: str) -> str:
    """Write the digest of a row's key under the salt in the parameter `salt`."""
    key = f"array_to_json({row_key(row, key_items)})::text"
    return f"sha256({salt}::bytea || convert_to({key}, 'UTF8'))"


def write_holders(writes: Writes, *, holders: Sequence[Holder]) -> None:
    """Write what `save_holders` does among other writes; for a few holders."""
    if not holders:
        return
    merged: dict[tuple[str, bytes, UUID], tuple[int, set[str]]] = {}
    for each in holders:
        key = (each.resource_code, each.digest, each.grant_id)
        version, items = merged.get(key, (each.version, set()))
        merged[key] = min(version, each.version), items.union(each.items)
    rows = []
    for key, (version, items) in sorted(merged.items()):
        first = len(writes.parameters) + 1
        writes.parameters += [*key, version, sorted(items)]
        rows.append(f"(${first}, ${first + 1}, ${first + 2}, ${first + 3}, ${first + 4})")
    writes.add("held", f"{_HOLD} VALUES {', '.join(rows)}{_HOLD_MORE}")


async def save_holders(connection: Connection, *, holders: Sequence[Holder]) -> None:
    """Record which items of which rows were given under a grant, at which version of the resource."""
    if not holders:
        return
    await connection.executemany(
        f"{_HOLD} VALUES ($1, $2, $3, $4, $5){_HOLD_MORE}",
        sorted(
            (each.resource_code, each.digest, each.grant_id, each.version, list(each.items))
            for each in holders
        ),
    )
