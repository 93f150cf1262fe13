"""All SQL on the staging table of a batch: filling it, judging it as a whole, merging it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import asyncpg

from core.database import Connection
from core.database.copying import copy_rows
from core.database.names import quote_name
from exchange.catalogue.formats import Format, Kind, parse_format
from exchange.catalogue.model import Item, Resource, Rule
from exchange.catalogue.store import (
    DATA_SCHEMA,
    VERSION_COLUMN,
    attach_partition,
    create_partition,
    ensure_key_index,
    ensure_partition,
    load_columns,
    partition_of,
    table_of,
)
from exchange.publish.model import Mode

STAGING, CHANGED = "staged_rows", "changed_rows"
ROW, PLACE, LIES_AT = "_row", "_place", "_lies_at"


async def create_staging(connection: Connection, *, resource: Resource, item_names: Sequence[str]) -> None:
    """Create the temporary table that accepted rows are copied into; it goes with the transaction."""
    items = {item.name: parse_format(item.format) for item in resource.items}
    columns = ", ".join(
        f"{quote_name(name)} {'text' if _comes_as_text(items[name]) else items[name].column_type}"
        for name in item_names
    )
    await connection.execute(f"CREATE TEMP TABLE {STAGING} ({ROW} bigint, {columns}) ON COMMIT DROP")


def _comes_as_text(form: Format) -> bool:
    """Decimals are staged as text, which PostgreSQL itself reads when it merges them."""
    return form.kind is Kind.DECIMAL


def _staged(resource: Resource, name: str) -> str:
    """Write the value of a staged column, in the type of the item."""
    item = resource.item(name)
    assert item is not None
    form = parse_format(item.format)
    return f"s.{quote_name(name)}::{form.sql_type}" if _comes_as_text(form) else f"s.{quote_name(name)}"


async def copy_to_staging(connection: Connection, *, item_names: Sequence[str], data: bytes) -> None:
    """Copy rows (binary COPY, `_row` first) into the staging table."""
    await copy_rows(connection, STAGING, columns=[ROW, *item_names], data=data)


async def copy_to_table(connection: Connection, *, code: str, item_names: Sequence[str], data: bytes) -> None:
    """Copy rows (binary COPY, the version first) into a resource's table."""
    await copy_rows(connection, code, schema=DATA_SCHEMA, columns=[VERSION_COLUMN, *item_names], data=data)


async def find_taken(connection: Connection, *, resource: Resource) -> list[int]:
    """Find staged rows whose key is in the resource's table."""
    rows = await connection.fetch(
        f"SELECT {ROW} FROM {STAGING} s"
        f" WHERE EXISTS (SELECT FROM {table_of(resource.code)} t WHERE {_same_key(resource)})",
        timeout=None,
    )
    return [row[0] for row in rows]


async def find_duplicates(
    connection: Connection, *, resource: Resource, suspects: Sequence[int] | None
) -> dict[int, int]:
    """Find rows whose key came before in the batch: their row number → that of the first.

    Only the rows `suspects` are looked at; all of them for None.
    """
    keys = ", ".join(_staged(resource, item.name) for item in resource.key_items)
    among = "" if suspects is None else f" WHERE s.{ROW} = ANY($1::bigint[])"
    rows = await connection.fetch(
        f"WITH ranked AS (SELECT {ROW}, first_value({ROW}) OVER (PARTITION BY {keys} ORDER BY {ROW}) AS first"
        f" FROM {STAGING} s{among}) SELECT {ROW}, first FROM ranked WHERE {ROW} <> first ORDER BY 1",
        *([] if suspects is None else [suspects]),
        timeout=None,
    )
    return {row[0]: row[1] for row in rows}


async def find_repeated(connection: Connection, *, resource: Resource, rule: Rule, mode: Mode) -> list[int]:
    """Find rows that agree in the rule's items with an earlier row of the batch or with a current row.

    A current row that the batch replaces does not count; in a snapshot none does.
    """
    items = [_staged(resource, name) for name in rule.items]
    filled = " AND ".join(f"{item} IS NOT NULL" for item in items)
    query = (
        f"SELECT {ROW} FROM (SELECT {ROW}, row_number() OVER (PARTITION BY {', '.join(items)}"
        f" ORDER BY {ROW}) n FROM {STAGING} s WHERE {filled}) ranked WHERE n > 1"
    )
    if mode is not Mode.SNAPSHOT:
        keys = [item.name for item in resource.key_items]
        same = " AND ".join(f"t.{quote_name(name)} = {_staged(resource, name)}" for name in rule.items)
        kept = " AND ".join(f"h.k{place} = {_staged(resource, key)}" for place, key in enumerate(keys))
        named = ", ".join(f"t.{quote_name(key)} AS k{place}" for place, key in enumerate(keys))
        query += (
            f" UNION SELECT {ROW} FROM (SELECT s.{ROW}, {named} FROM {STAGING} s"
            f" JOIN {table_of(resource.code)} t ON {same} AND NOT ({_same_key(resource)})) h"
            f" WHERE NOT EXISTS (SELECT FROM {STAGING} s WHERE {kept})"
        )
    return [row[0] for row in await connection.fetch(query, timeout=None)]


