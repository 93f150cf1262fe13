"""The rules of access: apply, decide, revoke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from core.caller import Caller
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access import store
from exchange.access.check import check_whole_rows, find_duplicates, strictest_share_type, verify_terms
from exchange.access.deadlines import compute_due_at
from exchange.access.model import Application, ApplicationState, Decision, Grant, Terms
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from exchange.access.values import BEIJING
from exchange.catalogue.model import Resource, ShareType
from exchange.catalogue.standing import verify_applicable

AUTOMATIC_REASON = "every item asked for is shared unconditionally"
MAX_REASON_CHARACTERS = 500


class AccessService:
    """Takes access requests through their three steps, and ends grants."""

    def __init__(
        self, *, database: Database, log: LogWriter, refusals: RefusalLog, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._now = now

    def tell_time(self) -> datetime:
        """Tell the service's time, from which validities given in days are counted."""
        return self._now()

    async def apply(self, *, caller: Caller, resource_code: str, terms: Terms) -> Application:
        """Apply for items of a resource.

        1. The automatic check: SchemaViolation tells everything that stands in the way at once.
        2. Where all items are shared unconditionally the application is approved on the spot, and the log
        tells the provider; otherwise it waits for the provider until `due_at`.
        3. An approved application has its grant in the same transaction.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=None, resource_code=resource_code, action="access.apply"
        )
        async with watch, self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            now = self._now()
            verify_applicable(resource, at=now)
            verify_terms(resource, terms, at=now)
            application = await self._build_application(connection, caller, resource, terms, at=now)
            await store.save_application(connection, application=application)
            await self._log.append(
                connection,
                event=Event.ACCESS_APPLIED,
                caller=caller,
                resource_code=resource.code,
                details={"application": str(application.id), **describe_terms(terms)},
            )
            if strictest_share_type(resource, terms) is ShareType.CONDITIONAL:
                return application
            return await self._settle(
                connection,
                application,
                state=ApplicationState.APPROVED,
                reason=AUTOMATIC_REASON,
                decider=None,
            )

    async def decide(
        self,
        *,
        caller: Caller,
        application_id: UUID,
        decision: Decision,
        items: Sequence[str] | None,
        reason: str | None,
    ) -> Application:
        """Decide a pending application as its resource's provider.

        Approving may name fewer `items` than were asked for; refusing needs a `reason`. Raises NotFound for
        what the caller may not know of, Forbidden for the applicant, Conflict where it was decided before.
        """
        async with self._database.transaction() as connection:
            application = await store.load_application(connection, application_id=application_id)
            resource = None
            if application is not None:
                resource = await load_known_resource(connection, code=application.resource_code)
            if application is None or resource is None:
                raise _no_application()
            _verify_decider(caller, application, resource)
            if application.state is not ApplicationState.PENDING:
                msg = f"this application was decided before: {application.state}"
                raise Conflict(msg)
            narrowed = _narrow(application, resource, decision=decision, items=items, reason=reason)
            if decision is Decision.APPROVE and narrowed.terms.valid_until <= self._now():
                msg = "the validity that was asked for is over; refuse this application and ask for a new one"
                raise Conflict(msg)
            state = ApplicationState.APPROVED if decision is Decision.APPROVE else ApplicationState.REFUSED
            return await self._settle(connection, narrowed, state=state, reason=reason, decider=caller)

    async def list_applications(self, *, caller: Caller, as_provider: bool) -> list[Application]:
        """List the applications that the caller's organisation made, or that came to it as a provider."""
        code = caller.organisation_code
        async with self._database.acquire() as connection:
            return await store.load_applications(
                connection,
                applicant_code=None if as_provider else code,
                provider_code=code if as_provider else None,
            )

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
            grant = await store.load_grant(connection, grant_id=grant_id)
            if grant is None:
                raise _no_grant()
            resource = await load_known_resource(connection, code=grant.resource_code)
            if resource.provider_code != caller.organisation_code:
                if grant.organisation_code != caller.organisation_code:
                    raise _no_grant()
                msg = "only the resource's provider can revoke a grant"
                raise Forbidden(msg)
            revoked = await store.revoke_grant(
                connection, grant_id=grant_id, reason=reason, revoked_at=self._now()
            )
            if revoked is None:
                msg = "this grant was revoked before"
                raise Conflict(msg)
            await self._log.append(
                connection,
                event=Event.GRANT_REVOKED,
                caller=caller,
                resource_code=grant.resource_code,
                grant_id=grant_id,
                details={"holder": grant.organisation_code, "reason": reason},
            )
            return revoked

    async def _build_application(
        self, connection: Connection, caller: Caller, resource: Resource, terms: Terms, *, at: datetime
    ) -> Application:
        share_type = strictest_share_type(resource, terms)
        days = await store.load_working_days_allowed(connection, share_type=share_type)
        first = at.astimezone(BEIJING).date()
        grants = await store.load_grants_in_force(
            connection, resource_code=resource.code, organisation_code=caller.organisation_code, at=at
        )
        return Application(
            id=uuid4(),
            resource_code=resource.code,
            organisation_code=caller.organisation_code,
            terms=terms,
            state=ApplicationState.PENDING,
            created_at=at,
            due_at=compute_due_at(
                at,
                working_days=days,
                exceptions=await store.load_calendar_days(connection, first=first),
            ),
            findings=find_duplicates(terms, grants),
        )

    async def _settle(
        self,
        connection: Connection,
        application: Application,
        *,
        state: ApplicationState,
        reason: str | None,
        decider: Caller | None,
    ) -> Application:
        """Record a decision and, for a yes, provision the grant in the same transaction."""
        now = self._now()
        await store.save_decision(
            connection,
            application_id=application.id,
            state=state,
            reason=reason,
            decided_by=None if decider is None else decider.system_id,
            decided_at=now,
        )
        grant_id = None
        if state is ApplicationState.APPROVED:
            grant_id = uuid4()
            grant = Grant(
                id=grant_id,
                application_id=application.id,
                resource_code=application.resource_code,
                organisation_code=application.organisation_code,
                terms=application.terms,
                valid_from=now,
            )
            await store.save_grant(connection, grant=grant)
        await self._log.append(
            connection,
            event=Event.ACCESS_DECIDED,
            caller=decider,
            resource_code=application.resource_code,
            grant_id=grant_id,
            details={
                "application": str(application.id),
                "applicant": application.organisation_code,
                "state": str(state),
                "reason": reason or "",
                "automatic": decider is None,
                "items": list(application.terms.items) if grant_id else [],
            },
        )
        return replace(application, state=state, decision_reason=reason, decided_at=now, grant_id=grant_id)


