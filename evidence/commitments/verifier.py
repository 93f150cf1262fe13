"""The duty that verifies undertakings by itself: once a source answers it closes them, or raises a breach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from core.caller import Purpose
from core.database import Database
from core.duties import do_each, take_turns
from core.identity.acting import load_caller
from core.log.writer import LogWriter
from evidence.cases.model import REFUTING, FactState
from evidence.cases.resolve import Resolver
from evidence.cases.sealing import OrderSeal
from evidence.commitments import store
from evidence.commitments.closing import close_undertaking, tell_office
from evidence.commitments.model import Placed, UndertakingKind, UndertakingState
from evidence.rules.service import RuleService
from evidence.sources.model import Asker, Outcome

AT_ONCE: Final = 50
REMINDED_BEFORE: Final = timedelta(days=3)
OPERATOR: Final = "hub: verification of undertakings"
_REFUTED: Final = {Outcome.CONFLICTING, Outcome.REVOKED, Outcome.EXPIRED}


Verdict = tuple[UndertakingState, str]


class Verifier:
    """Verifies open undertakings every `interval_s` seconds; each is taken by one process."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        rules: RuleService,
        resolver: Resolver,
        seal: OrderSeal,
        interval_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._resolver = resolver
        self._seal = seal
        self._interval_s = interval_s
        self._now = now

    async def run(self) -> None:
        """Work until cancelled. A database that is down is waited for."""
        await take_turns(
            self.work_once, full=AT_ONCE, every_s=self._interval_s, waits="verification of undertakings"
        )

    async def work_once(self) -> int:
        """Verify the undertakings whose check is due; return how many."""
        now = self._now()
        async with self._database.transaction() as connection:
            again_at = now + timedelta(seconds=self._interval_s)
            claimed = await store.claim_due(connection, at=now, again_at=again_at, limit=AT_ONCE)
        await do_each(claimed, self._verify, failed="an undertaking could not be verified")
        return len(claimed)

    async def _verify(self, placed: Placed) -> None:
        now = self._now()
        state = await self._ask_sources(placed, now)
        verdict = decide(placed, state, now)
        async with self._database.transaction() as connection:
            if verdict is not None:
                reached, reason = verdict
                await close_undertaking(
                    connection, self._log, placed, state=reached, reason=reason, caller=None, at=now
                )
            elif now >= placed.undertaking.due_at - REMINDED_BEFORE:
                undertaking = placed.undertaking
                if await store.set_reminded(connection, undertaking_id=undertaking.id, at=now):
                    await tell_office(connection, placed, state="due soon", reason="not settled yet", at=now)

    async def _ask_sources(self, placed: Placed, now: datetime) -> FactState | None:
        """Ask the fact's sources in the name of the system that made the undertaking, while it may act."""
        undertaking = placed.undertaking
        if undertaking.sealed is None:
            return None
        async with self._database.acquire() as connection:
            caller = await load_caller(connection, system_id=undertaking.system_id)
            if caller is None:
                return None
            rules = await self._rules.load_kept(connection, placed.item_code, placed.item_version)
        purpose = Purpose(service_item=placed.item_code, case_number=placed.case_number, operator=OPERATOR)
        order = self._seal.open(undertaking.sealed, bound_to=undertaking.id)
        asker = Asker(caller=caller, purpose=purpose)
        states = await self._resolver.establish(
            rules.item, order, facts={undertaking.fact}, asker=asker, now=now
        )
        return states[undertaking.fact]


def decide(placed: Placed, state: FactState | None, now: datetime) -> Verdict | None:
    """Say what becomes of an undertaking, None where it stays as it is.

    A fact that a source establishes settles it. A commitment is breached where a source refutes the fact, or
    still holds nothing of it when its time is over; where nobody knew until then it is overdue, which is not
    the applicant's breach.
    """
    undertaking = placed.undertaking
    is_over = now >= undertaking.due_at
    if state is not None and state.outcome is Outcome.SUPPLIED:
        if undertaking.kind is UndertakingKind.REQUEST:
            return UndertakingState.WITHDRAWN, state.code
        return UndertakingState.KEPT, state.code
    if undertaking.kind is UndertakingKind.COMMITMENT and state is not None:
        if state.outcome in _REFUTED or state.code in REFUTING:
            return UndertakingState.BREACHED, f"{state.code}: {state.detail}"
        if is_over and state.outcome is Outcome.NOT_HELD:
            return UndertakingState.BREACHED, f"{state.code}: {state.detail}"
    if is_over and undertaking.state is UndertakingState.OPEN:
        return UndertakingState.OVERDUE, "NO-SOURCE" if state is None else f"{state.code}: {state.detail}"
    return None
