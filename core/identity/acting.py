"""In whose name the hub acts by itself: that of the system which began what it goes on with."""

from __future__ import annotations

from core.caller import Caller, SystemId
from core.database import Connection
from core.identity.model import System
from core.identity.store import load_active_system, load_organisation


async def load_caller(connection: Connection, *, system_id: SystemId) -> Caller | None:
    """Return a system as the caller that it would be now; None where it may not act any more."""
    system = await load_active_system(connection, system_id=system_id)
    return None if system is None else await act_as(connection, system)


async def act_as(connection: Connection, system: System) -> Caller:
    """Return a system as a caller, with all its scopes."""
    organisation = await load_organisation(connection, code=system.organisation_code)
    return Caller(
        system_id=system.id,
        system_name=system.name,
        organisation_code=organisation.code,
        organisation_name=organisation.name,
        scopes=system.scopes,
    )
