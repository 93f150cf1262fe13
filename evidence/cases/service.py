"""The rules of evidence requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from core.caller import Caller, Purpose, Scope
from core.database import Connection, Database
from core.errors import Conflict, NotFound
from core.identity.store_standing import confirm_standing
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cascade.model import Suspension
from evidence.cascade.standing import verify_not_suspended
from evidence.cascade.store_effects import load_suspensions
from evidence.cases import store
from evidence.cases.copies import CopyMaker
from evidence.cases.model import Case, EvidenceOrder, FactState, Resolution
from evidence.cases.order import fit_order
from evidence.cases.resolve import Resolver, with_facts
from evidence.cases.reuse import ReuseDesk
from evidence.cases.saving import CaseSaver, Outgoing, Overtaken
from evidence.commitments.inquiries import request_open_facts
from evidence.commitments.model import Undertaking
from evidence.commitments.overlay import lay_over
from evidence.commitments.store import load_of_case
from evidence.rules.model import ItemVersion
from evidence.rules.service import RuleService
from evidence.sources.model import Asker, Sources
from evidence.sources.reader import HubSources
from evidence.sources.together import ReadApart, TogetherReader
from exchange.verify.model import ReceiptIssuer
from signing import sm3
from signing.canonical_json import JsonValue

RECEIPT_KIND = "shuzheng-evidence/1"
# All that a case asks goes by keys. PostgreSQL would plan its long statements anew for every case, because it
# takes a list of unknown length for ten rows.
_BEGIN: Final = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan"


# A run is undone and begun anew where another of its case overtook it, or each waits for the other.
_AGAIN: Final = (Overtaken, asyncpg.DeadlockDetectedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The answer to an evidence request: canonical JSON, and the receipt whose payload holds its digest."""

    answer_json: bytes
    receipt_json: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case as kept, with its facts, what they rest on, and why it is suspended, where it is."""

    case: Case
    facts: tuple[store.FactRow, ...]
    bases: tuple[store.BasisRow, ...]
    suspensions: tuple[Suspension, ...]


class EvidenceService:
    """Answers evidence requests, `at_once` of them at a time and in the order in which they came."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        rules: RuleService,
        resolver: Resolver,
        together: TogetherReader,
        apart: HubSources,
        reuse: ReuseDesk,
        copies: CopyMaker,
        saver: CaseSaver,
        receipts: ReceiptIssuer,
        at_once: int,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._resolver = resolver
        self._together = together
        self._apart = apart
        self._reuse = reuse
        self._copies = copies
        self._saver = saver
        self._receipts = receipts
        self._places = asyncio.Semaphore(at_once)
        self._now = now

    async def resolve(self, order: EvidenceOrder, *, caller: Caller, purpose: Purpose) -> Evidence:
        """Resolve every material of a case, and say all at once what remains (一次性告知).

        1. The item's rules: those of the case's first run, else the released ones; else NotFound. 2. The
        order fits them: else SchemaViolation. 3. What other cases of the bundle established. 4. The sources,
        all at once within the time limit; then undertakings. 5. Annotated copies where they are asked for.
        6. The case, what it rests on, questions to departments, and the leaves, in one transaction. 7. The
        receipt. A further run of the case reports what has changed since the one before; of two at once the
        second is the further one.

        Sources and case share one transaction; where a source fails in it, it is undone and each source is
        read in its own. Cases take their turns, so that many at once do not slow each other down.
        """
        attempt = _Attempt(
            order=order,
            asker=Asker(caller=caller, purpose=purpose, codes=order.codes),
            begun=time.perf_counter(),
            now=self._now(),
        )
        answer = None
        if not order.copies:
            async with self._places:
                answer = await self._resolve_together(attempt)
        if answer is None:
            answer = await self._resolve_apart(attempt)
        payload: dict[str, JsonValue] = {
            "kind": RECEIPT_KIND,
            "organisation": str(caller.organisation_code),
            "service_item": purpose.service_item,
            "case_number": purpose.case_number,
            "answer_sm3": sm3.digest(answer).hex(),
        }
        return Evidence(answer_json=answer, receipt_json=await self._receipts.issue(payload))

    async def load(self, case_id: UUID, *, caller: Caller) -> CaseView:
        """Load a case as its last run left it. Raises NotFound for another office's."""
        async with self._database.acquire() as connection:
            case = await self._load_own(connection, case_id, caller)
            return CaseView(
                case=case,
                facts=tuple(await store.load_facts(connection, case_id=case_id)),
                bases=tuple(await store.load_bases(connection, case_id=case_id)),
                suspensions=tuple(await load_suspensions(connection, case_id=case_id)),
            )

    async def close(self, case_id: UUID, *, caller: Caller) -> Case:
        """Close a case: it is run no more. Raises NotFound, Conflict where it is closed or suspended."""
        now = self._now()
        async with self._database.transaction() as connection:
            case = await self._load_own(connection, case_id, caller)
            await verify_not_suspended(connection, case_id=case_id)
            if not await store.close_case(connection, case_id=case_id, at=now):
                msg = "the case is closed already"
                raise Conflict(msg)
            details = {"item": case.item_code, "case": str(case_id), "number": case.case_number}
            await self._log.append(
                connection, event=Event.EVIDENCE_CASE_CLOSED, caller=caller, details=details
            )
        return replace(case, closed_at=now)

    async def _load_own(self, connection: Connection, case_id: UUID, caller: Caller) -> Case:
        case = await store.load_case_by_id(connection, case_id=case_id)
        may_see = case is not None and (
            case.organisation_code == caller.organisation_code or Scope.AUDIT in caller.scopes
        )
        if case is None or not may_see:
            msg = "there is no case of that id"
            raise NotFound(msg)
        return case

    async def _resolve_together(self, attempt: _Attempt) -> bytes | None:
        """Resolve a case in one transaction; None, and nothing done, where its sources must be read apart."""
        while True:
            try:
                async with self._database.begun_transaction(_BEGIN) as connection:
                    opened = await self._open(connection, attempt, lock=True)
                    session = self._together.open(connection)
                    resolution = await self._resolve(opened, attempt, session)
                    outgoing = self._outgoing(opened, attempt, resolution)
                    outgoing.records.add(session.records)
                    answer = await self._saver.save(connection, outgoing)
            except _AGAIN:
                continue
            except ReadApart:
                return None
            await session.tell()
            return answer

    async def _resolve_apart(self, attempt: _Attempt) -> bytes:
        """Resolve a case whose sources are read in transactions of their own, and save it after them."""
        async with self._database.acquire() as connection:
            opened = await self._open(connection, attempt, lock=False)
        resolution = await self._resolve(
            opened, attempt, self._apart if attempt.order.copies else self._apart.one_by_one
        )
        copies: Mapping[str, JsonValue] = {}
        if attempt.order.copies:
            copies = await self._copies.make_all(resolution, asker=attempt.asker)
        while True:
            try:
                async with self._database.transaction() as connection:
                    fresh = await self._load_case(connection, attempt, lock=True)
                    opened = replace(opened, case=fresh.case or opened.case)
                    outgoing = self._outgoing(opened, attempt, resolution)
                    return await self._saver.save(connection, replace(outgoing, copies=copies))
            except _AGAIN:
                continue

    async def _resolve(self, opened: _Opened, attempt: _Attempt, sources: Sources) -> Resolution:
        resolution = await self._resolver.resolve(
            opened.rules.item,
            opened.order,
            asker=attempt.asker,
            known=opened.known,
            now=attempt.now,
            sources=sources,
            spent_s=time.perf_counter() - attempt.begun,
        )
        undertakings = opened.undertakings
        states = {code: lay_over(state, undertakings) for code, state in resolution.facts.items()}
        return with_facts(resolution, request_open_facts(states, undertakings))

    @staticmethod
    def _outgoing(opened: _Opened, attempt: _Attempt, resolution: Resolution) -> Outgoing:
        return Outgoing(
            case=opened.case,
            rules=opened.rules,
            order=opened.order,
            resolution=resolution,
            asker=attempt.asker,
            begun=attempt.begun,
            at=attempt.now,
        )

    async def _open(self, connection: Connection, attempt: _Attempt, *, lock: bool) -> _Opened:
        """Load the case with the rules that it began under, or begin one under the released rules."""
        caller, purpose = attempt.asker.caller, attempt.asker.purpose
        found = await self._load_case(connection, attempt, lock=lock)
        case, released = found.case, found.released
        if case is not None and (released is None or released[0] != case.item_version):
            rules = await self._rules.load_kept(connection, case.item_code, case.item_version)
        else:
            current = await self._rules.load_once(connection, purpose.service_item, released)
            if current is None:
                msg = "no rules are released for this service item; PUT /v1/service-items/{code} begins"
                raise NotFound(msg)
            rules = current
        order = fit_order(attempt.order, rules.item)
        known: Mapping[str, FactState] = {}
        if order.bundle is not None:
            known = await self._reuse.find(connection, rules.item, order, asker=attempt.asker)
        if case is None:
            case = Case(
                id=uuid4(),
                organisation_code=caller.organisation_code,
                item_code=purpose.service_item,
                item_version=rules.version,
                case_number=purpose.case_number,
                bundle=order.bundle,
                opened_at=self._now(),
            )
        undertakings = [] if case.runs == 0 else await load_of_case(connection, case_id=case.id)
        return _Opened(case=case, rules=rules, order=order, known=known, undertakings=undertakings)

    async def _load_case(self, connection: Connection, attempt: _Attempt, *, lock: bool) -> store.OpenCase:
        """Load the case, and see that the caller's token stands. Raises StandingChanged, Conflict."""
        caller, purpose = attempt.asker.caller, attempt.asker.purpose
        found = await store.load_case(
            connection,
            organisation_code=caller.organisation_code,
            item_code=purpose.service_item,
            case_number=purpose.case_number,
            token_hash=None if caller.standing is None else caller.standing.token_hash,
            lock=lock,
        )
        confirm_standing(caller, found.mark)
        if found.case is not None and found.case.closed_at is not None:
            msg = "the case is closed; open another one"
            raise Conflict(msg)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """What was asked, by whom, and when it began."""

    order: EvidenceOrder
    asker: Asker
    begun: float
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A case that may be run: its rules, the order in their terms, and what is known without asking."""

    case: Case
    rules: ItemVersion
    order: EvidenceOrder
    known: Mapping[str, FactState]
    undertakings: Sequence[Undertaking]
