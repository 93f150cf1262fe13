"""All SQL of query on a resource's rows, present and past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.access.store_ground import Claim
from exchange.catalogue.store import changes_of, table_of
from exchange.query.model import Snapshot


async def load_rows(
    connection: Connection,
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
) -> Snapshot:
    """Load the rows that satisfy all conditions and the row filter, by key, with the version they are of.

    Only the columns `items` are selected: nothing else leaves the database. One statement, so that rows and
    version are of one snapshot. Values travel as parameters, names quoted. `as_of_version` reads the rows as
    they were then: what has not changed since from the current rows, what has from before its first later
    change. Whatever marks a row (disputes, its digest under `row_salt`) is computed there too. With a `claim`
    the database proves what the call stands on in the same statement; raises GroundChanged where it is
    otherwise, and then no row has left the database.
    """
    parameters: list[object] = [resource_code, limit_rows]
    version, source, row = "r.current_version", f"{table_of(resource_code)} d", "d"
    if as_of_version is not None:
        parameters.append(as_of_version)
        version, source, row = "$3::bigint", write_past_rows(resource_code, key_items, place=3), "(d.held)"
    tests = [compile_row_filter(row_filter, row=row, parameters=parameters)]
    for name, value in conditions.items():
        parameters.append(value)
        tests.append(f"{row}.{quote_name(name)} = ${len(parameters)}")
    keys = ", ".join(f"{row}.{quote_name(name)}" for name in key_items)
    if after_key is not None:
        first = len(parameters) + 1
        parameters += after_key
        places = ", ".join(f"${number}" for number in range(first, len(parameters) + 1))
        tests.append(f"({keys}) > ({places})")
    columns = "".join(f", {row}.{quote_name(name)} AS {quote_name(f'i{n}')}" for n, name in enumerate(items))
    if with_disputes:
        parameters.append(list(items))
        columns += f", {disputed_items(row, key_items, items_place=len(parameters))} AS _disputed"
    if row_salt is not None:
        parameters.append(row_salt)
        columns += f", {row_digest(row, key_items, salt_place=len(parameters))} AS _digest"
    proved = "" if claim is None else f" AND {claim.write(parameters)}"
    rows = await connection.fetch(
        f"SELECT {version} AS _at, v.committed_at AS _as_of, found.*"
        f" FROM exchange.resource r LEFT JOIN exchange.version v"
        f" ON v.resource_code = r.code AND v.version = {version}"
        f" LEFT JOIN LATERAL (SELECT true AS _found{columns} FROM {source}"
        f" WHERE {' AND '.join(tests)} ORDER BY {keys} LIMIT $2) found ON true WHERE r.code = $1{proved}",
        *parameters,
    )
    if claim is not None:
        claim.take(rows)
    return _read_snapshot(rows, items, with_disputes=with_disputes, with_digests=row_salt is not None)


def _read_snapshot(
    rows: Sequence[asyncpg.Record], items: Sequence[str], *, with_disputes: bool, with_digests: bool
) -> Snapshot:
    found = [each for each in rows if each["_found"] is not None]
    return Snapshot(
        version=rows[0]["_at"],
        as_of=rows[0]["_as_of"],
        rows=tuple({name: each[f"i{n}"] for n, name in enumerate(items)} for each in found),
        disputed=tuple(tuple(each["_disputed"]) for each in found) if with_disputes else (),
        digests=tuple(each["_digest"] for each in found) if with_digests else (),
    )


def write_past_rows(resource_code: str, key_items: Sequence[str], *, place: int) -> str:
    """Write the rows as they were at the version in the parameter at `place`, as composites `d.held`."""
    changes = changes_of(resource_code)
    either = ", ".join(
        f"CASE WHEN c._operation = 'insert' THEN (c._after).{quote_name(name)}"
        f" ELSE (c._before).{quote_name(name)} END"
        for name in key_items
    )
    return (
        f"(SELECT now AS held FROM {table_of(resource_code)} now WHERE now._version <= ${place} UNION ALL"
        f" SELECT f.held FROM (SELECT DISTINCT ON ({either}) c._before AS held FROM {changes} c"
        f" WHERE c._version > ${place} ORDER BY {either}, c._version, c._sequence) f"
        " WHERE f.held IS DISTINCT FROM NULL) d"
    )


def row_key(row: str, key_items: Sequence[str]) -> str:
    """Write the key of a row as an array of text, the name under which objections keep it."""
    return f"ARRAY[{', '.join(f'{row}.{quote_name(name)}::text' for name in key_items)}]"


def disputed_items(row: str, key_items: Sequence[str], *, items_place: int) -> str:
    """Write the items of a row, of those in the parameter at `items_place`, that are under objection."""
    return (
        "ARRAY(SELECT DISTINCT o.item FROM exchange.objection o WHERE o.resource_code = $1"
        f" AND o.state = 'open' AND o.row_key = {row_key(row, key_items)}"
        f" AND o.item = ANY(${items_place}::text[]) ORDER BY 1)"
    )


def row_digest(row: str, key_items: Sequence[str], *, salt_place: int) -> str:
    """Write the digest of a row's key under the salt in the parameter at `salt_place`."""
    key = f"array_to_json({row_key(row, key_items)})::text"
    return f"sha256(${salt_place}::bytea || convert_to({key}, 'UTF8'))"


async def save_holders(
    connection: Connection,
    *,
    resource_code: str,
    grant_id: UUID,
    version: int,
    digests: Sequence[bytes],
    items: Sequence[Sequence[str]],
) -> None:
    """Record which items of which rows were given under a grant, at which version of the resource."""
    await connection.executemany(
        "INSERT INTO exchange.row_holder AS h (resource_code, row_digest, grant_id, version, items)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT row_holder_pk DO UPDATE"
        " SET items = ARRAY(SELECT DISTINCT unnest(h.items || EXCLUDED.items))"
        " WHERE NOT h.items @> EXCLUDED.items",
        [
            (resource_code, digest, grant_id, version, list(given))
            for digest, given in zip(digests, items, strict=True)
        ],
    )
