"""All SQL of publishing."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Connection
from core.database.names import quote_name
from exchange.catalogue.formats import Format, Kind, parse_format
from exchange.catalogue.model import Resource
from exchange.catalogue.store import VERSION_COLUMN, changes_of, load_columns, table_of
from exchange.publish.model import BatchResult, BatchState, Mode, Reject, Upload

STAGING = "staged_rows"
WORK_MEMORY_MB = 64
ROW = "_row"


async def begin_batch(
    connection: Connection,
    *,
    batch_id: UUID,
    resource_code: str,
    system_id: UUID,
    idempotency_key: str,
    upload: Upload,
    mode: Mode,
) -> asyncpg.Record:
    """Insert a batch, or find the one that already has this key: (id, body_sm3, state, answer).

    One that failed with the same body begins anew.
    """
    await connection.execute(
        "INSERT INTO exchange.batch (id, resource_code, system_id, idempotency_key, body_sm3, mode, state)"
        " VALUES ($1, $2, $3, $4, $5, $6, 'receiving')"
        " ON CONFLICT ON CONSTRAINT batch_idempotency_unique DO UPDATE SET state = 'receiving'"
        " WHERE batch.state = 'failed' AND batch.body_sm3 = EXCLUDED.body_sm3",
        batch_id,
        resource_code,
        system_id,
        idempotency_key,
        upload.digest,
        mode,
    )
    row = await connection.fetchrow(
        "SELECT id, body_sm3, state, answer FROM exchange.batch"
        " WHERE system_id = $1 AND resource_code = $2 AND idempotency_key = $3",
        system_id,
        resource_code,
        idempotency_key,
    )
    assert row is not None
    return row


async def try_lock_batch(connection: Connection, *, batch_id: UUID) -> bool:
    """Take a batch for this transaction; False where another process is publishing it."""
    key = int.from_bytes(batch_id.bytes[:8], "big", signed=True)
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", key))


async def load_batch(connection: Connection, *, resource_code: str, batch_id: UUID) -> asyncpg.Record | None:
    """Load a batch's state and answer; None where there is none."""
    return await connection.fetchrow(
        "SELECT id, mode, state, answer, created_at, finished_at FROM exchange.batch"
        " WHERE resource_code = $1 AND id = $2",
        resource_code,
        batch_id,
    )


async def prepare_transaction(connection: Connection) -> None:
    """Set what bulk statements of this transaction profit from."""
    await connection.execute("SET LOCAL jit = off")
    await connection.execute(f"SET LOCAL work_mem = '{WORK_MEMORY_MB}MB'")


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
    await connection.copy_to_table(
        STAGING, source=io.BytesIO(data), columns=[ROW, *item_names], format="binary", timeout=None
    )


async def take_duplicates(
    connection: Connection, *, resource: Resource, suspects: Sequence[int] | None
) -> list[tuple[int, int]]:
    """Remove rows whose key came before in the batch: (their row number, that of the first).

    Only the rows `suspects` are looked at; all of them for None.
    """
    keys = ", ".join(_staged(resource, item.name) for item in resource.key_items)
    among = "" if suspects is None else f" WHERE s.{ROW} = ANY($1::bigint[])"
    rows = await connection.fetch(
        f"WITH ranked AS (SELECT {ROW}, first_value({ROW}) OVER (PARTITION BY {keys} ORDER BY {ROW}) AS first"
        f" FROM {STAGING} s{among}), gone AS (DELETE FROM {STAGING} s USING ranked r WHERE s.{ROW} = r.{ROW}"
        f" AND r.{ROW} <> r.first RETURNING s.{ROW}, r.first) SELECT * FROM gone ORDER BY 1",
        *([] if suspects is None else [suspects]),
    )
    return [(row[0], row[1]) for row in rows]


async def count_staged(connection: Connection) -> int:
    """Count the staged rows."""
    return int(await connection.fetchval(f"SELECT count(*) FROM {STAGING}"))


async def analyze_staging(connection: Connection) -> None:
    """Let the planner know the staged rows."""
    await connection.execute(f"ANALYZE {STAGING}")


async def lock_resource(connection: Connection, *, code: str) -> tuple[int, int]:
    """Let one transaction at a time publish to a resource: (current version, current rows)."""
    row = await connection.fetchrow(
        "SELECT current_version, current_rows FROM exchange.resource WHERE code = $1 FOR NO KEY UPDATE", code
    )
    assert row is not None
    return row["current_version"], row["current_rows"]


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
    connection: Connection, *, resource: Resource, item_names: Sequence[str], version: int
) -> dict[str, int]:
    """Fill an empty resource from the staging table, and write the change log: operation → rows.

    The rows go in by key, so that the index grows at its end.
    """
    table, names = table_of(resource.code), [quote_name(name) for name in item_names]
    values = [_staged(resource, name) for name in item_names]
    order = ", ".join(_staged(resource, item.name) for item in resource.key_items)
    done = await connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}, {VERSION_COLUMN})"
        f" SELECT {', '.join(values)}, $1 FROM {STAGING} s ORDER BY {order}",
        version,
        timeout=None,
    )
    staged = dict(zip(item_names, values, strict=True)) | {VERSION_COLUMN: "$1"}
    whole = [staged.get(name, "NULL") for name in await load_columns(connection, code=resource.code)]
    await connection.execute(
        f"INSERT INTO {changes_of(resource.code)} (_version, _sequence, _operation, _before, _after)"
        f" SELECT $1, row_number() OVER (), 'insert', NULL, ROW({', '.join(whole)})::{table}"
        f" FROM {STAGING} s",
        version,
        timeout=None,
    )
    return {"insert": int(done.rsplit(" ", 1)[1])}