async def find_unreferenced(
    connection: Connection, *, resource: Resource, rule: Rule, target: Resource
) -> list[int]:
    """Find rows whose items, all filled in, are not the key of a row of `target`."""
    items = [_staged(resource, name) for name in rule.items]
    filled = " AND ".join(f"{item} IS NOT NULL" for item in items)
    same = " AND ".join(
        f"t.{quote_name(key.name)} = {item}" for key, item in zip(target.key_items, items, strict=True)
    )
    rows = await connection.fetch(
        f"SELECT {ROW} FROM {STAGING} s WHERE {filled}"
        f" AND NOT EXISTS (SELECT FROM {table_of(target.code)} t WHERE {same})",
        timeout=None,
    )
    return [row[0] for row in rows]


async def take_rows(
    connection: Connection, *, resource: Resource, item_names: Sequence[str], rows: Sequence[int]
) -> list[asyncpg.Record]:
    """Remove rows from the staging table; return their items as canonical text."""
    texts = ", ".join(f"{_staged_text(resource, name)} AS {quote_name(name)}" for name in item_names)
    return await connection.fetch(
        f"DELETE FROM {STAGING} s WHERE {ROW} = ANY($1::bigint[]) RETURNING {texts}", rows, timeout=None
    )


def text_of(item: Item, expression: str) -> str:
    """Write the SQL that makes a value's canonical text (`exchange.accounting.canonical`)."""
    kind = parse_format(item.format).kind
    if kind is Kind.SECOND:
        return f"to_char({expression} AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')"
    return expression if kind in {Kind.TEXT, Kind.DIGITS} else f"({expression})::text"


def _staged_text(resource: Resource, name: str) -> str:
    item = resource.item(name)
    assert item is not None
    return text_of(item, f"s.{quote_name(name)}")


def staged_key_text(resource: Resource) -> str:
    """Write the SQL of a staged row's key as text."""
    texts = [f"coalesce({_staged_text(resource, item.name)}, '')" for item in resource.key_items]
    return " || E'\\x1f' || ".join(texts)


async def predict(
    connection: Connection, *, resource: Resource, item_names: Sequence[str], mode: Mode
) -> dict[str, int]:
    """Count what merging the staging table would do: operation → rows."""
    keys = {item.name for item in resource.key_items}
    values = [name for name in item_names if name not in keys]
    changed = " OR ".join(
        f"t.{quote_name(name)} IS DISTINCT FROM {_staged(resource, name)}" for name in values
    )
    row = await connection.fetchrow(
        f"SELECT count(*) FILTER (WHERE t.{VERSION_COLUMN} IS NULL) AS missing,"
        f" count(*) FILTER (WHERE t.{VERSION_COLUMN} IS NOT NULL) AS present,"
        f" count(*) FILTER (WHERE t.{VERSION_COLUMN} IS NOT NULL AND ({changed or 'false'})) AS changed"
        f" FROM {STAGING} s LEFT JOIN {table_of(resource.code)} t ON {_same_key(resource)}",
        timeout=None,
    )
    assert row is not None
    if mode is Mode.DELETE:
        return {"delete": row["present"]}
    counted = {"insert": row["missing"], "update": row["changed"]}
    if mode is Mode.SNAPSHOT:
        counted["delete"] = await count_missing_from_staging(connection, resource=resource)
    return counted


async def count_staged(connection: Connection) -> int:
    """Count the staged rows."""
    return int(await connection.fetchval(f"SELECT count(*) FROM {STAGING}"))


async def analyze_staging(connection: Connection, *, resource: Resource) -> None:
    """Let the planner know how many rows are staged, and of their columns what joins look at: the keys."""
    keys = ", ".join(quote_name(item.name) for item in resource.key_items)
    await connection.execute(f"ANALYZE {STAGING} ({keys})")


async def count_missing_from_staging(connection: Connection, *, resource: Resource) -> int:
    """Count the current rows whose key is not in the staging table: what a snapshot would delete."""
    table = table_of(resource.code)
    return int(
        await connection.fetchval(
            f"SELECT count(*) FROM {table} t"
            f" WHERE NOT EXISTS (SELECT FROM {STAGING} s WHERE {_same_key(resource)})"
        )
    )


