"""Finding a resource, and the grant that covers a call to it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from core.caller import Caller, Purpose
from core.database import Connection
from core.database.names import check_resource_code
from core.errors import GrantMissing, NotFound
from exchange.access import store
from exchange.access.model import Grant, Mode
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from exchange.catalogue.store import load_resource

UNKNOWN_RESOURCE: Final = "there is no resource of that code in the catalogue"


async def load_known_resource(connection: Connection, *, code: str) -> Resource:
    """Load a resource with its items. Raises BadInput for what is no code, or NotFound."""
    resource = await load_resource(connection, code=check_resource_code(code))
    if resource is None:
        raise NotFound(UNKNOWN_RESOURCE)
    return resource


async def verify_grant(
    connection: Connection,
    *,
    resource: Resource,
    caller: Caller,
    purpose: Purpose,
    mode: Mode,
    wanted: Collection[str],
    at: datetime,
) -> Grant:
    """Return the grant that covers a call: in force, of that mode, given for that service item.

    Of several, the one that has most of the items `wanted`; among equals one without a row filter, then the
    one with most items, then the oldest. Where it lacks some, the caller of this function refuses them.
    Raises GrantMissing where there is none at all, in the same words whatever was asked for, and Closed for a
    resource that was recalled or whose successor took over.
    """
    verify_open(resource, at=at)
    grants = await store.load_grants_in_force(
        connection, resource_code=resource.code, organisation_code=caller.organisation_code, at=at, mode=mode
    )
    serving = [grant for grant in grants if grant.serves(purpose.service_item)]
    if not serving:
        msg = f"no grant in force allows {mode} of this resource for this service item; apply for one"
        raise GrantMissing(msg)

    def merit(grant: Grant) -> tuple[int, bool, int]:
        items = grant.open_items(resource)
        return len(set(wanted) & set(items)), not grant.terms.row_filter, len(items)

    return max(serving, key=merit)
