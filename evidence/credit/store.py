"""All SQL of the credit dataset and of what is published into it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from evidence.commitments.model import UndertakingState
from evidence.credit.model import CreditDataset, Entry, EntryState


async def load_dataset(connection: Connection, *, lock: bool = False) -> CreditDataset | None:
    """Load the dataset that is named; None where none is. `lock` holds it until the transaction ends."""
    row = await connection.fetchrow(f"SELECT * FROM evidence.credit_dataset{' FOR UPDATE' if lock else ''}")
    if row is None:
        return None
    return CreditDataset(
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        system_id=SystemId(row["system_id"]),
        named_at=row["named_at"],
    )


async def save_dataset(connection: Connection, *, dataset: CreditDataset) -> bool:
    """Name the dataset; False where one of another provider is named. What waits goes into this one."""
    done = await connection.execute(
        "INSERT INTO evidence.credit_dataset AS d (resource_code, organisation_code, system_id, named_at)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT ON CONSTRAINT credit_dataset_pk DO UPDATE"
        " SET resource_code = EXCLUDED.resource_code, system_id = EXCLUDED.system_id,"
        " named_at = EXCLUDED.named_at WHERE d.organisation_code = EXCLUDED.organisation_code",
        dataset.resource_code,
        dataset.organisation_code,
        dataset.system_id,
        dataset.named_at,
    )
    if not done.endswith(" 1"):
        return False
    await connection.execute(
        "UPDATE evidence.credit_entry SET resource_code = $1 WHERE state = 'waiting' AND resource_code <> $1",
        dataset.resource_code,
    )
    return True


async def delete_dataset(connection: Connection) -> None:
    """Name none any more."""
    await connection.execute("DELETE FROM evidence.credit_dataset")


async def enter_due(connection: Connection, *, at: datetime) -> bool:
    """Enter the commitments that were breached and not entered yet, for the dataset that is named.

    What is overdue is not: nobody knows, or the office has yet to say that the material came.
    """
    done = await connection.execute(
        "INSERT INTO evidence.credit_entry (undertaking_id, told_state, resource_code, next_try_at)"
        " SELECT u.id, u.state, d.resource_code, $1 FROM evidence.undertaking u, evidence.credit_dataset d"
        " WHERE u.sealed IS NOT NULL AND u.kind = 'commitment' AND u.state = 'breached'"
        " AND NOT EXISTS (SELECT FROM evidence.credit_entry e"
        " WHERE e.undertaking_id = u.id AND e.told_state = u.state)"
        " ON CONFLICT ON CONSTRAINT credit_entry_pk DO NOTHING",
        at,
    )
    return not done.endswith(" 0")


async def claim_entries(
    connection: Connection, *, at: datetime, again_at: datetime, limit: int
) -> list[Entry]:
    """Take entries that are due, so that no other process takes them before `again_at`."""
    rows = await connection.fetch(
        "WITH due AS (SELECT undertaking_id, told_state FROM evidence.credit_entry WHERE next_try_at <= $1"
        " ORDER BY next_try_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " UPDATE evidence.credit_entry e SET next_try_at = $2, tries = e.tries + 1 FROM due"
        " WHERE e.undertaking_id = due.undertaking_id AND e.told_state = due.told_state"
        " RETURNING e.undertaking_id, e.told_state, e.resource_code, e.tries",
        at,
        again_at,
        limit,
    )
    return [
        Entry(
            undertaking_id=row["undertaking_id"],
            told_state=UndertakingState(row["told_state"]),
            resource_code=row["resource_code"],
            tries=row["tries"],
        )
        for row in rows
    ]


async def settle_entry(
    connection: Connection,
    *,
    entry: Entry,
    state: EntryState,
    batch_id: UUID | None,
    reason: str | None,
    at: datetime,
) -> bool:
    """Note what became of an entry; False where that is known already."""
    done = await connection.execute(
        "UPDATE evidence.credit_entry SET state = $3, batch_id = $4, reason = $5, settled_at = $6,"
        " next_try_at = NULL WHERE undertaking_id = $1 AND told_state = $2 AND state = 'waiting'",
        entry.undertaking_id,
        entry.told_state,
        state,
        batch_id,
        reason,
        at,
    )
    return done.endswith(" 1")