async def is_empty(connection: Connection, *, code: str) -> bool:
    """Tell whether a resource has no rows."""
    return not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table_of(code)})")


async def insert_first(
    connection: Connection, *, resource: Resource, item_names: Sequence[str], version: int, loaded: int
) -> dict[str, int]:
    """Fill an empty resource from the staging table, and write the change log: operation → rows.

    `loaded` rows went in before, without staging. What has no index yet, the table or the partition that the
    change log begins, is indexed once the rows are in.
    """
    code, names = resource.code, [quote_name(name) for name in item_names]
    values = [_staged(resource, name) for name in item_names]
    done = await connection.execute(
        f"INSERT INTO {table_of(code)} ({', '.join(names)}, {VERSION_COLUMN})"
        f" SELECT {', '.join(values)}, $1 FROM {STAGING} s",
        version,
        timeout=None,
    )
    await ensure_key_index(connection, resource=resource)
    begins = await create_partition(connection, code=code, version=version)
    await connection.execute(
        f"INSERT INTO {partition_of(code, version)} (_version, _sequence, _operation, _before, _after)"
        f" SELECT $1, row_number() OVER (), 'insert', NULL, _row FROM {table_of(code)} _row",
        version,
        timeout=None,
    )
    if begins:
        await attach_partition(connection, code=code, version=version)
    return {"insert": loaded + int(done.rsplit(" ", 1)[1])}


async def merge(
    connection: Connection, *, resource: Resource, item_names: Sequence[str], mode: Mode, version: int
) -> dict[str, int]:
    """Merge the staged rows into the current ones and write the change log: operation → rows.

    What differs is found by one pass over both tables, numbered as it comes into the change log, and it alone
    is merged, by where its row lies. The caller holds the resource's row lock, so that it lies there still.
    """
    await ensure_partition(connection, code=resource.code, version=version)
    source = f"({_select_changes(resource, item_names, mode)})"
    rows = await connection.fetch(
        f"WITH merged AS ({_merge_statement(resource, item_names, mode, source)}),"
        f" logged AS (INSERT INTO {partition_of(resource.code, version)}"
        " (_version, _sequence, _operation, _before, _after)"
        f" SELECT $1, {PLACE}, lower(action),"
        " CASE WHEN action <> 'INSERT' THEN before END, CASE WHEN action <> 'DELETE' THEN after END"
        " FROM merged RETURNING _operation)"
        " SELECT _operation, count(*) AS rows FROM logged GROUP BY 1",
        version,
        timeout=None,
    )
    return {row["_operation"]: row["rows"] for row in rows}


async def merge_many(
    connection: Connection, *, resource: Resource, item_names: Sequence[str], mode: Mode, version: int
) -> dict[str, int]:
    """Do what `merge` does, for many rows: what differs gets a table, and each operation its own statement.

    A MERGE would keep all rows, as they were and as they are, until it is through.
    """
    await ensure_partition(connection, code=resource.code, version=version)
    changes = _select_changes(resource, item_names, mode)
    await connection.execute(f"CREATE TEMP TABLE {CHANGED} ON COMMIT DROP AS {changes}", timeout=None)
    # PostgreSQL would read the whole table for what it can fetch by place.
    await connection.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    columns = await load_columns(connection, code=resource.code)
    for statement in _log_statements(resource, item_names, columns, mode=mode, version=version):
        await connection.execute(statement, version, timeout=None)
    done = {}
    for statement in _change_statements(resource, item_names, mode):
        operation, _, count = (await connection.execute(statement, version, timeout=None)).rpartition(" ")
        done[operation.split()[0].lower()] = int(count)
    await connection.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")
    return done


def _log_statements(
    resource: Resource, item_names: Sequence[str], columns: Sequence[str], *, mode: Mode, version: int
) -> Iterator[str]:
    """Write the statements that log what has changed, before it is carried out."""
    table, goes = table_of(resource.code), _goes(mode)
    values = {name: _staged(resource, name) for name in item_names} | {VERSION_COLUMN: "$1"}
    log = (
        f"INSERT INTO {partition_of(resource.code, version)}"
        f" (_version, _sequence, _operation, _before, _after) SELECT $1::bigint, {PLACE}"
    )
    after = ", ".join(values.get(name, f"t.{quote_name(name)}") for name in columns)
    yield (
        f"{log}, CASE WHEN {goes} THEN 'delete' ELSE 'update' END, t,"
        f" CASE WHEN NOT ({goes}) THEN ROW({after})::{table} END"
        f" FROM {CHANGED} s JOIN {table} t ON t.ctid = s.{LIES_AT}"
    )
    if mode is not Mode.DELETE:
        after = ", ".join(values.get(name, "NULL") for name in columns)
        yield f"{log}, 'insert', NULL, ROW({after})::{table} FROM {CHANGED} s WHERE {LIES_AT} IS NULL"


