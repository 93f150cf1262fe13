"""The gate that every call for data passes: limits per system and organisation, and the guard's measures.

Limits are taken from the database in portions, so that they hold over all processes and most calls ask
nobody. Measures and limits are read anew every second by `refresh`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from core.caller import Caller, Purpose
from core.database import Database
from core.errors import RateLimited
from exchange.guard import store
from exchange.guard.model import CallLimit, LimitScope, Measure

PORTIONS_A_MINUTE: Final = 50
SLOWED_BY_S: Final = 1.0
ANY: Final = "*"


@dataclass(slots=True)
class _Purse:
    """What this process holds of a minute."""

    minute: datetime
    left: int = 0
    used_up: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Gate:
    """Lets calls pass, slows them down, or refuses them."""

    def __init__(
        self,
        *,
        database: Database,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._now = now
        self._sleep = sleep
        self._limits: dict[tuple[LimitScope, str], CallLimit] = {}
        self._measures: dict[tuple[str, str], Measure] = {}
        self._purses: dict[tuple[LimitScope, str], _Purse] = {}

    async def refresh(self) -> None:
        """Read limits and measures anew."""
        async with self._database.acquire() as connection:
            limits = await store.load_limits(connection)
            measures = await store.load_measures(connection, at=self._now())
        self._limits = {(limit.scope, limit.name): limit for limit in limits}
        self._measures = {(str(each.system_id), each.operator): each for each in measures}
        minute = self._minute(self._now())
        self._purses = {name: purse for name, purse in self._purses.items() if purse.minute == minute}

    async def admit(self, caller: Caller, purpose: Purpose) -> None:
        """Let a call pass. Raises RateLimited, with the time after which it may be tried again."""
        if not self._limits:
            await self.refresh()
        now = self._now()
        await self._take(LimitScope.SYSTEM, str(caller.system_id), now)
        await self._take(LimitScope.ORGANISATION, caller.organisation_code, now)
        if self._measures:
            await self._apply_measures(caller, purpose, now)

    async def _take(self, scope: LimitScope, name: str, now: datetime) -> None:
        limit = self._limits.get((scope, name)) or self._limits.get((scope, ANY))
        if limit is None:
            return
        minute = self._minute(now)
        purse = self._purses.get((scope, name))
        if purse is None or purse.minute != minute:
            purse = self._purses[scope, name] = _Purse(minute=minute)
        if purse.left == 0:
            await self._fill(purse, CallLimit(scope=scope, name=name, per_minute=limit.per_minute))
        if purse.left == 0:
            msg = f"the limit of {limit.per_minute} calls a minute of this {scope} is reached"
            raise RateLimited(msg, retry_after_s=max(1, 60 - now.second))
        purse.left -= 1

    async def _fill(self, purse: _Purse, limit: CallLimit) -> None:
        async with purse.lock:
            if purse.left or purse.used_up:
                return
            async with self._database.acquire() as connection:
                purse.left = await store.lease_calls(
                    connection,
                    limit=limit,
                    minute=purse.minute,
                    wanted=max(1, limit.per_minute // PORTIONS_A_MINUTE),
                )
            purse.used_up = purse.left == 0

    async def _apply_measures(self, caller: Caller, purpose: Purpose, now: datetime) -> None:
        names = ((str(caller.system_id), ""), (str(caller.system_id), purpose.operator))
        holding = [m for name in names if (m := self._measures.get(name)) is not None and m.until > now]
        if not holding:
            return
        strictest = max(holding, key=lambda measure: measure.level)
        if strictest.level > 1:
            left_s = (strictest.until - now) / timedelta(seconds=1)
            msg = "the guard has noticed a pattern of calls that no case makes; the owner has been told"
            raise RateLimited(msg, retry_after_s=max(1, round(left_s)))
        await self._sleep(SLOWED_BY_S)

    @staticmethod
    def _minute(at: datetime) -> datetime:
        return at.replace(second=0, microsecond=0)
