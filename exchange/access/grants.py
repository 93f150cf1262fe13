"""The rules of grants once given: revoke, shrink, report, mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from core.caller import Caller, OrganisationCode
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access import store, store_use
from exchange.access.check import assess_own_filters, check_whole_rows, refuse_errors
from exchange.access.decision import (
    MAX_REASON_CHARACTERS,
    check_masked_keys,
    check_narrower_filter,
    narrow_terms,
)
from exchange.access.masks import assess_masks
from exchange.access.model import Grant, GrantUse, MasksJson, Mode, Quotas, RowFilterJson, Terms
from exchange.access.resources import load_known_resource
from exchange.catalogue.model import Resource
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrink:
    """What a grant is to give less of; None or empty leaves a part as it is."""

    items: tuple[str, ...] | None = None
    modes: frozenset[Mode] | None = None
    service_items: tuple[str, ...] | None = None
    row_filter: RowFilterJson = field(default_factory=dict)
    masks: MasksJson = field(default_factory=dict)
    quotas: Quotas = field(default_factory=Quotas)
    valid_until: datetime | None = None
    reason: str = ""


class GrantService:
    """Lists, ends and narrows grants, and tells how they are used."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def list_grants(self, *, caller: Caller, as_provider: bool) -> list[Grant]:
        """List the grants that the caller's organisation holds, or that were given on its resources."""
        code = caller.organisation_code
        async with self._database.acquire() as connection:
            return await store.load_grants(
                connection,
                holder_code=None if as_provider else code,
                provider_code=code if as_provider else None,
            )

    async def revoke(self, *, caller: Caller, grant_id: UUID, reason: str) -> Grant:
        """Revoke a grant as the resource's provider; every later call under it is refused.

        Raises NotFound for what the caller may not know of, Forbidden for the holder, Conflict where it was
        revoked before.
        """
        errors = check_text("/reason", reason, max_characters=MAX_REASON_CHARACTERS)
        if errors:
            msg = "a revocation needs a reason"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            grant, resource = await _load_own(connection, caller, grant_id)
            if resource.provider_code != caller.organisation_code:
                msg = "only the resource's provider can revoke a grant"
                raise Forbidden(msg)
            revoked = await store.revoke_grant(
                connection, grant_id=grant_id, reason=reason, revoked_at=self._now()
            )
            if revoked is None:
                msg = "this grant was revoked before"
                raise Conflict(msg)
            await self._record(connection, Event.GRANT_REVOKED, caller, grant, reason)
            await self._tell(connection, grant.organisation_code, NoticeKind.GRANT_REVOKED, grant)
            return revoked

    async def shrink(self, *, caller: Caller, grant_id: UUID, shrink: Shrink) -> Grant:
        """Narrow a grant at once, as its holder or as the provider (with a reason); nothing ever widens.

        Raises SchemaViolation where something asked for is not less than before, NotFound for what the caller
        may not know of, Conflict where the grant has ended.
        """
        async with self._database.transaction() as connection:
            grant, resource = await _load_own(connection, caller, grant_id)
            if not grant.is_in_force(self._now()):
                msg = "this grant has ended"
                raise Conflict(msg)
            by_provider = resource.provider_code == caller.organisation_code
            terms = _narrow(resource, grant.terms, shrink, reason_required=by_provider)
            errors = await assess_own_filters(
                connection, resource, shrink.row_filter, holder=grant.organisation_code
            )
            refuse_errors(errors, what="grant cannot be shrunk")
            await store.update_terms(connection, grant_id=grant.id, terms=terms)
            await self._record(
                connection, Event.GRANT_SHRUNK, caller, replace(grant, terms=terms), shrink.reason
            )
            other = grant.organisation_code if by_provider else resource.provider_code
            await self._tell(connection, other, NoticeKind.GRANT_CHANGED, grant)
            return replace(grant, terms=terms)

    async def report_use(self, *, caller: Caller, grant_id: UUID, since: datetime) -> GrantUse:
        """Tell how often each item of a grant was given out or verified since a time, from the log.

        For its holder and the provider; NotFound for everybody else.
        """
        async with self._database.transaction(read_only=True) as connection:
            grant, _ = await _load_own(connection, caller, grant_id, for_update=False)
            return await store_use.load_use(connection, grant=grant, since=since)

    async def set_masks(self, *, caller: Caller, resource_code: str, masks: MasksJson) -> MasksJson:
        """Set how the items of a resource are masked where a grant says nothing else; at once, for all.

        Raises SchemaViolation for what is no mask, Forbidden for everybody but the provider.
        """
        async with self._database.transaction() as connection:
            resource = await _load_provided(connection, caller, resource_code)
            errors = assess_masks(resource, masks, pointer="/masks")
            if errors:
                msg = "the masks are not all right; see errors"
                raise SchemaViolation(msg, errors=tuple(errors))
            await store.save_mask_rules(connection, resource_code=resource.code, masks=masks)
            await self._log.append(
                connection,
                event=Event.MASKS_SET,
                caller=caller,
                resource_code=resource.code,
                details={"items": sorted(masks)},
            )
        return masks

    async def load_masks(self, *, caller: Caller, resource_code: str) -> Mapping[str, Mapping[str, object]]:
        """Load a resource's default masks, for its provider."""
        async with self._database.acquire() as connection:
            resource = await _load_provided(connection, caller, resource_code)
            return await store.load_mask_rules(connection, resource_code=resource.code)

    async def _record(
        self, connection: Connection, event: Event, caller: Caller, grant: Grant, reason: str
    ) -> None:
        details: dict[str, object] = {"holder": grant.organisation_code, "reason": reason}
        if event is Event.GRANT_SHRUNK:
            terms = grant.terms
            details |= {
                "items": list(terms.items),
                "modes": sorted(terms.modes),
                "valid_until": terms.valid_until.isoformat(),
            }
        await self._log.append(
            connection,
            event=event,
            caller=caller,
            resource_code=grant.resource_code,
            grant_id=grant.id,
            details=details,
        )

    async def _tell(
        self, connection: Connection, whom: OrganisationCode, kind: NoticeKind, grant: Grant
    ) -> None:
        await save_notice(
            connection,
            organisation_code=whom,
            kind=kind,
            resource_code=grant.resource_code,
            details={"grant": str(grant.id), "holder": grant.organisation_code},
            at=self._now(),
        )


