"""What people do at the guard: read alerts, release them, set thresholds and limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from core.caller import Caller, Scope
from core.database import Connection, Database
from core.errors import NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.guard import store
from exchange.guard.gate import Gate
from exchange.guard.model import Alert, CallLimit, GuardRule


class GuardDesk:
    """Shows alerts to those whom they concern, and takes the administrators' settings."""

    def __init__(
        self, *, database: Database, log: LogWriter, gate: Gate, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._gate = gate
        self._now = now

    async def list_alerts(self, *, caller: Caller) -> list[Alert]:
        """List alerts on the caller's resources and systems; all of them for administrators and auditors."""
        everything = bool(caller.scopes & {Scope.ADMIN, Scope.AUDIT})
        async with self._database.acquire() as connection:
            return await store.load_alerts(
                connection, organisation_code=None if everything else caller.organisation_code
            )

    async def release(self, *, caller: Caller, alert_id: UUID, reason: str) -> Alert:
        """Release an alert and lift its measure, as the resource's provider or as an administrator."""
        errors = check_text("/reason", reason, max_characters=500)
        if errors:
            msg = "releasing an alert needs a reason"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            alert = await store.release_alert(
                connection,
                alert_id=alert_id,
                provider_code=None if Scope.ADMIN in caller.scopes else caller.organisation_code,
                reason=reason,
                at=self._now(),
            )
            if alert is None:
                msg = "there is no alert of that id for you to release"
                raise NotFound(msg)
            await self._record(connection, caller, {"what": "alert released", "alert": str(alert_id)})
        await self._gate.refresh()
        return alert

    async def list_rules(self) -> list[GuardRule]:
        """List the thresholds."""
        async with self._database.acquire() as connection:
            return sorted((await store.load_rules(connection)).values(), key=lambda rule: rule.kind)

    async def set_rule(self, *, caller: Caller, rule: GuardRule) -> None:
        """Set a threshold."""
        async with self._database.transaction() as connection:
            await store.save_rule(connection, rule=rule)
            details = {
                "what": "guard rule",
                "kind": str(rule.kind),
                "threshold": rule.threshold,
                "window_s": rule.window_s,
            }
            await self._record(connection, caller, details)

    async def list_limits(self) -> list[CallLimit]:
        """List the limits."""
        async with self._database.acquire() as connection:
            return await store.load_limits(connection)

    async def set_limit(self, *, caller: Caller, limit: CallLimit) -> None:
        """Set a limit; it holds in every process within a second."""
        async with self._database.transaction() as connection:
            await store.save_limit(connection, limit=limit)
            details = {
                "what": "call limit",
                "scope": str(limit.scope),
                "name": limit.name,
                "per_minute": limit.per_minute,
            }
            await self._record(connection, caller, details)
        await self._gate.refresh()

    async def _record(self, connection: Connection, caller: Caller, details: dict[str, object]) -> None:
        await self._log.append(connection, event=Event.RULES_SET, caller=caller, details=details)