def describe_terms(terms: Terms) -> dict[str, object]:
    """Render what was asked for, for the log: item names and modes; a filter's items, not its values."""
    return {
        "items": list(terms.items),
        "modes": sorted(terms.modes),
        "service_items": list(terms.service_items),
        "filtered_by": sorted({str(condition.get("item")) for condition in terms.row_filter.values()}),
        "valid_until": terms.valid_until.isoformat(),
    }


def _verify_decider(caller: Caller, application: Application, resource: Resource) -> None:
    if resource.provider_code == caller.organisation_code:
        return
    if application.organisation_code != caller.organisation_code:
        raise _no_application()
    msg = "only the resource's provider can decide an application"
    raise Forbidden(msg)


def _narrow(
    application: Application,
    resource: Resource,
    *,
    decision: Decision,
    items: Sequence[str] | None,
    reason: str | None,
) -> Application:
    """Check a decision and apply a partial yes. Raises SchemaViolation."""
    required = decision is Decision.REFUSE
    errors = check_text("/reason", reason or "", max_characters=MAX_REASON_CHARACTERS, required=required)
    wanted = application.terms.items if items is None else tuple(items)
    if decision is Decision.REFUSE and items is not None:
        errors.append(FieldError(pointer="/items", code="UNWANTED", detail="a refusal names no items"))
    elif not wanted:
        errors.append(
            FieldError(pointer="/items", code="EMPTY", detail="approve at least one item, or refuse")
        )
    for position, name in enumerate(wanted):
        item = resource.item(name)
        pointer = f"/items/{position}"
        if name not in application.terms.items:
            errors.append(
                FieldError(pointer=pointer, code="NOT-ASKED-FOR", detail="not an item of the application")
            )
        elif decision is Decision.APPROVE and (item is None or item.share_type is ShareType.NOT_SHARED):
            errors.append(
                FieldError(pointer=pointer, code="NOT-SHARED", detail=f"{name} is not shared any more")
            )
    if decision is Decision.APPROVE:
        errors += check_whole_rows(resource, items=wanted, modes=application.terms.modes)
    if errors:
        msg = "the decision cannot be taken as it is; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    kept = tuple(name for name in application.terms.items if name in wanted)
    return replace(application, terms=replace(application.terms, items=kept))


def _no_application() -> NotFound:
    return NotFound("there is no application of that id that you may know of")


def _no_grant() -> NotFound:
    return NotFound("there is no grant of that id that you may know of")
