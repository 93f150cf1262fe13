"""The duty that checks facts of open cases again where what they rest on has changed, if the rules say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.caller import Purpose
from core.database import Connection, Database
from core.duties import do_each, take_turns
from core.identity.acting import load_caller
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cascade import store_effects
from evidence.cascade.act import record
from evidence.cascade.model import Effect, EffectState, Finding
from evidence.cases.model import Case, FactState
from evidence.cases.resolve import Resolver
from evidence.cases.saving import CaseSaver
from evidence.cases.sealing import OrderSeal
from evidence.cases.store import KeptOrder, load_case_by_id, load_facts, load_order, lock_case
from evidence.rules.service import RuleService
from evidence.sources.model import Asker, Outcome

LOOK_S: Final = 5.0
AT_ONCE: Final = 50
OPERATOR: Final = "hub: checking a case again after a change"

_NOT_KEPT: Final = "NOT-KEPT: the case was run before its order was kept; run it again"
_NO_SYSTEM: Final = "NO-SYSTEM: the system that ran the case may not act any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check came to; `reason` is told to the office and holds no personal value."""

    finding: Finding
    reason: str


class Rechecker:
    """Checks again what effects are about; each is taken by one process, and again where that died.

    A fact is established by its ways as the case's rules have them, in the name of the system that ran the
    case last, under the grants and scopes that it has now; every access has its leaf. Where no source can
    say, it is tried again `interval_s` seconds later. The case's own record is not touched: the next run,
    which is the office's, tells what has changed.
    """

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        rules: RuleService,
        resolver: Resolver,
        saver: CaseSaver,
        seal: OrderSeal,
        interval_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._resolver = resolver
        self._saver = saver
        self._seal = seal
        self._interval_s = interval_s
        self._now = now

    async def work_once(self) -> int:
        """Check what is due; return how many effects were tried."""
        now = self._now()
        async with self._database.transaction() as connection:
            again_at = now + timedelta(seconds=self._interval_s)
            claimed = await store_effects.claim_due(connection, at=now, again_at=again_at, limit=AT_ONCE)
        await do_each(claimed, self._check, failed="a case could not be checked again")
        return len(claimed)

    async def run(self) -> None:
        """Work until cancelled. A database that is down is waited for."""
        await take_turns(self.work_once, full=AT_ONCE, every_s=LOOK_S, waits="checking of cases")

    async def _check(self, effect: Effect) -> None:
        assert effect.case_id is not None
        async with self._database.acquire() as connection:
            case = await load_case_by_id(connection, case_id=effect.case_id)
            order = await load_order(connection, case_id=effect.case_id)
        assert case is not None
        state: FactState | Verdict = Verdict(finding=Finding.CHANGED, reason=_NOT_KEPT)
        if order is not None and not _is_overtaken(effect, case):
            state = await self._ask(effect, case, order)
        async with self._database.transaction() as connection:
            now = await lock_case(connection, case_id=case.id)
            kept = await store_effects.lock_effect(connection, effect_id=effect.id)
            if kept is None or kept.state is not EffectState.PENDING:
                return
            if not _is_overtaken(effect, now) and now.runs != case.runs:
                return  # run from before the change, saved meanwhile: it is checked the next time
            if _is_overtaken(effect, now):
                reason = "the office ran or closed the case meanwhile"
                verdict: Verdict | None = Verdict(finding=Finding.OVERTAKEN, reason=reason)
            elif isinstance(state, FactState):
                facts = await load_facts(connection, case_id=case.id)
                mark = next((each.mark for each in facts if each.fact == effect.fact), None)
                verdict = judge(state, is_same=mark == self._saver.mark_fact(state))
            else:
                verdict = state
            if verdict is not None:
                await self._keep(connection, effect, verdict)

    async def _ask(self, effect: Effect, case: Case, order: KeptOrder) -> FactState | Verdict:
        """Establish the fact in the name of the system that ran the case."""
        assert effect.fact is not None
        async with self._database.acquire() as connection:
            caller = await load_caller(connection, system_id=order.system_id)
            rules = await self._rules.load_kept(connection, case.item_code, case.item_version)
        if caller is None:
            return Verdict(finding=Finding.CHANGED, reason=_NO_SYSTEM)
        purpose = Purpose(service_item=case.item_code, case_number=case.case_number, operator=OPERATOR)
        states = await self._resolver.establish(
            rules.item,
            self._seal.open(order.sealed, bound_to=case.id),
            facts={effect.fact},
            asker=Asker(caller=caller, purpose=purpose),
            now=self._now(),
        )
        return states[effect.fact]

    async def _keep(self, connection: Connection, effect: Effect, verdict: Verdict) -> None:
        now = self._now()
        await store_effects.save_finding(
            connection, effect_id=effect.id, finding=verdict.finding, reason=verdict.reason, at=now
        )
        details: dict[str, object] = {
            "effect": str(effect.id),
            "case": str(effect.case_id),
            "fact": effect.fact,
            "finding": str(verdict.finding),
            "reason": verdict.reason,
        }
        await record(connection, self._log, effect, event=Event.CASCADE_CHECKED, details=details, at=now)


def judge(state: FactState, *, is_same: bool) -> Verdict | None:
    """Say what a check came to; None where no source can say yet. `is_same`: the values are the case's."""
    if state.outcome is Outcome.SOURCE_UNAVAILABLE:
        return None
    if state.outcome is not Outcome.SUPPLIED:
        reason = f"{state.outcome} ({state.code}): {state.detail}"
        return Verdict(finding=Finding.CHANGED, reason=reason)
    if not is_same:
        return Verdict(finding=Finding.CHANGED, reason="OTHER-VALUES: established, with other values")
    return Verdict(finding=Finding.HELD, reason=f"{state.code}: {state.detail}")


def _is_overtaken(effect: Effect, case: Case) -> bool:
    return case.closed_at is not None or (case.last_run_at is not None and case.last_run_at > effect.made_at)
