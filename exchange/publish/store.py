"""All SQL of publishing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Connection
from exchange.catalogue.model import Resource, ResourceState
from exchange.catalogue.standing import verify_open
from exchange.publish.model import BatchResult, BatchState, Mode

WORK_MEMORY_MB = 64


async def begin_batch(
    connection: Connection,
    *,
    batch_id: UUID,
    resource_code: str,
    system_id: UUID,
    idempotency_key: str,
    digest: bytes,
    media_type: str,
    charset: str | None,
    mode: Mode,
) -> asyncpg.Record:
    """Insert a batch, or find the one that already has this key: (id, body_sm3, state, answer).

    One that failed with the same body begins anew.
    """
    await connection.execute(
        "INSERT INTO exchange.batch (id, resource_code, system_id, idempotency_key, body_sm3, mode, state,"
        " media_type, charset) VALUES ($1, $2, $3, $4, $5, $6, 'receiving', $7, $8)"
        " ON CONFLICT ON CONSTRAINT batch_idempotency_unique DO UPDATE SET state = 'receiving',"
        " problem = NULL WHERE batch.state = 'failed' AND batch.body_sm3 = EXCLUDED.body_sm3",
        batch_id,
        resource_code,
        system_id,
        idempotency_key,
        digest,
        mode,
        media_type,
        charset,
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
        f"{_BATCHES} WHERE b.resource_code = $1 AND b.id = $2", resource_code, batch_id
    )


_BATCHES = (
    "SELECT b.id, b.mode, b.state, b.answer, b.problem, b.media_type, b.charset, b.idempotency_key,"
    " b.created_at, b.finished_at, p.phase, p.rows FROM exchange.batch b"
    " LEFT JOIN exchange.batch_progress p ON p.batch_id = b.id"
)


async def load_batches(
    connection: Connection, *, resource_code: str, system_id: UUID, idempotency_key: str | None, limit: int
) -> list[asyncpg.Record]:
    """Load the newest batches of a resource, or that of a key which a system used."""
    return await connection.fetch(
        f"{_BATCHES} WHERE b.resource_code = $1 AND ($3::text IS NULL OR (b.idempotency_key = $3"
        " AND b.system_id = $2)) ORDER BY b.created_at DESC LIMIT $4",
        resource_code,
        system_id,
        idempotency_key,
        limit,
    )


async def save_progress(connection: Connection, *, batch_id: UUID, phase: str, rows: int) -> None:
    """Note how far a batch is, at once and outside its transaction."""
    await connection.execute(
        "INSERT INTO exchange.batch_progress (batch_id, phase, rows) VALUES ($1, $2, $3)"
        " ON CONFLICT ON CONSTRAINT batch_progress_pk"
        " DO UPDATE SET phase = EXCLUDED.phase, rows = EXCLUDED.rows, updated_at = now()",
        batch_id,
        phase,
        rows,
    )


async def delete_progress(connection: Connection, *, batch_id: UUID) -> None:
    """Forget how far a batch was; its answer says all."""
    await connection.execute("DELETE FROM exchange.batch_progress WHERE batch_id = $1", batch_id)


async def prepare_transaction(connection: Connection) -> None:
    """Set what bulk statements of this transaction profit from."""
    await connection.execute("SET LOCAL jit = off")
    await connection.execute(f"SET LOCAL work_mem = '{WORK_MEMORY_MB}MB'")


async def lock_resource(connection: Connection, *, resource: Resource) -> tuple[int, int]:
    """Let one transaction at a time publish to a resource: (current version, current rows).

    Raises Closed where the resource was recalled, or its last day came, since it was loaded.
    """
    row = await connection.fetchrow(
        "SELECT current_version, current_rows, state, state_reason, readable_until, superseded_by"
        " FROM exchange.resource WHERE code = $1 FOR NO KEY UPDATE",
        resource.code,
    )
    assert row is not None
    standing = replace(
        resource,
        state=ResourceState(row["state"]),
        state_reason=row["state_reason"],
        readable_until=row["readable_until"],
        superseded_by=row["superseded_by"],
    )
    verify_open(standing, at=datetime.now(UTC))
    return row["current_version"], row["current_rows"]


async def save_version(connection: Connection, *, result: BatchResult) -> None:
    """Insert a version's accounting and make it the resource's current one."""
    await connection.execute(
        "INSERT INTO exchange.version (resource_code, version, batch_id, mode, received_rows, accepted_rows,"
        " rejected_rows, inserted_rows, updated_rows, unchanged_rows, deleted_rows, missing_rows,"
        " current_rows, flagged_rows)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
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
        result.flagged,
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


async def fail_batch(connection: Connection, *, batch_id: UUID, problem: dict[str, Any]) -> None:
    """Mark a batch failed with the reason, unless it was published meanwhile."""
    await connection.execute(
        "UPDATE exchange.batch SET state = 'failed', finished_at = now(), problem = $2"
        " WHERE id = $1 AND state = 'receiving'",
        batch_id,
        problem,
    )
