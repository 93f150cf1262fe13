"""The last step of a request: its grant, made or prolonged in the transaction of the decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from core.database import Connection
from core.errors import Conflict
from exchange.access import store
from exchange.access.model import Application, Grant, Terms


async def provision(connection: Connection, application: Application, *, at: datetime) -> UUID:
    """Make the grant of an approved application, or let the one that it renews last longer.

    Raises Conflict where the grant to renew was revoked meanwhile.
    """
    if application.renews_grant_id is None:
        grant = Grant(
            id=uuid4(),
            application_id=application.id,
            resource_code=application.resource_code,
            organisation_code=application.organisation_code,
            terms=application.terms,
            valid_from=at,
            scenario_id=application.scenario_id,
        )
        await store.save_grant(connection, grant=grant)
        return grant.id
    renewed = await store.load_grant(connection, grant_id=application.renews_grant_id, for_update=True)
    if renewed is None or renewed.revoked_at is not None:
        msg = "the grant to renew was revoked meanwhile; refuse this application"
        raise Conflict(msg)
    await store.update_terms(
        connection, grant_id=renewed.id, terms=_renew_terms(renewed.terms, application.terms)
    )
    return renewed.id


def _renew_terms(held: Terms, decided: Terms) -> Terms:
    """Combine: the new end, and of everything else what both the grant and the decision allow.

    The grant may have been shrunk while the renewal waited, and a renewal never gives more than is held.
    """
    return replace(
        decided,
        items=tuple(name for name in held.items if name in decided.items),
        modes=held.modes & decided.modes,
        service_items=held.service_items,
        search_items=held.search_items,
        quotas=held.quotas,
        row_filter={**decided.row_filter, **held.row_filter},
        masks={**held.masks, **decided.masks},
    )