async def merge(
    connection: Connection, *, resource: Resource, item_names: Sequence[str], mode: Mode, version: int
) -> dict[str, int]:
    """Merge the staging table into the current rows and write the change log: operation → rows."""
    rows = await connection.fetch(
        f"WITH merged AS ({_merge_statement(resource, item_names, mode)}),"
        f" logged AS (INSERT INTO {changes_of(resource.code)}"
        " (_version, _sequence, _operation, _before, _after)"
        f" SELECT $1, row_number() OVER (ORDER BY {ROW} NULLS LAST), lower(action),"
        " CASE WHEN action <> 'INSERT' THEN before END, CASE WHEN action <> 'DELETE' THEN after END"
        " FROM merged RETURNING _operation)"
        " SELECT _operation, count(*) AS rows FROM logged GROUP BY 1",
        version,
        timeout=None,
    )
    return {row["_operation"]: row["rows"] for row in rows}


def _same_key(resource: Resource) -> str:
    return " AND ".join(
        f"t.{quote_name(item.name)} = {_staged(resource, item.name)}" for item in resource.key_items
    )


def _merge_statement(resource: Resource, item_names: Sequence[str], mode: Mode) -> str:
    target = f"MERGE INTO {table_of(resource.code)} AS t USING {STAGING} AS s ON {_same_key(resource)}"
    returning = f" RETURNING merge_action() AS action, s.{ROW}, old AS before, new AS after"
    if mode is Mode.DELETE:
        # $1 is named so that the statement has its parameter in every mode.
        return f"{target} WHEN MATCHED AND $1::bigint > 0 THEN DELETE{returning}"
    staged = {name: _staged(resource, name) for name in item_names}
    keys = {item.name for item in resource.key_items}
    values = [name for name in item_names if name not in keys]
    update = ""
    if values:
        changed = " OR ".join(f"t.{quote_name(name)} IS DISTINCT FROM {staged[name]}" for name in values)
        sets = ", ".join(f"{quote_name(name)} = {staged[name]}" for name in values)
        update = f" WHEN MATCHED AND ({changed}) THEN UPDATE SET {sets}, {VERSION_COLUMN} = $1"
    insert = (
        f" WHEN NOT MATCHED THEN INSERT ({', '.join(map(quote_name, item_names))}, {VERSION_COLUMN})"
        f" VALUES ({', '.join(staged.values())}, $1)"
    )
    delete = " WHEN NOT MATCHED BY SOURCE THEN DELETE" if mode is Mode.SNAPSHOT else ""
    return target + update + insert + delete + returning


async def save_rejects(connection: Connection, *, batch_id: UUID, rejects: Sequence[Reject]) -> None:
    """Insert refused rows into the quarantine."""
    await connection.copy_records_to_table(
        "reject",
        schema_name="exchange",
        columns=["batch_id", "row_number", "original", "reasons"],
        records=[
            (
                batch_id,
                reject.row_number,
                json.dumps(reject.original, ensure_ascii=True),
                [{"item": r.item, "code": r.code, "detail": r.detail} for r in reject.reasons],
            )
            for reject in rejects
        ],
    )


async def save_version(connection: Connection, *, result: BatchResult) -> None:
    """Insert a version's accounting and make it the resource's current one."""
    await connection.execute(
        "INSERT INTO exchange.version (resource_code, version, batch_id, mode, received_rows, accepted_rows,"
        " rejected_rows, inserted_rows, updated_rows, unchanged_rows, deleted_rows, missing_rows,"
        " current_rows)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        result.resource_code,
        result.version,
        result.batch_id,
        result.mode,
        result.received,
        result.accepted,
        result.rejected,
        result.inserted,
        result.updated,
        result.unchanged,
        result.deleted,
        result.missing,
        result.current_rows,
    )
    await connection.execute(
        "UPDATE exchange.resource SET current_version = $2, current_rows = $3 WHERE code = $1",
        result.resource_code,
        result.version,
        result.current_rows,
    )


async def finish_batch(connection: Connection, *, result: BatchResult) -> None:
    """Mark a batch published with its answer, and wake whoever waits for versions."""
    await connection.execute(
        "UPDATE exchange.batch SET state = $2, answer = $3, received_rows = $4, finished_at = now()"
        " WHERE id = $1",
        result.batch_id,
        BatchState.PUBLISHED,
        result.render(),
        result.received,
    )
    if result.version is not None:
        await connection.execute(
            "SELECT pg_notify('shuzheng_versions', $1)", f"{result.resource_code} {result.version}"
        )


async def fail_batch(connection: Connection, *, batch_id: UUID) -> None:
    """Mark a batch failed, unless it was published meanwhile."""
    await connection.execute(
        "UPDATE exchange.batch SET state = 'failed', finished_at = now()"
        " WHERE id = $1 AND state = 'receiving'",
        batch_id,
    )


async def load_reject_headers(connection: Connection, *, batch_id: UUID) -> list[str]:
    """Load the headers of the file that refused rows came in, from the first that was split into cells."""
    original = await connection.fetchval(
        "SELECT original FROM exchange.reject WHERE batch_id = $1"
        " ORDER BY starts_with(original, '{\"\":'), row_number LIMIT 1",
        batch_id,
    )
    return [] if original is None else list(json.loads(original))


async def load_rejects(
    connection: Connection, *, batch_id: UUID, after: int, limit: int
) -> list[dict[str, Any]]:
    """Load refused rows by row number, from after `after` on."""
    rows = await connection.fetch(
        "SELECT row_number, original, reasons FROM exchange.reject WHERE batch_id = $1 AND row_number > $2"
        " ORDER BY row_number LIMIT $3",
        batch_id,
        after,
        limit,
    )
    return [
        {"row": row["row_number"], "original": json.loads(row["original"]), "reasons": row["reasons"]}
        for row in rows
    ]
