"""Who may look over an office's shoulder: itself, the organisations above it, administrators and auditors."""

from __future__ import annotations

from core.caller import Caller, Scope
from core.database import Connection
from core.errors import Forbidden


async def verify_overseer(connection: Connection, *, office: str, caller: Caller) -> None:
    """Let a caller pass that may see how an office works. Raises Forbidden."""
    if caller.scopes & {Scope.ADMIN, Scope.AUDIT}:
        return
    if caller.organisation_code not in await load_line(connection, office=office):
        msg = "this is seen by the office, the organisations above it, administrators and auditors"
        raise Forbidden(msg)


async def load_line(connection: Connection, *, office: str) -> tuple[str, ...]:
    """Return an office's code and those of the organisations above it, from below."""
    rows = await connection.fetch(
        "WITH RECURSIVE line (code, parent_code, depth) AS ("
        " SELECT code, parent_code, 0 FROM core.organisation WHERE code = $1"
        " UNION SELECT o.code, o.parent_code, l.depth + 1 FROM core.organisation o"
        " JOIN line l ON o.code = l.parent_code WHERE l.depth < 20)"
        " SELECT code FROM line ORDER BY depth",
        office,
    )
    return tuple(row["code"] for row in rows)


async def load_offices(connection: Connection, *, caller: Caller) -> tuple[str, ...] | None:
    """Return the caller's office and those below it; None (all) for administrators and auditors."""
    if caller.scopes & {Scope.ADMIN, Scope.AUDIT}:
        return None
    rows = await connection.fetch(
        "WITH RECURSIVE below (code, depth) AS ("
        " SELECT $1::text, 0 UNION SELECT o.code, b.depth + 1 FROM core.organisation o"
        " JOIN below b ON o.parent_code = b.code WHERE b.depth < 20)"
        " SELECT DISTINCT code FROM below ORDER BY code",
        caller.organisation_code,
    )
    return tuple(row["code"] for row in rows)
