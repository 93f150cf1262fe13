"""Keep rules, show what a change would affect, list effects and settle those that wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from certs.identifiers import parse_identifier
from certs.issue.store import load_certificate
from core.caller import Caller, Scope
from core.china_time import china_day
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cascade import store, store_effects
from evidence.cascade.act import suspend
from evidence.cascade.document import verify_known
from evidence.cascade.find import Finder
from evidence.cascade.model import (
    Action,
    Affected,
    CascadeRule,
    Effect,
    EffectState,
    KeptRule,
    Operation,
    RowChange,
    RowSource,
)
from evidence.superiors import load_offices
from exchange.access.resources import load_known_resource
from exchange.access.values import parse_value
from exchange.catalogue.model import Resource


class CascadeService:
    """What issuers decide about changes of what their certificates rest on."""

    def __init__(
        self, *, database: Database, log: LogWriter, finder: Finder, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._finder = finder
        self._now = now

    async def set_rule(self, rule: CascadeRule, *, caller: Caller) -> None:
        """Put a rule in force for the caller's own certificates, in the place of the one of its code.

        It holds for what changes from now on. Raises SchemaViolation for what is not there, Conflict where
        the code is another organisation's.
        """
        async with self._database.transaction() as connection:
            await verify_known(connection, rule)
            is_saved = await store.save_rule(
                connection,
                rule=rule,
                organisation_code=caller.organisation_code,
                system_id=caller.system_id,
                at=self._now(),
            )
            if not is_saved:
                msg = "a rule of this code belongs to another organisation; choose another code"
                raise Conflict(msg)
            if isinstance(rule.source, RowSource):
                await store.save_cursor_if_none(connection, resource_code=rule.source.resource)
            details = {"rule": rule.code, "target": rule.target, "action": rule.action}
            await self._log.append(connection, event=Event.CASCADE_RULE_SET, caller=caller, details=details)

    async def retire_rule(self, code: str, *, caller: Caller) -> None:
        """Take a rule out of force. Raises NotFound."""
        async with self._database.transaction() as connection:
            if not await store.retire_rule(
                connection, code=code, organisation_code=caller.organisation_code, at=self._now()
            ):
                msg = "your organisation has no rule of that code in force"
                raise NotFound(msg)
            await self._log.append(
                connection, event=Event.CASCADE_RULE_RETIRED, caller=caller, details={"rule": code}
            )

    async def list_rules(self, *, caller: Caller) -> Sequence[KeptRule]:
        """List the caller's rules in force; all of them to administrators and auditors."""
        sees_all = bool(caller.scopes & {Scope.ADMIN, Scope.AUDIT})
        async with self._database.acquire() as connection:
            own = None if sees_all else caller.organisation_code
            return await store.load_rules(connection, organisation_code=own)

    async def preview_row(
        self,
        resource_code: str,
        *,
        keys: Mapping[str, object],
        operation: Operation,
        after: Mapping[str, object],
        caller: Caller,
    ) -> Affected:
        """Say what a change of a row would affect, before it is published. Nothing moves.

        `keys` name the row by exactly its key items; `after` are the values that it would get. Raises
        NotFound, Forbidden for others than the provider and administrators, SchemaViolation.
        """
        async with self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            if resource.provider_code != caller.organisation_code and Scope.ADMIN not in caller.scopes:
                msg = "what a change affects is shown to the resource's provider"
                raise Forbidden(msg)
            found_keys = _parse_all(resource, keys, "/row/keys")
            if set(found_keys) != {each.name for each in resource.key_items}:
                names = ", ".join(each.name for each in resource.key_items)
                detail = f"name the row by its key items: {names}"
                error = FieldError(pointer="/row/keys", code="KEY-ITEMS", detail=detail)
                raise SchemaViolation(detail, errors=(error,))
            values = _parse_all(resource, after, "/row/after")
            watch = await self._finder.watch(connection, resource)
            before = await store.load_row(connection, resource=resource, keys=found_keys, names=watch.names)
            if before is None and operation is not Operation.INSERT:
                msg = "the resource has no row of these keys"
                raise NotFound(msg)
            change = RowChange(
                operation=operation,
                before=None if operation is Operation.INSERT else before,
                after=None if operation is Operation.DELETE else {**(before or {}), **found_keys, **values},
            )
            affected = await self._finder.find_in(
                connection, watch, _once(change), before_version=None, today=china_day(self._now())
            )
            await self._record_preview(connection, affected, caller, source=resource.code, resource=resource)
        return affected

    async def preview_certificate(self, identifier: str, *, status: str, caller: Caller) -> Affected:
        """Say what a new status of a certificate would affect. Raises NotFound for others than its issuer."""
        parse_identifier(identifier)
        async with self._database.transaction() as connection:
            certificate = await load_certificate(connection, identifier=identifier)
            if certificate.issuer_code != caller.organisation_code and Scope.ADMIN not in caller.scopes:
                msg = "no certificate of that identifier was issued by your organisation"
                raise NotFound(msg)
            affected = await self._finder.find_by_certificate(
                connection,
                identifier=identifier,
                type_code=certificate.type_code,
                holder_code=certificate.holder.code,
                status=status,
            )
            await self._record_preview(connection, affected, caller, source=identifier, resource=None)
        return affected

    async def list_effects(self, *, caller: Caller, before: datetime | None, limit: int) -> Sequence[Effect]:
        """List effects, newest first: of the caller's organisation and those below; of all to auditors."""
        async with self._database.acquire() as connection:
            offices = await load_offices(connection, caller=caller)
            return await store_effects.load_effects(connection, offices=offices, before=before, limit=limit)

    async def settle(self, effect_id: UUID, *, is_confirmed: bool, caller: Caller) -> Effect:
        """Confirm or dismiss an effect that waits for its issuer. Raises NotFound, Conflict."""
        now = self._now()
        async with self._database.transaction() as connection:
            effect = await store_effects.lock_effect(connection, effect_id=effect_id)
            if effect is None or effect.organisation_code != caller.organisation_code:
                msg = "there is no effect of that id for your organisation"
                raise NotFound(msg)
            if effect.state is not EffectState.PENDING or effect.case_id is not None:
                msg = f"the effect is {effect.state}; it does not wait for you"
                raise Conflict(msg)
            if is_confirmed and effect.action is Action.SUSPEND:
                await suspend(connection, self._log, effect, caller=caller, at=now)
            state = EffectState.DONE if is_confirmed else EffectState.DISMISSED
            await store_effects.settle_effect(connection, effect_id=effect_id, state=state, at=now)
            details = {"effect": str(effect_id), "state": str(state)}
            await self._log.append(
                connection,
                event=Event.CASCADE_SETTLED,
                caller=caller,
                certificate_id=effect.certificate_id,
                details=details,
            )
            settled = await store_effects.lock_effect(connection, effect_id=effect_id)
        assert settled is not None
        return settled

    async def _record_preview(
        self,
        connection: Connection,
        affected: Affected,
        caller: Caller,
        *,
        source: str,
        resource: Resource | None,
    ) -> None:
        await self._log.append(
            connection,
            event=Event.CASCADE_PREVIEWED,
            caller=caller,
            resource_code=None if resource is None else resource.code,
            certificate_id=source if resource is None else None,
            details={
                "source": source,
                "cases": len({each.case_id for each in affected.cases}),
                "certificates": len(affected.certificates),
            },
        )


async def _once(change: RowChange) -> AsyncIterator[RowChange]:
    yield change


def _parse_all(resource: Resource, values: Mapping[str, object], pointer: str) -> dict[str, object]:
    """Read values of a resource's items. Raises SchemaViolation for unknown items, BadInput for no values."""
    unknown = [name for name in values if resource.item(name) is None]
    if unknown:
        errors = tuple(
            FieldError(pointer=f"{pointer}/{name}", code="UNKNOWN-ITEM", detail="no such item")
            for name in unknown
        )
        msg = "the row has items that the resource has not; see errors"
        raise SchemaViolation(msg, errors=errors)
    found: dict[str, object] = {}
    for name, value in values.items():
        item = resource.item(name)
        assert item is not None
        found[name] = None if value is None else parse_value(item, value)
    return found
