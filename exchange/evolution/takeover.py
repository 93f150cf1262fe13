"""What happens when a new major version is published: the old one gets its last day, grants go over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from core.caller import Caller
from core.database import Connection
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access import store as access_store
from exchange.access import store_applications
from exchange.access.model import Application, ApplicationState, Grant
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource
from exchange.evolution import store
from exchange.evolution.impact import find_broken
from exchange.revisions.diff import compare


class Takeover:
    """Puts a successor in its predecessor's place, in the transaction that publishes it."""

    def __init__(self, *, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._log = log
        self._now = now

    async def __call__(self, connection: Connection, successor: Resource, *, caller: Caller) -> None:
        """Close the predecessor to new applications, set its last day, carry over what does not break."""
        assert successor.supersedes is not None
        predecessor = await catalogue_store.load_resource(
            connection, code=successor.supersedes, for_update=True
        )
        assert predecessor is not None
        until = await store.take_over(connection, predecessor=predecessor.code, successor=successor.code)
        readers = await store.load_readers(connection, code=predecessor.code, at=self._now())
        broken = {each.reader.grant_id for each in find_broken(compare(predecessor, successor), readers, [])}
        carried = [reader.grant_id for reader in readers if reader.grant_id not in broken]
        await _carry_masks(connection, predecessor=predecessor.code, successor=successor)
        for grant_id in carried:
            grant = await access_store.load_grant(connection, grant_id=grant_id)
            assert grant is not None
            await self._carry(connection, grant, successor)
        await self._log.append(
            connection,
            event=Event.RESOURCE_SUPERSEDED,
            caller=caller,
            resource_code=predecessor.code,
            details={
                "successor": successor.code,
                "readable_until": until.isoformat(),
                "carried": [str(each) for each in carried],
                "broken": sorted(str(each) for each in broken),
            },
        )

    async def _carry(self, connection: Connection, grant: Grant, successor: Resource) -> None:
        """Give the same terms on the successor, by an application that was decided with the release."""
        now = self._now()
        reason = f"carried over from {grant.resource_code}, grant {grant.id}"
        application = Application(
            id=uuid4(),
            resource_code=successor.code,
            organisation_code=grant.organisation_code,
            terms=grant.terms,
            state=ApplicationState.APPROVED,
            created_at=now,
            due_at=now,
            scenario_id=grant.scenario_id,
        )
        carried = replace(
            grant, id=uuid4(), application_id=application.id, resource_code=successor.code, valid_from=now
        )
        await store_applications.save_application(connection, application=application)
        await store_applications.save_decision(
            connection,
            application_id=application.id,
            state=ApplicationState.APPROVED,
            reason=reason,
            decided_by=None,
            decided_at=now,
        )
        await access_store.save_grant(connection, grant=carried)
        await self._log.append(
            connection,
            event=Event.ACCESS_DECIDED,
            caller=None,
            resource_code=successor.code,
            grant_id=carried.id,
            details={
                "application": str(application.id),
                "applicant": grant.organisation_code,
                "state": str(ApplicationState.APPROVED),
                "reason": reason,
                "automatic": True,
                "items": list(grant.terms.items),
            },
        )


async def _carry_masks(connection: Connection, *, predecessor: str, successor: Resource) -> None:
    """Let what was shown in part be shown in part again, unless the owner has set masks anew."""
    if await access_store.load_mask_rules(connection, resource_code=successor.code):
        return
    masks = await access_store.load_mask_rules(connection, resource_code=predecessor)
    names = {item.name for item in successor.items}
    kept = {item: by_service for item, by_service in masks.items() if item in names}
    await access_store.save_mask_rules(connection, resource_code=successor.code, masks=kept)
