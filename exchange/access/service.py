"""The rules of access requests: apply, decide, escalate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from core.caller import Caller, OrganisationCode
from core.database import Connection, Database
from core.errors import Conflict, FieldError, NotFound, SchemaViolation
from core.identity.store import load_organisation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access import store, store_applications
from exchange.access.check import (
    assess_own_filters,
    assess_terms,
    find_duplicates,
    find_scope,
    refuse_errors,
    strictest_share_type,
)
from exchange.access.deadlines import extend_deadline, set_deadline
from exchange.access.decision import Verdict, apply_verdict, no_application, verify_decider
from exchange.access.model import Application, ApplicationState, Decision, Scenario, Terms
from exchange.access.provision import provision
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from exchange.catalogue.model import Resource, ShareType
from exchange.catalogue.standing import verify_applicable, verify_open
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice

AUTOMATIC_REASON = "every item asked for is shared unconditionally"
MAX_TITLE_CHARACTERS = 200
MAX_PARTS = 50


class AccessService:
    """Takes access requests through their three steps."""

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
        2. Where all items are shared unconditionally the application is approved on the spot, and the
        provider is told; otherwise it waits for the provider until `due_at`.
        3. An approved application has its grant in the same transaction.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=None, resource_code=resource_code, action="access.apply"
        )
        async with watch, self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            verify_applicable(resource, at=self._now())
            refuse_errors(await self._assess(connection, caller, resource, terms))
            return await self._receive(connection, caller, resource, terms)

    async def apply_scenario(self, *, caller: Caller, title: str, parts: Mapping[str, Terms]) -> Scenario:
        """Apply for a bundle of resources behind one service (一件事): all requests are made, or none.

        `parts` maps resource codes to terms. Each provider decides its own part. Raises SchemaViolation with
        everything that stands in the way in any part, or NotFound for an unknown resource.
        """
        errors = check_text("/title", title, max_characters=MAX_TITLE_CHARACTERS)
        if not 1 <= len(parts) <= MAX_PARTS:
            detail = f"a scenario has 1 to {MAX_PARTS} resources"
            errors.append(FieldError(pointer="/parts", code="COUNT", detail=detail))
        watch = self._refusals.watch(caller=caller, purpose=None, resource_code=None, action="access.apply")
        async with watch, self._database.transaction() as connection:
            resources = {code: await load_known_resource(connection, code=code) for code in parts}
            for resource in resources.values():
                verify_applicable(resource, at=self._now())
            for position, (code, terms) in enumerate(parts.items()):
                found = await self._assess(connection, caller, resources[code], terms)
                errors += [replace(each, pointer=f"/parts/{position}{each.pointer}") for each in found]
            refuse_errors(errors)
            scenario = Scenario(
                id=uuid4(),
                title=title,
                organisation_code=caller.organisation_code,
                created_at=self._now(),
            )
            await store_applications.save_scenario(connection, scenario=scenario)
            applications = [
                await self._receive(connection, caller, resources[code], terms, scenario_id=scenario.id)
                for code, terms in parts.items()
            ]
            return replace(scenario, applications=tuple(applications))

    async def load_scenario(self, *, caller: Caller, scenario_id: UUID) -> Scenario:
        """Load a scenario of the caller's with where each part stands. Raises NotFound."""
        async with self._database.acquire() as connection:
            scenario = await store_applications.load_scenario(connection, scenario_id=scenario_id)
        if scenario is None or scenario.organisation_code != caller.organisation_code:
            msg = "there is no scenario of that id that you may know of"
            raise NotFound(msg)
        return scenario

    async def renew(self, *, caller: Caller, grant_id: UUID, valid_until: datetime) -> Application:
        """Ask for a grant in force to last until `valid_until`, on otherwise the same terms.

        Raises NotFound for everybody but its holder, Conflict where it has ended, SchemaViolation where the
        terms could not be asked for today, or where the end asked for is not later than the present one.
        """
        async with self._database.transaction() as connection:
            grant = await store.load_grant(connection, grant_id=grant_id, for_update=True)
            if grant is None or grant.organisation_code != caller.organisation_code:
                msg = "there is no grant of that id that you may know of"
                raise NotFound(msg)
            if not grant.is_in_force(self._now()):
                msg = "this grant has ended; apply for a new one"
                raise Conflict(msg)
            resource = await load_known_resource(connection, code=grant.resource_code)
            verify_open(resource, at=self._now())
            terms = replace(grant.terms, valid_until=valid_until)
            errors = await self._assess(connection, caller, resource, terms)
            if valid_until <= grant.terms.valid_until:
                detail = "a renewal ends later than the grant does"
                errors.append(FieldError(pointer="/valid_until", code="VALIDITY", detail=detail))
            refuse_errors(errors)
            return await self._receive(connection, caller, resource, terms, renews_grant_id=grant.id)

    async def decide(self, *, caller: Caller, application_id: UUID, verdict: Verdict) -> Application:
        """Decide a pending application as its resource's provider, or once escalated as its superior.

        Raises NotFound for what the caller may not know of, Forbidden for the applicant, Conflict where it
        was decided before or asks for a time that is over.
        """
        async with self._database.transaction() as connection:
            application, resource = await self._load_pending(connection, caller, application_id)
            narrowed = apply_verdict(application, resource, verdict)
            errors = await assess_own_filters(
                connection, resource, verdict.row_filter, holder=application.organisation_code
            )
            refuse_errors(errors, what="decision cannot be taken")
            approved = verdict.decision is Decision.APPROVE
            if approved and narrowed.terms.valid_until <= self._now():
                msg = "the validity that was asked for is over; refuse this application and ask for a new one"
                raise Conflict(msg)
            state = ApplicationState.APPROVED if approved else ApplicationState.REFUSED
            return await self._settle(
                connection, narrowed, resource, state=state, reason=verdict.reason, decider=caller
            )

    async def extend(self, *, caller: Caller, application_id: UUID, reason: str) -> Application:
        """Extend the time for an answer once, as the table of deadlines allows, with a reason on record."""
        refuse_errors(check_text("/reason", reason, max_characters=500))
        async with self._database.transaction() as connection:
            application, resource = await self._load_pending(connection, caller, application_id)
            due_at = await extend_deadline(
                connection,
                provider_code=resource.provider_code,
                request_type=application.request_type,
                share_type=strictest_share_type(resource, application.terms),
                created_at=application.created_at,
                due_at=application.due_at,
            )
            if application.extended_at is not None or application.escalated_at is not None or due_at is None:
                msg = "the time for an answer is extended once, before it is over, where the rules allow it"
                raise Conflict(msg)
            now = self._now()
            await store_applications.save_extension(
                connection, application_id=application_id, due_at=due_at, extended_at=now
            )
            await self._log.append(
                connection,
                event=Event.ACCESS_EXTENDED,
                caller=caller,
                resource_code=resource.code,
                details={"application": str(application_id), "due_at": due_at.isoformat(), "reason": reason},
            )
            return replace(application, due_at=due_at, extended_at=now)

    async def list_applications(self, *, caller: Caller, as_provider: bool) -> list[Application]:
        """List the applications that the caller's organisation made, or that came to it as a provider."""
        code = caller.organisation_code
        async with self._database.acquire() as connection:
            return await store_applications.load_applications(
                connection,
                applicant_code=None if as_provider else code,
                provider_code=code if as_provider else None,
            )

    async def _load_pending(
        self, connection: Connection, caller: Caller, application_id: UUID
    ) -> tuple[Application, Resource]:
        application = await store_applications.load_application(connection, application_id=application_id)
        if application is None:
            raise no_application()
        resource = await load_known_resource(connection, code=application.resource_code)
        verify_decider(caller, application, resource)
        if application.state is not ApplicationState.PENDING:
            msg = f"this application was decided before: {application.state}"
            raise Conflict(msg)
        return application, resource

    async def _assess(
        self, connection: Connection, caller: Caller, resource: Resource, terms: Terms
    ) -> list[FieldError]:
        errors = assess_terms(resource, terms, at=self._now())
        return errors + await assess_own_filters(
            connection, resource, terms.row_filter, holder=caller.organisation_code
        )

    async def _receive(
        self,
        connection: Connection,
        caller: Caller,
        resource: Resource,
        terms: Terms,
        *,
        scenario_id: UUID | None = None,
        renews_grant_id: UUID | None = None,
    ) -> Application:
        """Keep an application that passed the check, and settle it where nobody has to decide."""
        now = self._now()
        application = Application(
            id=uuid4(),
            resource_code=resource.code,
            organisation_code=caller.organisation_code,
            terms=terms,
            state=ApplicationState.PENDING,
            created_at=now,
            due_at=now,
            renews_grant_id=renews_grant_id,
            scenario_id=scenario_id,
        )
        application = await self._complete(connection, application, resource)
        await store_applications.save_application(connection, application=application)
        await self._log.append(
            connection,
            event=Event.ACCESS_APPLIED,
            caller=caller,
            resource_code=resource.code,
            grant_id=renews_grant_id,
            details={"application": str(application.id), **describe_terms(terms)},
        )
        if strictest_share_type(resource, terms) is ShareType.CONDITIONAL:
            await self._tell(connection, resource.provider_code, NoticeKind.APPLICATION_RECEIVED, application)
            return application
        return await self._settle(
            connection,
            application,
            resource,
            state=ApplicationState.APPROVED,
            reason=AUTOMATIC_REASON,
            decider=None,
        )

    async def _complete(
        self, connection: Connection, application: Application, resource: Resource
    ) -> Application:
        """Add when the answer is due, and what the automatic check noticed."""
        at, terms, applicant = application.created_at, application.terms, application.organisation_code
        due_at = await set_deadline(
            connection,
            provider_code=resource.provider_code,
            request_type=application.request_type,
            share_type=strictest_share_type(resource, terms),
            at=at,
        )
        grants = await store.load_grants_in_force(
            connection, resource_code=resource.code, organisation_code=applicant, at=at
        )
        findings = find_duplicates(
            terms,
            [grant for grant in grants if grant.id != application.renews_grant_id],
            await store_applications.load_pending(
                connection, resource_code=resource.code, organisation_code=applicant
            ),
        ) + find_scope(
            resource,
            terms,
            applicant=await load_organisation(connection, code=applicant),
            provider=await load_organisation(connection, code=resource.provider_code),
        )
        return replace(application, due_at=due_at, findings=findings)

    async def _settle(
        self,
        connection: Connection,
        application: Application,
        resource: Resource,
        *,
        state: ApplicationState,
        reason: str | None,
        decider: Caller | None,
    ) -> Application:
        """Record a decision and, for a yes, provision the grant in the same transaction."""
        now = self._now()
        await store_applications.save_decision(
            connection,
            application_id=application.id,
            state=state,
            reason=reason,
            decided_by=None if decider is None else decider.system_id,
            decided_at=now,
        )
        grant_id = None
        if state is ApplicationState.APPROVED:
            grant_id = await provision(connection, application, at=now)
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
        settled = replace(application, state=state, decision_reason=reason, decided_at=now, grant_id=grant_id)
        if decider is None:
            await self._tell(connection, resource.provider_code, NoticeKind.GRANTED_AUTOMATICALLY, settled)
        else:
            await self._tell(connection, settled.organisation_code, NoticeKind.APPLICATION_DECIDED, settled)
        return settled

    async def _tell(
        self, connection: Connection, whom: OrganisationCode, kind: NoticeKind, application: Application
    ) -> None:
        await save_notice(
            connection,
            organisation_code=whom,
            kind=kind,
            resource_code=application.resource_code,
            details={
                "application": str(application.id),
                "applicant": application.organisation_code,
                "state": str(application.state),
                "due_at": application.due_at.isoformat(),
                "grant": None if application.grant_id is None else str(application.grant_id),
            },
            at=self._now(),
        )


def describe_terms(terms: Terms) -> dict[str, object]:
    """Render what was asked for, for the log: item names and modes; a filter's items, not its values."""
    return {
        "items": list(terms.items),
        "modes": sorted(terms.modes),
        "service_items": list(terms.service_items),
        "filtered_by": sorted({str(condition.get("item")) for condition in terms.row_filter.values()}),
        "valid_until": terms.valid_until.isoformat(),
    }


def refuse_blank_reason(reason: str) -> None:
    """Raise SchemaViolation for a reason that says nothing."""
    errors = check_text("/reason", reason, max_characters=500)
    if errors:
        msg = "this needs a reason"
        raise SchemaViolation(msg, errors=tuple(errors))
