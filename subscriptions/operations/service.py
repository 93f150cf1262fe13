"""Counting, and telling what somebody should see to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from core.caller import Caller, OrganisationCode, Scope
from core.database import Database
from subscriptions.model import Standing
from subscriptions.operations import store
from subscriptions.operations.model import Alert, AlertKind, Figures, TargetFigures
from subscriptions.push.model import OPEN_AFTER_FAILURES, TargetState
from subscriptions.store import load_standings

LAG_ALERT: Final = timedelta(hours=24)


class OperationsService:
    """Tells how consumers, targets and leads fare."""

    def __init__(self, *, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def count(self, *, organisation_code: OrganisationCode | None) -> Figures:
        """Count everything of one organisation, or (None) of all."""
        at = self._now()
        async with self._database.acquire() as connection:
            return Figures(
                standings=tuple(await load_standings(connection, organisation_code=organisation_code, at=at)),
                targets=await store.load_target_figures(connection, organisation_code=organisation_code),
                leads=await store.load_lead_figures(connection, organisation_code=organisation_code, at=at),
            )

    async def list_alerts(self, *, caller: Caller) -> list[Alert]:
        """List what the caller should see to; an administrator sees all organisations'."""
        everything = Scope.ADMIN in caller.scopes
        figures = await self.count(organisation_code=None if everything else caller.organisation_code)
        return list(assess(figures, self._now()))


def assess(figures: Figures, at: datetime) -> Iterator[Alert]:
    """Tell what stands out in figures."""
    targets = {target.consumer_id: target for target in figures.targets}
    overdue = {leads.subscription_id: leads.overdue for leads in figures.leads}
    seen = set()
    for standing in figures.standings:
        yield from _assess_consumer(standing, at)
        target = targets.get(standing.consumer.id)
        if target is not None:
            yield from _assess_target(standing, target)
        subscription_id = standing.subscription.id
        if overdue.get(subscription_id) and subscription_id not in seen:
            detail = f"{overdue[subscription_id]} leads are late: sign for them and answer them"
            yield _alert(AlertKind.LEADS_OVERDUE, standing, detail)
        seen.add(subscription_id)


def _assess_consumer(standing: Standing, at: datetime) -> Iterator[Alert]:
    consumer = standing.consumer
    if not standing.is_granted:
        yield _alert(AlertKind.GRANT_ENDED, standing, "the grant has ended; renew it or remove the consumer")
        return
    if consumer.paused_at is not None:
        yield _alert(AlertKind.PAUSED, standing, f"paused: {consumer.pause_reason}", consumer.paused_at)
    if standing.lag_rows and standing.behind_since and at - standing.behind_since > LAG_ALERT:
        detail = f"{standing.lag_versions} versions behind; what it has not read is kept until it does"
        yield _alert(AlertKind.LAG, standing, detail, standing.behind_since)


def _assess_target(standing: Standing, target: TargetFigures) -> Iterator[Alert]:
    if target.state is TargetState.STOPPED:
        detail = f"nothing is brought until the target is resumed: {target.state_reason}"
        yield _alert(AlertKind.TARGET_STOPPED, standing, detail)
    elif target.failures >= OPEN_AFTER_FAILURES:
        detail = f"failed {target.failures} times in a row; it is tried ever less often"
        yield _alert(AlertKind.TARGET_FAILING, standing, detail, target.failing_since)
    if target.dead_letters:
        detail = f"{target.dead_letters} messages were refused and wait to be sent again"
        yield _alert(AlertKind.DEAD_LETTERS, standing, detail)


def _alert(kind: AlertKind, standing: Standing, detail: str, since: datetime | None = None) -> Alert:
    return Alert(
        kind=kind,
        organisation_code=standing.subscription.organisation_code,
        subscription_id=standing.subscription.id,
        resource_code=standing.subscription.resource_code,
        consumer=standing.consumer.name,
        detail=detail,
        since=since,
    )
