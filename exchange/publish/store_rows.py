"""All SQL of single-row writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """What a write with some Idempotency-Key was answered, and the digest of its body."""

    digest: bytes
    answer: dict[str, Any]


async def load_answers(
    connection: Connection, *, system_id: UUID, resource_code: str, keys: Sequence[str]
) -> dict[str, KnownAnswer]:
    """Load the answers of those keys that came before.

    The keys are locked until the transaction ends, so that two hubs do not write the same request twice.
    """
    for key in sorted(keys):
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{system_id} {resource_code} {key}"
        )
    rows = await connection.fetch(
        "SELECT idempotency_key, body_sm3, answer FROM exchange.row_write"
        " WHERE system_id = $1 AND resource_code = $2 AND idempotency_key = ANY($3::text[])",
        system_id,
        resource_code,
        keys,
    )
    return {row["idempotency_key"]: KnownAnswer(digest=row["body_sm3"], answer=row["answer"]) for row in rows}


async def save_answers(
    connection: Connection,
    *,
    system_id: UUID,
    resource_code: str,
    answers: Sequence[tuple[str, bytes, dict[str, Any]]],
) -> None:
    """Keep answers: (key, digest of the body, answer)."""
    await connection.executemany(
        "INSERT INTO exchange.row_write (system_id, resource_code, idempotency_key, body_sm3, answer)"
        " VALUES ($1, $2, $3, $4, $5)",
        [(system_id, resource_code, key, digest, answer) for key, digest, answer in answers],
    )


async def delete_answers(connection: Connection, *, before: datetime) -> int:
    """Forget answers that were given before a time; return how many."""
    done = await connection.execute("DELETE FROM exchange.row_write WHERE written_at < $1", before)
    return int(done.rsplit(" ", 1)[1])
