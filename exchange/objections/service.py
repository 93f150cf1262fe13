"""The rules of objections: raise, rule, withdraw, escalate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller, OrganisationCode, Purpose
from core.database import Connection, Database
from core.errors import BadInput, Conflict, FieldError, Forbidden, GrantMissing, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access.deadlines import set_deadline
from exchange.access.ground import ReadGrant, read_grant
from exchange.access.holdings import leaf_names_rows, row_salt
from exchange.access.model import RequestType
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from exchange.access.store import load_grants_in_force
from exchange.access.values import name_subject, parse_value
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice
from exchange.objections import store
from exchange.objections.model import Holder, Objection, ObjectionState, Ruling
from exchange.objections.readers import find_readers

MAX_CLAIM_CHARACTERS: Final = 1000
MAX_PER_ROUND: Final = 200


class ObjectionService:
    """Takes objections through their steps, and finds who holds a corrected value."""

    def __init__(
        self, *, database: Database, log: LogWriter, refusals: RefusalLog, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._now = now

    async def raise_objection(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        resource_code: str,
        keys: Mapping[str, object],
        item: str,
        claim: str,
        basis: str,
    ) -> Objection:
        """Dispute one value; from now on every answer marks it, until the owner has ruled.

        Raises GrantMissing where no grant gives the caller the item, NotFound where no row of that key lies
        within the grant, Conflict where the caller's organisation disputes the value already.
        """
        errors = check_text("/claim", claim, max_characters=MAX_CLAIM_CHARACTERS)
        errors += check_text("/basis", basis, max_characters=MAX_CLAIM_CHARACTERS)
        if errors:
            msg = "an objection says what is wrong, and on what basis"
            raise SchemaViolation(msg, errors=tuple(errors))
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="objection"
        )
        async with watch, self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            verify_open(resource, at=self._now())
            objection = await self._build(
                connection,
                caller=caller,
                purpose=purpose,
                resource=resource,
                keys=keys,
                item=item,
                reasons=(claim, basis),
            )
            if await store.is_disputed_by(connection, objection=objection):
                msg = "your organisation disputes this value already"
                raise Conflict(msg)
            await store.save_objection(connection, objection=objection)
            await self._log.append(
                connection,
                event=Event.OBJECTION_RAISED,
                caller=caller,
                purpose=purpose,
                resource_code=resource.code,
                grant_id=objection.grant_id,
                subject=name_subject(resource.key_items, dict(_parse_keys(resource, keys))),
                details={
                    "objection": str(objection.id),
                    "item": item,
                    "due_at": objection.due_at.isoformat(),
                },
            )
            await self._tell(connection, NoticeKind.OBJECTION_RAISED, objection, [resource.provider_code])
        return objection

    async def rule(self, *, caller: Caller, objection_id: UUID, ruling: Ruling, reason: str) -> Objection:
        """Rule on an open objection as the resource's provider, or once escalated as its superior.

        To uphold it, publish the correction first, as an ordinary batch: it reaches subscribers by their
        feed, and all others who were given the old value by `GET /v1/corrections`; both sides get a notice.
        Raises Conflict where the value still stands, or the objection was closed before.
        """
        _check_reason(reason)
        async with self._database.transaction() as connection:
            objection, resource = await self._load_open(connection, objection_id)
            if caller.organisation_code not in {resource.provider_code, objection.escalated_to}:
                if caller.organisation_code == objection.organisation_code:
                    msg = "only the resource's provider can rule on an objection"
                    raise Forbidden(msg)
                raise _no_objection()
            if ruling is Ruling.REJECT:
                return await self._close(
                    connection,
                    caller=caller,
                    resource=resource,
                    objection=objection,
                    state=ObjectionState.REJECTED,
                    reason=reason,
                )
            keys = [item.name for item in resource.key_items]
            old = await store.load_old_value(connection, objection=objection, key_items=keys)
            if old is None:
                msg = "the disputed value still stands; publish its correction first, then uphold"
                raise Conflict(msg)
            holders = await self._find_holders(connection, resource, objection, old)
            await store.save_corrections(
                connection, objection_id=objection.id, holders=holders, at=self._now()
            )
            return await self._close(
                connection,
                caller=caller,
                resource=resource,
                objection=objection,
                state=ObjectionState.UPHELD,
                reason=reason,
                corrected=old.corrected,
                holders=holders,
            )

    async def withdraw(self, *, caller: Caller, objection_id: UUID, reason: str) -> Objection:
        """Withdraw an open objection, as whoever raised it."""
        _check_reason(reason)
        async with self._database.transaction() as connection:
            objection, resource = await self._load_open(connection, objection_id)
            if caller.organisation_code != objection.organisation_code:
                raise _no_objection()
            return await self._close(
                connection,
                caller=caller,
                resource=resource,
                objection=objection,
                state=ObjectionState.WITHDRAWN,
                reason=reason,
            )

    async def list_objections(self, *, caller: Caller, as_provider: bool) -> list[Objection]:
        """List the objections that the caller's organisation raised, or that came to it, newest first."""
        code = caller.organisation_code
        async with self._database.acquire() as connection:
            return await store.load_objections(
                connection,
                raiser_code=None if as_provider else code,
                provider_code=code if as_provider else None,
            )

    async def escalate_overdue(self) -> int:
        """Escalate objections whose answer is overdue to the provider's superior; return how many."""
        async with self._database.transaction() as connection:
            overdue = await store.take_overdue(connection, at=self._now(), limit=MAX_PER_ROUND)
            for objection, provider, superior in overdue:
                await self._log.append(
                    connection,
                    event=Event.OBJECTION_ESCALATED,
                    caller=None,
                    resource_code=objection.resource_code,
                    details={"objection": str(objection.id), "to": superior or "platform"},
                )
                await self._tell(connection, NoticeKind.OBJECTION_OVERDUE, objection, [provider, superior])
        return len(overdue)

    async def _build(
        self,
        connection: Connection,
        *,
        caller: Caller,
        purpose: Purpose,
        resource: Resource,
        keys: Mapping[str, object],
        item: str,
        reasons: tuple[str, str],
    ) -> Objection:
        now = self._now()
        found = resource.item(item)
        if found is None:
            msg = "the resource has no item of this name"
            raise SchemaViolation(msg, errors=(FieldError(pointer="/item", code="UNKNOWN-ITEM", detail=msg),))
        covering = await self._find_grants(
            connection, caller=caller, purpose=purpose, resource=resource, item=item, at=now
        )
        values = _parse_keys(resource, keys)
        read, row = await self._find_row(connection, resource, covering, values)
        subject = name_subject(resource.key_items, dict(values))
        return Objection(
            id=uuid4(),
            resource_code=resource.code,
            item=item,
            row_key=row.key,
            subject_hmac=None if subject is None else self._log.hash_subject(subject),
            row_digest=row.digest,
            seen_version=row.version,
            organisation_code=caller.organisation_code,
            grant_id=read.grant.id,
            claim=reasons[0],
            basis=reasons[1],
            state=ObjectionState.OPEN,
            raised_at=now,
            due_at=await set_deadline(
                connection,
                provider_code=resource.provider_code,
                request_type=RequestType.OBJECTION,
                share_type=found.share_type,
                at=now,
            ),
        )

    async def _find_grants(
        self,
        connection: Connection,
        *,
        caller: Caller,
        purpose: Purpose,
        resource: Resource,
        item: str,
        at: datetime,
    ) -> list[ReadGrant]:
        grants = await load_grants_in_force(
            connection, resource_code=resource.code, organisation_code=caller.organisation_code, at=at
        )
        reads = [read_grant(resource, grant) for grant in grants if grant.serves(purpose.service_item)]
        covering = [read for read in reads if item in read.items]
        if not covering:
            msg = "no grant in force gives you this item for this service item; who may see it may dispute it"
            raise GrantMissing(msg)
        return covering

    async def _find_row(
        self,
        connection: Connection,
        resource: Resource,
        covering: Sequence[ReadGrant],
        values: Mapping[str, object],
    ) -> tuple[ReadGrant, store.DisputedRow]:
        for read in covering:
            row = await store.load_disputed_row(
                connection,
                resource_code=resource.code,
                keys=values,
                key_items=[each.name for each in resource.key_items],
                row_filter=read.row_filter,
                row_salt=row_salt(self._log, resource.code),
            )
            if row is not None:
                return read, row
        msg = "no row of that key lies within your grant"
        raise NotFound(msg)

    async def _find_holders(
        self, connection: Connection, resource: Resource, objection: Objection, old: store.OldValue
    ) -> list[Holder]:
        """Find exactly those who were given the old value; a grant counts once, reading in bulk first."""
        readers = await find_readers(connection, resource, objection, old)
        others = await store.load_holders(
            connection,
            objection=objection,
            subject_item=resource.key_items[0].name if leaf_names_rows(resource) else None,
            old=old,
        )
        known = {reader.grant_id for reader in readers}
        return readers + [holder for holder in others if holder.grant_id not in known]

    async def _load_open(self, connection: Connection, objection_id: UUID) -> tuple[Objection, Resource]:
        objection = await store.load_objection(connection, objection_id=objection_id)
        if objection is None:
            raise _no_objection()
        resource = await load_known_resource(connection, code=objection.resource_code)
        return objection, resource

    async def _close(
        self,
        connection: Connection,
        *,
        caller: Caller,
        resource: Resource,
        objection: Objection,
        state: ObjectionState,
        reason: str,
        corrected: int | None = None,
        holders: list[Holder] | None = None,
    ) -> Objection:
        if objection.state is not ObjectionState.OPEN:
            msg = f"this objection was closed before: {objection.state}"
            raise Conflict(msg)
        holders = holders or []
        await store.save_closing(
            connection,
            objection_id=objection.id,
            state=state,
            reason=reason,
            closed_at=self._now(),
            corrected_version=corrected,
        )
        await self._log.append(
            connection,
            event=Event.OBJECTION_CLOSED,
            caller=caller,
            resource_code=objection.resource_code,
            grant_id=objection.grant_id,
            details={
                "objection": str(objection.id),
                "state": str(state),
                "reason": reason,
                "version": corrected or 0,
                "holders": sorted({each.organisation_code for each in holders}),
            },
        )
        closed = await store.load_objection(connection, objection_id=objection.id)
        assert closed is not None
        both = [objection.organisation_code, resource.provider_code]
        await self._tell(connection, NoticeKind.OBJECTION_CLOSED, closed, both)
        told = sorted({each.organisation_code for each in holders})
        await self._tell(connection, NoticeKind.CORRECTION, closed, told)
        return closed

    async def _tell(
        self,
        connection: Connection,
        kind: NoticeKind,
        objection: Objection,
        whom: list[OrganisationCode | None] | list[OrganisationCode],
    ) -> None:
        for code in whom:
            await save_notice(
                connection,
                organisation_code=code,
                kind=kind,
                resource_code=objection.resource_code,
                details={
                    "objection": str(objection.id),
                    "item": objection.item,
                    "state": str(objection.state),
                    "due_at": objection.due_at.isoformat(),
                    "version": objection.corrected_version,
                },
                at=self._now(),
            )


def _parse_keys(resource: Resource, keys: Mapping[str, object]) -> dict[str, object]:
    if set(keys) != {item.name for item in resource.key_items}:
        msg = f"keys names exactly the key items: {', '.join(item.name for item in resource.key_items)}"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/keys", code="KEY-ITEMS", detail=msg),))
    try:
        return {item.name: parse_value(item, keys[item.name]) for item in resource.key_items}
    except BadInput as wrong:
        error = FieldError(pointer="/keys", code="VALUE", detail=wrong.detail)
        raise SchemaViolation(wrong.detail, errors=(error,)) from wrong


def _check_reason(reason: str) -> None:
    errors = check_text("/reason", reason, max_characters=MAX_CLAIM_CHARACTERS)
    if errors:
        msg = "this needs a reason"
        raise SchemaViolation(msg, errors=tuple(errors))


def _no_objection() -> NotFound:
    return NotFound("there is no objection of that id that you may know of")
