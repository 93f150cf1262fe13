"""SQL of reading leaves: one by one, by place, and the views of an auditor."""

from __future__ import annotations

import json
from uuid import UUID

import asyncpg

from core.database import Connection
from core.log.model import Checkpoint, Event, Leaf
from core.log.store import read_checkpoint, read_subjects

_LEAVES = "SELECT l.*, e.leaf_index FROM core.log_leaf l LEFT JOIN core.log_entry e ON e.leaf_id = l.id"


async def load_leaf(connection: Connection, *, leaf_id: UUID) -> Leaf | None:
    """Load one leaf; None where there is none."""
    row = await connection.fetchrow(f"{_LEAVES} WHERE l.id = $1", leaf_id)
    return None if row is None else read_leaf(row)


async def load_case(connection: Connection, *, case_number: str, organisation_code: str | None) -> list[Leaf]:
    """Load the leaves of one case in the order of time; of one organisation only where it is named."""
    rows = await connection.fetch(
        f"{_LEAVES} WHERE l.case_number = $1 AND ($2::text IS NULL OR l.organisation_code = $2)"
        " ORDER BY l.recorded_at, l.id",
        case_number,
        organisation_code,
    )
    return [read_leaf(row) for row in rows]


def read_leaf(row: asyncpg.Record) -> Leaf:
    """Read a leaf from its row, joined with its place."""
    body = json.loads(row["body"])
    return Leaf(
        id=row["id"],
        recorded_at=row["recorded_at"],
        event=Event(row["event"]),
        organisation_code=row["organisation_code"],
        system_id=row["system_id"],
        operator=row["operator"],
        service_item=row["service_item"],
        case_number=row["case_number"],
        on_behalf_of=row["on_behalf_of"],
        owner_code=row["owner_code"],
        resource_code=row["resource_code"],
        grant_id=row["grant_id"],
        certificate_id=row["certificate_id"],
        subjects=read_subjects(row),
        details=body.get("details", {}),
        body=row["body"],
        leaf_hash=row["leaf_hash"],
        leaf_index=row["leaf_index"],
        person=body.get("person"),
    )


async def load_checkpoint(connection: Connection, *, tree_size: int) -> Checkpoint | None:
    """Load the head of one size; None where none of that size was signed."""
    row = await connection.fetchrow("SELECT * FROM core.log_checkpoint WHERE tree_size = $1", tree_size)
    return None if row is None else read_checkpoint(row)
