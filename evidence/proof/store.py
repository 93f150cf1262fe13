"""All SQL of askings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from evidence.proof.model import Asking, AskingFinding, PlacedAsking
from evidence.sources.model import Outcome

_PLACED = (
    "SELECT a.*, c.organisation_code, o.name AS organisation_name, c.item_code, c.case_number"
    " FROM evidence.asking a JOIN evidence.case_ c ON c.id = a.case_id"
    " JOIN core.organisation o ON o.code = c.organisation_code"
)


async def save_asking(connection: Connection, *, asking: Asking) -> bool:
    """Insert an asking; False where the material was asked for since the case's last run already."""
    done = await connection.execute(
        "INSERT INTO evidence.asking (id, case_id, run, material_code, outcome, finding, reason, operator,"
        " system_id, asked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT ON CONSTRAINT asking_once_a_run DO NOTHING",
        asking.id,
        asking.case_id,
        asking.run,
        asking.material_code,
        asking.outcome,
        asking.finding,
        asking.reason,
        asking.operator,
        asking.system_id,
        asking.asked_at,
    )
    return done.endswith(" 1")


async def load_asking(connection: Connection, *, case_id: UUID, material_code: str, run: int) -> Asking:
    """Load the asking for a material since a run."""
    row = await connection.fetchrow(
        "SELECT * FROM evidence.asking WHERE case_id = $1 AND material_code = $2 AND run = $3",
        case_id,
        material_code,
        run,
    )
    assert row is not None
    return _asking(row)


async def load_of_case(connection: Connection, *, case_id: UUID) -> list[Asking]:
    """Load what was asked for in a case, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM evidence.asking WHERE case_id = $1 ORDER BY asked_at, id", case_id
    )
    return [_asking(row) for row in rows]


async def load_findings(
    connection: Connection, *, offices: Sequence[str] | None, before: datetime | None, limit: int
) -> list[PlacedAsking]:
    """Load what was not to be asked for, newest first, of some offices or (None) all."""
    rows = await connection.fetch(
        f"{_PLACED} WHERE a.finding IS NOT NULL AND ($1::text[] IS NULL OR c.organisation_code = ANY($1))"
        " AND ($2::timestamptz IS NULL OR a.asked_at < $2) ORDER BY a.asked_at DESC, a.id LIMIT $3",
        None if offices is None else list(offices),
        before,
        limit,
    )
    return [
        PlacedAsking(
            asking=_asking(row),
            organisation_code=OrganisationCode(row["organisation_code"]),
            organisation_name=row["organisation_name"],
            item_code=row["item_code"],
            case_number=row["case_number"],
        )
        for row in rows
    ]


def _asking(row: asyncpg.Record) -> Asking:
    return Asking(
        id=row["id"],
        case_id=row["case_id"],
        run=row["run"],
        material_code=row["material_code"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        finding=None if row["finding"] is None else AskingFinding(row["finding"]),
        reason=row["reason"],
        operator=row["operator"],
        system_id=SystemId(row["system_id"]),
        asked_at=row["asked_at"],
    )