def _change_statements(resource: Resource, item_names: Sequence[str], mode: Mode) -> Iterator[str]:
    """Write the statements that carry out what has changed: DELETE, UPDATE, INSERT; each has $1."""
    table, goes = table_of(resource.code), _goes(mode)
    there = f"t.ctid = s.{LIES_AT} AND $1::bigint > 0"
    if mode is not Mode.UPSERT:
        yield f"DELETE FROM {table} t USING {CHANGED} s WHERE {there} AND {goes}"
    if mode is Mode.DELETE:
        return
    keys = [quote_name(item.name) for item in resource.key_items]
    values = {quote_name(name): _staged(resource, name) for name in item_names} | {VERSION_COLUMN: "$1"}
    sets = ", ".join(f"{name} = {value}" for name, value in values.items() if name not in keys)
    yield f"UPDATE {table} t SET {sets} FROM {CHANGED} s WHERE {there} AND NOT ({goes})"
    # In the order of their keys, so that the index grows in few places at once.
    yield (
        f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {CHANGED} s"
        f" WHERE {LIES_AT} IS NULL ORDER BY {', '.join(f's.{key}' for key in keys)}"
    )


def _goes(mode: Mode) -> str:
    """Write the condition under which a changed row is a deletion."""
    return {Mode.DELETE: "true", Mode.UPSERT: "false", Mode.SNAPSHOT: f"s.{ROW} IS NULL"}[mode]


def _same_key(resource: Resource) -> str:
    return " AND ".join(
        f"t.{quote_name(item.name)} = {_staged(resource, item.name)}" for item in resource.key_items
    )


def _select_changes(resource: Resource, item_names: Sequence[str], mode: Mode) -> str:
    """Write the query of what merging has to change, with where its current row lies."""
    keys = {item.name for item in resource.key_items}
    differs = [
        f"t.{quote_name(name)} IS DISTINCT FROM {_staged(resource, name)}"
        for name in item_names
        if name not in keys
    ]
    lacks = {Mode.UPSERT: [f"t.{VERSION_COLUMN}"], Mode.SNAPSHOT: [f"t.{VERSION_COLUMN}", f"s.{ROW}"]}
    join = {Mode.DELETE: "JOIN", Mode.UPSERT: "LEFT JOIN", Mode.SNAPSHOT: "FULL JOIN"}[mode]
    wanted = [*(f"{column} IS NULL" for column in lacks.get(mode, ())), *differs]
    where = "" if mode is Mode.DELETE else f" WHERE {' OR '.join(wanted)}"
    return (
        f"SELECT row_number() OVER (ORDER BY s.{ROW} NULLS LAST) AS {PLACE}, t.ctid AS {LIES_AT}, s.*"
        f" FROM {STAGING} s {join} {table_of(resource.code)} t ON {_same_key(resource)}{where}"
    )


def _merge_statement(resource: Resource, item_names: Sequence[str], mode: Mode, source: str) -> str:
    target = f"MERGE INTO {table_of(resource.code)} AS t USING {source} AS s ON t.ctid = s.{LIES_AT}"
    names = "WITH (OLD AS _old, NEW AS _new)"  # which no item can have
    returning = f" RETURNING {names} merge_action() AS action, s.{PLACE}, _old AS before, _new AS after"
    if mode is Mode.DELETE:
        # $1 is named so that the statement has its parameter in every mode.
        return f"{target} WHEN MATCHED AND $1::bigint > 0 THEN DELETE{returning}"
    staged = {name: _staged(resource, name) for name in item_names}
    keys = {item.name for item in resource.key_items}
    delete = f" WHEN MATCHED AND s.{ROW} IS NULL THEN DELETE" if mode is Mode.SNAPSHOT else ""
    sets = "".join(f"{quote_name(name)} = {staged[name]}, " for name in item_names if name not in keys)
    update = f" WHEN MATCHED THEN UPDATE SET {sets}{VERSION_COLUMN} = $1"
    insert = (
        f" WHEN NOT MATCHED THEN INSERT ({', '.join(map(quote_name, item_names))}, {VERSION_COLUMN})"
        f" VALUES ({', '.join(staged.values())}, $1)"
    )
    return target + delete + update + insert + returning
