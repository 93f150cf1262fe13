"""All SQL of a resource's past: its states and its revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from exchange.catalogue.model import ResourceState


async def save_history(
    connection: Connection,
    *,
    code: str,
    state: ResourceState,
    reason: str,
    organisation_code: OrganisationCode,
    system_id: SystemId | None,
    at: datetime,
) -> None:
    """Record that a resource came into a state."""
    await connection.execute(
        "INSERT INTO exchange.resource_history"
        " (resource_code, state, reason, organisation_code, system_id, at) VALUES ($1, $2, $3, $4, $5, $6)",
        code,
        state,
        reason,
        organisation_code,
        system_id,
        at,
    )


async def load_history(connection: Connection, *, code: str) -> list[dict[str, Any]]:
    """Load the states that a resource came through, oldest first."""
    rows = await connection.fetch(
        "SELECT state, reason, organisation_code, at FROM exchange.resource_history"
        " WHERE resource_code = $1 ORDER BY id",
        code,
    )
    return [dict(row) for row in rows]


async def save_revision(
    connection: Connection, *, code: str, revision: int, description: dict[str, Any], at: datetime
) -> None:
    """Keep the description of a revision; a draft's revision is replaced."""
    await connection.execute(
        "INSERT INTO exchange.resource_revision (resource_code, revision, description, at)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT ON CONSTRAINT resource_revision_pk"
        " DO UPDATE SET description = EXCLUDED.description, at = EXCLUDED.at",
        code,
        revision,
        description,
        at,
    )


async def load_revisions(connection: Connection, *, code: str) -> list[tuple[int, datetime]]:
    """Load the numbers and times of the revisions that are kept, oldest first."""
    rows = await connection.fetch(
        "SELECT revision, at FROM exchange.resource_revision WHERE resource_code = $1 ORDER BY revision", code
    )
    return [(row[0], row[1]) for row in rows]


async def load_revision(connection: Connection, *, code: str, revision: int) -> dict[str, Any] | None:
    """Load the description of one revision; None where it is not kept."""
    found = await connection.fetchval(
        "SELECT description FROM exchange.resource_revision WHERE resource_code = $1 AND revision = $2",
        code,
        revision,
    )
    return None if found is None else dict(found)
