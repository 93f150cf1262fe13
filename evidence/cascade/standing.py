"""Whether a case may be decided on, as far as what it rests on has changed."""

from __future__ import annotations

from uuid import UUID

from core.database import Connection
from core.errors import Conflict
from evidence.cascade.store_effects import load_suspensions


async def verify_not_suspended(connection: Connection, *, case_id: UUID) -> None:
    """Let a case pass that is not suspended. Raises Conflict, which names the facts and says what to do."""
    suspensions = await load_suspensions(connection, case_id=case_id)
    if suspensions:
        facts = ", ".join(sorted({each.fact for each in suspensions}))
        msg = f"the case is suspended, for what these facts rest on has changed: {facts}; run it again first"
        raise Conflict(msg)
