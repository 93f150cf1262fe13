"""All SQL of query and verification on a resource's current rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.catalogue.store import table_of
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
) -> Snapshot:
    """Load the rows that satisfy all conditions and the row filter, by key, with the version they are of.

    Only the columns `items` are selected: nothing else leaves the database. One statement, so that rows and
    version are of one snapshot. Values travel as parameters, names quoted.
    """
    parameters: list[object] = [resource_code, limit_rows]
    tests = [compile_row_filter(row_filter, row="d", parameters=parameters)]
    for name, value in conditions.items():
        parameters.append(value)
        tests.append(f"d.{quote_name(name)} = ${len(parameters)}")
    keys = ", ".join(f"d.{quote_name(name)}" for name in key_items)
    if after_key is not None:
        first = len(parameters) + 1
        parameters += after_key
        places = ", ".join(f"${number}" for number in range(first, len(parameters) + 1))
        tests.append(f"({keys}) > ({places})")
    columns = "".join(f", d.{quote_name(name)} AS {quote_name(f'i{n}')}" for n, name in enumerate(items))
    rows = await connection.fetch(
        "SELECT r.current_version AS _at, v.committed_at AS _as_of, found.*"
        " FROM exchange.resource r LEFT JOIN exchange.version v"
        " ON v.resource_code = r.code AND v.version = r.current_version"
        f" LEFT JOIN LATERAL (SELECT true AS _found{columns} FROM {table_of(resource_code)} d"
        f" WHERE {' AND '.join(tests)} ORDER BY {keys} LIMIT $2) found ON true WHERE r.code = $1",
        *parameters,
    )
    return Snapshot(
        version=rows[0]["_at"],
        as_of=rows[0]["_as_of"],
        rows=tuple(
            {name: row[f"i{n}"] for n, name in enumerate(items)} for row in rows if row["_found"] is not None
        ),
    )
