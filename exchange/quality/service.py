"""Setting quality rules, and reporting score and trend of a resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.caller import Caller
from core.database import Database
from core.errors import FieldError, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource, Rule
from exchange.publish import store_quarantine
from exchange.quality import store
from exchange.quality.check import MAX_RULES, check_rule
from exchange.quality.report import characterise, is_timely, render_day, score


class QualityService:
    """Keeps the rules of resources and tells how good their batches were."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def load_rules(self, resource: Resource) -> tuple[Rule, ...]:
        """Load the rules that the provider set."""
        async with self._database.acquire() as connection:
            return await store.load_rules(connection, resource_code=resource.code)

    async def set_rules(self, resource: Resource, rules: Sequence[Rule], *, caller: Caller) -> None:
        """Set the rules of the caller's resource in place of those before; batches after this meet them.

        Raises SchemaViolation with every rule that is wrong.
        """
        errors: list[FieldError] = []
        if len(rules) > MAX_RULES:
            errors.append(FieldError(pointer="/rules", code="COUNT", detail=f"at most {MAX_RULES} rules"))
        async with self._database.transaction() as connection:
            for place, rule in enumerate(rules[:MAX_RULES]):
                target = None
                if rule.target is not None:
                    target = await catalogue_store.load_resource(connection, code=rule.target)
                errors += check_rule(f"/rules/{place}", rule, resource, target)
            if errors:
                msg = "the quality rules are not all right; see errors for each"
                raise SchemaViolation(msg, errors=tuple(errors))
            await store.replace_rules(connection, resource_code=resource.code, rules=rules)
            await self._log.append(
                connection,
                event=Event.QUALITY_RULES_SET,
                caller=caller,
                resource_code=resource.code,
                details={"rules": [f"{rule.kind} {', '.join(rule.items)}" for rule in rules]},
            )

    async def report(self, resource: Resource, *, days: int) -> dict[str, Any]:
        """Report the score of the last `days` days, its characteristics, the trend by day, open tickets."""
        now = self._now()
        async with self._database.acquire() as connection:
            trend = await store.load_days(
                connection, resource_code=resource.code, since=now - timedelta(days=days)
            )
            open_tickets = await store_quarantine.count_open(connection, resource_code=resource.code)
            last_at = await store.load_last_version_at(connection, resource_code=resource.code)
        received, rejected, flagged = (
            sum(day[name] for day in trend) for name in ("received", "rejected", "flagged")
        )
        reasons: Counter[str] = Counter()
        for day in trend:
            reasons.update(day["by_reason"])
        return {
            "resource": resource.code,
            "days": days,
            "received": received,
            "rejected": rejected,
            "flagged": flagged,
            "score": score(received, rejected, flagged),
            **characterise(received, reasons),
            "timely": is_timely(resource.update_cycle, last_at, now),
            "last_version_at": None if last_at is None else last_at.isoformat(),
            "open_tickets": open_tickets,
            "by_reason": dict(reasons.most_common()),
            "trend": [render_day(day) for day in trend],
        }
