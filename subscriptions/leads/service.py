"""The rules of leads: begin a subscription to them, look, sign for one, answer it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import BadInput, Conflict, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from subscriptions.feed.page import Page
from subscriptions.feed.read import FeedReader, Wanted
from subscriptions.ground import load_own, verify_subscription
from subscriptions.leads import store
from subscriptions.leads.model import LEAD_CONSUMER, Lead, LeadTerms, Result
from subscriptions.model import Kind, Standing, Start, Subscription
from subscriptions.service import SubscriptionService

MAX_ANSWER_CHARACTERS: Final = 2000
MAX_WORKING_DAYS: Final = 250


class LeadService:
    """Keeps leads and what came of them."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        subscriptions: SubscriptionService,
        feed: FeedReader,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._subscriptions = subscriptions
        self._feed = feed
        self._now = now

    async def begin(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        grant_id: UUID | None,
        resource_code: str | None,
        start: Start | int,
        terms: LeadTerms,
    ) -> Standing:
        """Begin a subscription to leads: changes from a version on, each to be signed for and answered.

        Raises BadInput for a snapshot: leads are what happens, not what is.
        """
        if start is Start.START:
            msg = "leads begin `now` or after a version; for all rows take a subscription of kind `changes`"
            raise BadInput(msg)
        async with self._subscriptions.creating(caller, purpose, resource_code) as connection:
            standing = await self._subscriptions.create_on(
                connection,
                caller=caller,
                purpose=purpose,
                grant_id=grant_id,
                resource_code=resource_code,
                start=start,
                kind=Kind.LEADS,
            )
            subscription_id = standing.subscription.id
            await store.save_terms(connection, subscription_id=subscription_id, terms=terms)
            await self._subscriptions.begin_consumer(
                connection,
                caller=caller,
                subscription_id=subscription_id,
                name=LEAD_CONSUMER,
                start=standing.consumer.acknowledged.version - 1,
            )
        return standing

    async def list_own(
        self, *, caller: Caller, subscription_id: UUID, overdue_only: bool, open_only: bool
    ) -> list[Lead]:
        """List the leads of a subscription, the most urgent first."""
        async with self._database.acquire() as connection:
            await load_own(connection, caller=caller, subscription_id=subscription_id)
            return await store.load_leads(
                connection,
                subscription_id=subscription_id,
                resource_code=None,
                overdue_at=self._now() if overdue_only else None,
                open_only=open_only,
            )

    async def list_of_resource(
        self, *, caller: Caller, resource_code: str, overdue_only: bool, open_only: bool
    ) -> list[Lead]:
        """List what became of the leads of a resource, for its provider. Raises Forbidden for others."""
        async with self._database.acquire() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            if resource.provider_code != caller.organisation_code:
                msg = "only the resource's provider sees what became of its leads"
                raise Forbidden(msg)
            return await store.load_leads(
                connection,
                subscription_id=None,
                resource_code=resource_code,
                overdue_at=self._now() if overdue_only else None,
                open_only=open_only,
            )

    async def read(
        self, *, caller: Caller, purpose: Purpose, subscription_id: UUID, lead_id: UUID
    ) -> tuple[Lead, Page | None]:
        """Return a lead and, as far as the grant shows it today, its change (a page of one row)."""
        async with self._database.acquire() as connection:
            await load_own(connection, caller=caller, subscription_id=subscription_id)
            lead = await self._load(connection, subscription_id, lead_id)
        before = f"{lead.position.version}.{lead.position.sequence - 1}"
        wanted = Wanted(subscription_id=subscription_id, consumer=LEAD_CONSUMER, after=before, limit_rows=1)
        page = await self._feed.read(caller=caller, purpose=purpose, wanted=wanted)
        shown = bool(page.changes) and page.changes[0].position == lead.position
        return lead, page if shown else None

    async def sign(self, *, caller: Caller, purpose: Purpose, subscription_id: UUID, lead_id: UUID) -> Lead:
        """Sign for a lead (签收): somebody is on it. Raises Conflict where that was done before."""
        watch = self._refusals.watch(caller=caller, purpose=purpose, resource_code=None, action="lead.sign")
        async with watch, self._database.transaction() as connection:
            subscription, lead = await self._take(connection, caller, purpose, subscription_id, lead_id)
            if lead.signed_at is not None:
                msg = "this lead was signed for before"
                raise Conflict(msg)
            await store.save_signature(connection, lead_id=lead_id, by=purpose.operator, at=self._now())
            await self._record(
                connection,
                Event.LEAD_SIGNED,
                caller,
                purpose=purpose,
                subscription=subscription,
                lead=lead,
                details={},
            )
            return await self._load(connection, subscription_id, lead_id)

    async def answer(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        subscription_id: UUID,
        lead_id: UUID,
        result: Result,
        text: str,
    ) -> Lead:
        """Say what came of a lead (反馈). Raises Conflict where it was not signed for, or answered before."""
        errors = check_text("/answer", text, max_characters=MAX_ANSWER_CHARACTERS)
        if errors:
            msg = "say what came of it"
            raise SchemaViolation(msg, errors=tuple(errors))
        watch = self._refusals.watch(caller=caller, purpose=purpose, resource_code=None, action="lead.answer")
        async with watch, self._database.transaction() as connection:
            subscription, lead = await self._take(connection, caller, purpose, subscription_id, lead_id)
            if lead.signed_at is None or lead.answered_at is not None:
                msg = "sign for a lead before answering it, and answer it once"
                raise Conflict(msg)
            await store.save_answer(
                connection, lead_id=lead_id, by=purpose.operator, result=result, answer=text, at=self._now()
            )
            details = {"result": str(result)}
            await self._record(
                connection,
                Event.LEAD_ANSWERED,
                caller,
                purpose=purpose,
                subscription=subscription,
                lead=lead,
                details=details,
            )
            return await self._load(connection, subscription_id, lead_id)

    async def _take(
        self, connection: Connection, caller: Caller, purpose: Purpose, subscription_id: UUID, lead_id: UUID
    ) -> tuple[Subscription, Lead]:
        subscription = await load_own(connection, caller=caller, subscription_id=subscription_id)
        await verify_subscription(connection, subscription=subscription, purpose=purpose, now=self._now)
        lead = await store.load_lead(
            connection, subscription_id=subscription_id, lead_id=lead_id, for_update=True
        )
        if lead is None:
            raise _unknown()
        return subscription, lead

    async def _load(self, connection: Connection, subscription_id: UUID, lead_id: UUID) -> Lead:
        lead = await store.load_lead(connection, subscription_id=subscription_id, lead_id=lead_id)
        if lead is None:
            raise _unknown()
        return lead

    async def _record(
        self,
        connection: Connection,
        event: Event,
        caller: Caller,
        *,
        purpose: Purpose,
        subscription: Subscription,
        lead: Lead,
        details: dict[str, str],
    ) -> None:
        await self._log.append(
            connection,
            event=event,
            caller=caller,
            purpose=purpose,
            resource_code=subscription.resource_code,
            grant_id=subscription.grant_id,
            details={
                "subscription": str(subscription.id),
                "lead": str(lead.id),
                "at": str(lead.position),
                "overdue": lead.is_overdue(self._now()),
                **details,
            },
        )


def _unknown() -> NotFound:
    return NotFound("the subscription has no lead of that id")
