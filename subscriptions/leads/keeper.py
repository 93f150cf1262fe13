"""Making leads of changes as they come, exactly once, and reminding of those that are late."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from core.caller import OrganisationCode
from core.china_time import china_day
from core.database import Connection, Database
from core.errors import Conflict, Forbidden
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.deadlines import compute_due_at
from exchange.access.model import Grant
from exchange.access.row_filter import parse_row_filter
from exchange.access.store_applications import load_calendar_days
from exchange.catalogue.model import Resource
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice
from signing.errors import ShuzhengError
from subscriptions import store as subscription_store
from subscriptions.cursor import CursorSeal
from subscriptions.feed.columns import build_schema, read_table
from subscriptions.feed.page import iterate_changes
from subscriptions.feed.store import select_changes
from subscriptions.feed.wake import Waker
from subscriptions.ground import load_own_consumer, verify_subscription
from subscriptions.leads import store
from subscriptions.leads.model import LEAD_CONSUMER, Lead, LeadTerms
from subscriptions.model import Change, Consumer, Cursor, Operation, Position

BATCH_ROWS: Final = 1000
BATCH_SUBSCRIPTIONS: Final = 50
INTERVAL_S: Final = 5.0
logger = logging.getLogger("shuzheng.leads")


class LeadKeeper:
    """Follows the subscriptions to leads. Any number of hubs may run one."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        seal: CursorSeal,
        waker: Waker,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._seal = seal
        self._waker = waker
        self._now = now

    async def run(self) -> None:
        """Work until cancelled."""
        heard = 0
        while True:
            try:
                await self.work_once()
            except ShuzhengError as trouble:
                logger.warning("leads wait: %s", type(trouble).__name__)
            except Exception as error:
                logger.error("a round of leads failed: %s", type(error).__name__)
            heard = await self._waker.wait_any(heard=heard, timeout_s=INTERVAL_S)

    async def work_once(self) -> int:
        """Make leads of what is new, and remind of what is late; return how many leads were made."""
        async with self._database.acquire() as connection:
            waiting = await store.load_behind(connection, limit=BATCH_SUBSCRIPTIONS)
        made = 0
        for subscription_id in waiting:
            while fresh := await self._follow(subscription_id):
                made += fresh
        await self._remind()
        return made

    async def _follow(self, subscription_id: UUID) -> int:
        """Make the next leads of one subscription; return how many changes were looked at, 0 at the end."""
        async with self._database.transaction() as connection:
            if not await store.lock_consumer(connection, subscription_id=subscription_id):
                return 0
            subscription = await subscription_store.load_subscription(
                connection, subscription_id=subscription_id
            )
            terms = await store.load_terms(connection, subscription_id=subscription_id)
            if subscription is None or terms is None:
                return 0
            try:
                grant, resource = await verify_subscription(
                    connection, subscription=subscription, purpose=None, now=self._now
                )
            except (Forbidden, Conflict):
                return 0
            consumer = await load_own_consumer(connection, subscription=subscription, name=LEAD_CONSUMER)
            changes = await _load_changes(connection, consumer, grant, resource)
            leads = await self._build(connection, subscription_id, changes, terms)
            await store.save_leads(connection, leads=leads)
            is_full = len(changes) == BATCH_ROWS
            end = Position(version=resource.current_version + 1, sequence=0)
            await self._move(connection, consumer, changes[-1].position if is_full else end)
            if leads:
                await self._record(connection, leads, grant)
            return len(changes) if is_full else 0

    async def _move(self, connection: Connection, consumer: Consumer, position: Position) -> None:
        await subscription_store.save_place(
            connection,
            consumer_id=consumer.id,
            position=max(position, consumer.acknowledged),
            epoch=consumer.acknowledged_epoch,
            cursor=self._seal.write(Cursor(position=position), subscription_id=consumer.subscription_id),
            at=self._now(),
        )

    async def _record(self, connection: Connection, leads: list[Lead], grant: Grant) -> None:
        await self._log.append(
            connection,
            event=Event.LEADS_PUSHED,
            caller=None,
            resource_code=grant.resource_code,
            grant_id=grant.id,
            details={
                "subscription": str(leads[-1].subscription_id),
                "leads": len(leads),
                "to": str(leads[-1].position),
            },
        )

    async def _build(
        self,
        connection: Connection,
        subscription_id: UUID,
        changes: list[Change],
        terms: LeadTerms,
    ) -> list[Lead]:
        at = self._now()
        calendar = await load_calendar_days(connection, first=china_day(at))
        sign_due_at, answer_due_at = (
            compute_due_at(at, working_days=days, exceptions=calendar)
            for days in (terms.sign_working_days, terms.answer_working_days)
        )
        return [
            Lead(
                id=uuid4(),
                subscription_id=subscription_id,
                position=change.position,
                operation=change.operation,
                pushed_at=at,
                sign_due_at=sign_due_at,
                answer_due_at=answer_due_at,
            )
            for change in changes
            if change.operation is not Operation.DELETE
        ]

    async def _remind(self) -> None:
        """Tell subscriber and provider of leads that have become late."""
        async with self._database.transaction() as connection:
            for row in await store.take_newly_overdue(connection, at=self._now()):
                for code in {row["organisation_code"], row["provider_code"]}:
                    await save_notice(
                        connection,
                        organisation_code=OrganisationCode(code),
                        kind=NoticeKind.LEADS_OVERDUE,
                        resource_code=row["resource_code"],
                        details={"subscription": str(row["id"]), "leads": row["leads"]},
                        at=self._now(),
                    )


async def _load_changes(
    connection: Connection, consumer: Consumer, grant: Grant, resource: Resource
) -> list[Change]:
    """Load the next changes after a consumer's place, as the grant shows them."""
    items = grant.open_items(resource)
    query = select_changes(
        resource,
        after=consumer.acknowledged,
        to_version=resource.current_version,
        items=items,
        row_filter=parse_row_filter(resource, grant.terms.row_filter),
        limit_rows=BATCH_ROWS,
    )
    table = await read_table(connection, query, build_schema(resource, items))
    return list(iterate_changes(table, [item.name for item in resource.key_items]))