async def _load_own(
    connection: Connection, caller: Caller, grant_id: UUID, *, for_update: bool = True
) -> tuple[Grant, Resource]:
    grant = await store.load_grant(connection, grant_id=grant_id, for_update=for_update)
    if grant is not None:
        resource = await load_known_resource(connection, code=grant.resource_code)
        if caller.organisation_code in {grant.organisation_code, resource.provider_code}:
            return grant, resource
    msg = "there is no grant of that id that you may know of"
    raise NotFound(msg)


async def _load_provided(connection: Connection, caller: Caller, resource_code: str) -> Resource:
    resource = await load_known_resource(connection, code=resource_code)
    if resource.provider_code != caller.organisation_code:
        msg = "only the resource's provider can do this"
        raise Forbidden(msg)
    return resource


def _narrow(resource: Resource, terms: Terms, shrink: Shrink, *, reason_required: bool) -> Terms:
    errors = check_text(
        "/reason", shrink.reason, max_characters=MAX_REASON_CHARACTERS, required=reason_required
    )
    items = terms.items if shrink.items is None else shrink.items
    modes = terms.modes if shrink.modes is None else shrink.modes
    services = terms.service_items if shrink.service_items is None else shrink.service_items
    valid_until = shrink.valid_until or terms.valid_until
    for pointer, left, held in (
        ("/items", set(items), set(terms.items)),
        ("/modes", set(map(str, modes)), set(map(str, terms.modes))),
        ("/service_items", set(services), set(terms.service_items)),
    ):
        if not left or not left <= held:
            detail = "name at least one, and only such as the grant has"
            errors.append(FieldError(pointer=pointer, code="NOT-NARROWER", detail=detail))
    if valid_until > terms.valid_until:
        detail = "a shrunk grant does not end later than before; ask for a renewal"
        errors.append(FieldError(pointer="/valid_until", code="NOT-NARROWER", detail=detail))
    errors += check_whole_rows(resource, items=items, modes=modes)
    errors += check_narrower_filter(resource, terms, shrink.row_filter, modes=modes)
    errors += assess_masks(resource, shrink.masks, pointer="/masks")
    errors += check_masked_keys(resource, modes, shrink.masks)
    for item in set(shrink.masks) & set(terms.masks):
        if shrink.masks[item] != terms.masks[item]:
            detail = f"{item} is masked already"
            errors.append(FieldError(pointer="/masks", code="NOT-NARROWER", detail=detail))
    if errors:
        msg = "the grant cannot be shrunk to that; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    return replace(
        narrow_terms(terms, items, modes, shrink.row_filter, shrink.masks),
        service_items=tuple(services),
        valid_until=valid_until,
        quotas=Quotas(
            calls_per_day=_least(terms.quotas.calls_per_day, shrink.quotas.calls_per_day),
            rows_per_day=_least(terms.quotas.rows_per_day, shrink.quotas.rows_per_day),
        ),
    )


def _least(held: int | None, wanted: int | None) -> int | None:
    return min((each for each in (held, wanted) if each is not None), default=None)
