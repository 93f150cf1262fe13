"""All SQL of the mismatch budget."""

from __future__ import annotations

from datetime import date

from core.caller import SystemId
from core.database import Connection


async def lock_mismatches(
    connection: Connection, *, system_id: SystemId, subject_hmac: bytes, counted_on: date
) -> int:
    """Load today's count of mismatches and hold it until the transaction ends, so that none is missed."""
    return int(
        await connection.fetchval(
            "INSERT INTO exchange.mismatch_count AS c (system_id, subject_hmac, counted_on, mismatches)"
            " VALUES ($1, $2, $3, 0) ON CONFLICT ON CONSTRAINT mismatch_count_pk"
            " DO UPDATE SET mismatches = c.mismatches RETURNING mismatches",
            system_id,
            subject_hmac,
            counted_on,
        )
    )


async def add_mismatches(
    connection: Connection, *, system_id: SystemId, subject_hmac: bytes, counted_on: date, mismatches: int
) -> None:
    """Add to today's count."""
    await connection.execute(
        "UPDATE exchange.mismatch_count SET mismatches = mismatches + $4"
        " WHERE system_id = $1 AND subject_hmac = $2 AND counted_on = $3",
        system_id,
        subject_hmac,
        counted_on,
        mismatches,
    )


async def delete_mismatches(connection: Connection, *, before: date) -> None:
    """Delete counts of days before `before`."""
    await connection.execute("DELETE FROM exchange.mismatch_count WHERE counted_on < $1", before)
