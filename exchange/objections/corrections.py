"""Handing corrections to those who hold an old value and follow no feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.ground import ReadGrant, read_grant
from exchange.access.masks import Masker
from exchange.access.model import Mode
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from exchange.access.store import load_grant, load_mask_rules
from exchange.access.values import name_subject, parse_value, render_value
from exchange.catalogue.model import Resource, ResourceState
from exchange.objections import store
from exchange.objections.model import Correction
from exchange.query.store import load_rows


class CorrectionService:
    """Gives an organisation the corrections that it is due, each through the grant of the old value."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        masker: Masker,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._masker = masker
        self._now = now

    async def take(self, *, caller: Caller, purpose: Purpose, unread_only: bool) -> list[Correction]:
        """Load the caller's corrections, newest first, with the change as far as its grant shows it today.

        A grant that has ended, or that allows verification alone, shows nothing but that the item was
        corrected. Each grant's reading is logged.
        """
        async with self._database.transaction() as connection:
            found = await store.take_corrections(
                connection,
                organisation_code=caller.organisation_code,
                unread_only=unread_only,
                at=self._now(),
            )
            return [await self._show(connection, caller, purpose, correction) for correction in found]

    async def _show(
        self, connection: Connection, caller: Caller, purpose: Purpose, correction: Correction
    ) -> Correction:
        objection = correction.objection
        grant = await load_grant(connection, grant_id=correction.holder.grant_id)
        resource = await load_known_resource(connection, code=objection.resource_code)
        is_open = resource.state is ResourceState.PUBLISHED
        read = read_grant(resource, grant) if grant is not None and is_open else None
        if (
            read is None
            or not read.grant.is_in_force(self._now())
            or not read.grant.terms.modes & {Mode.QUERY, Mode.SUBSCRIBE, Mode.BULK}
            or not read.grant.serves(purpose.service_item)
            or objection.item not in read.items
        ):
            return correction
        change = await self._load_change(
            connection,
            caller=caller,
            purpose=purpose,
            resource=resource,
            read=read,
            correction=correction,
        )
        await self._log.append(
            connection,
            event=Event.CORRECTIONS_READ,
            caller=caller,
            purpose=purpose,
            resource_code=resource.code,
            grant_id=read.grant.id,
            subject=name_subject(
                resource.key_items,
                {item.name: text for item, text in zip(resource.key_items, objection.row_key, strict=True)},
            ),
            details={"corrections": [str(correction.id)], "items": [objection.item]},
        )
        return replace(correction, change=change)

    async def _load_change(
        self,
        connection: Connection,
        *,
        caller: Caller,
        purpose: Purpose,
        resource: Resource,
        read: ReadGrant,
        correction: Correction,
    ) -> Mapping[str, object]:
        """Show the row's key and the corrected item, as far as they are granted, masked as in any answer."""
        objection = correction.objection
        keys = [item.name for item in resource.key_items]
        shown = [name for name in read.ordered_items if name in keys or name == objection.item]
        snapshot = await load_rows(
            connection,
            resource_code=resource.code,
            key_items=keys,
            items=shown,
            conditions={
                item.name: parse_value(item, text)
                for item, text in zip(resource.key_items, objection.row_key, strict=True)
            },
            row_filter=read.row_filter,
            limit_rows=1,
        )
        masks = self._masker.choose(
            read.grant.terms,
            await load_mask_rules(connection, resource_code=resource.code),
            service_item=purpose.service_item,
            organisation_code=caller.organisation_code,
        )
        row = snapshot.rows[0] if snapshot.rows else None
        return {
            "version": objection.corrected_version,
            "operation": "delete" if row is None else "update",
            "row": None
            if row is None
            else {name: masks.get(name, render_value)(value) for name, value in row.items()},
        }
