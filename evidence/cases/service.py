"""The rules of evidence requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from core.caller import Caller, Purpose, Scope
from core.database import Connection, Database
from core.errors import Conflict, NotFound
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cases import store
from evidence.cases.answer import Run, build_answer, count_outcomes, mark_materials
from evidence.cases.copies import CopyMaker
from evidence.cases.model import Case, EvidenceOrder, FactState, Resolution
from evidence.cases.order import fit_order
from evidence.cases.resolve import Resolver, with_facts
from evidence.cases.reuse import ReuseDesk
from evidence.commitments.inquiries import InquiryDesk, request_open_facts
from evidence.commitments.overlay import lay_over
from evidence.commitments.service import UndertakingService
from evidence.commitments.store import load_of_case
from evidence.rules.model import ItemVersion
from evidence.rules.service import RuleService
from evidence.sources.model import Asker, Outcome
from exchange.verify.model import ReceiptIssuer
from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json

RECEIPT_KIND = "shuzheng-evidence/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The answer to an evidence request: canonical JSON, and the receipt whose payload holds its digest."""

    answer_json: bytes
    receipt_json: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case as kept, with its facts and what they rest on."""

    case: Case
    facts: tuple[store.FactRow, ...]
    bases: tuple[store.BasisRow, ...]


class EvidenceService:
    """Answers evidence requests."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        rules: RuleService,
        resolver: Resolver,
        reuse: ReuseDesk,
        copies: CopyMaker,
        undertakings: UndertakingService,
        inquiries: InquiryDesk,
        receipts: ReceiptIssuer,
        mark_key: bytes,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._resolver = resolver
        self._reuse = reuse
        self._copies = copies
        self._undertakings = undertakings
        self._inquiries = inquiries
        self._receipts = receipts
        self._mark_key = mark_key
        self._now = now

    async def resolve(self, order: EvidenceOrder, *, caller: Caller, purpose: Purpose) -> Evidence:
        """Resolve every material of a case, and say all at once what remains (一次性告知).

        1. The item's rules: those of the case's first run, else the released ones; else NotFound. 2. The
        order fits them: else SchemaViolation. 3. What other cases of the bundle established. 4. The sources,
        all at once within the time limit; then undertakings. 5. Annotated copies where they are asked for.
        6. The case, what it rests on, questions to departments, and the leaf, in one transaction. 7. The
        receipt. A further run of the case reports what has changed since the one before.
        """
        begun, now = time.perf_counter(), self._now()
        asker = Asker(caller=caller, purpose=purpose, codes=order.codes)
        async with self._database.acquire() as connection:
            case, rules = await self._open(connection, order, caller=caller, purpose=purpose)
            order = fit_order(order, rules.item)
            known: Mapping[str, FactState] = {}
            if order.bundle is not None:
                known = await self._reuse.find(connection, rules.item, order, asker=asker)
            undertakings = [] if case.runs == 0 else await load_of_case(connection, case_id=case.id)
        resolution = await self._resolver.resolve(rules.item, order, asker=asker, known=known, now=now)
        states = {code: lay_over(state, undertakings) for code, state in resolution.facts.items()}
        resolution = with_facts(resolution, request_open_facts(states, undertakings))
        copies: Mapping[str, JsonValue] = {}
        if order.copies:
            copies = await self._copies.make_all(resolution, asker=asker)
        async with self._database.transaction() as connection:
            answer = await self._save(
                connection, case, rules, order, resolution, copies=copies, asker=asker, begun=begun, now=now
            )
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
            )

    async def close(self, case_id: UUID, *, caller: Caller) -> Case:
        """Close a case: it is run no more. Raises NotFound, Conflict where it is closed."""
        now = self._now()
        async with self._database.transaction() as connection:
            case = await self._load_own(connection, case_id, caller)
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

    async def _open(
        self, connection: Connection, order: EvidenceOrder, *, caller: Caller, purpose: Purpose
    ) -> tuple[Case, ItemVersion]:
        """Load the case with the rules that it began under, or begin one under the released rules."""
        case, released = await store.load_case(
            connection,
            organisation_code=caller.organisation_code,
            item_code=purpose.service_item,
            case_number=purpose.case_number,
        )
        if case is not None and case.closed_at is not None:
            msg = "the case is closed; open another one"
            raise Conflict(msg)
        if case is not None and (released is None or released[0] != case.item_version):
            return case, await self._rules.load_kept(connection, case.item_code, case.item_version)
        rules = await self._rules.load_once(connection, purpose.service_item, released)
        if rules is None:
            msg = "no rules are released for this service item; PUT /v1/service-items/{code} begins"
            raise NotFound(msg)
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
        return case, rules

    async def _save(
        self,
        connection: Connection,
        case: Case,
        rules: ItemVersion,
        order: EvidenceOrder,
        resolution: Resolution,
        *,
        copies: Mapping[str, JsonValue],
        asker: Asker,
        begun: float,
        now: datetime,
    ) -> bytes:
        marks = mark_materials(resolution, key=self._mark_key)
        outcomes = {each.material.code: str(each.outcome) for each in resolution.materials}
        case_id, number = await store.save_case(connection, case=case, outcomes=outcomes, marks=marks, at=now)
        run = Run(
            case_id=case_id,
            number=number,
            case=case,
            rules=rules,
            order=order,
            resolution=resolution,
            marks=marks,
            counts=count_run(resolution, took_ms=round((time.perf_counter() - begun) * 1000)),
            copies=copies,
            at=now,
        )
        await store.save_findings(
            connection,
            case_id=case_id,
            run=number,
            at=now,
            facts=[self._fact_row(state, order) for state in resolution.facts.values()],
            bases=build_bases(resolution),
            counts=run.counts,
        )
        await self._follow_up(connection, run, asker)
        answer = build_canonical_json(build_answer(run))
        await self._record(connection, run, asker, answer)
        return answer

    async def _follow_up(self, connection: Connection, run: Run, asker: Asker) -> None:
        """Ask departments what they know, and close undertakings that the run settled."""
        states = run.resolution.facts
        if any(each.outcome is Outcome.REQUESTED for each in states.values()):
            await self._inquiries.ask_departments(
                connection, run.case_id, states, order=run.order, asker=asker
            )
        if run.number > 1:
            await self._undertakings.settle(connection, run.case_id, states, caller=asker.caller)

    async def _record(self, connection: Connection, run: Run, asker: Asker, answer: bytes) -> None:
        bundle = run.order.bundle
        await self._log.append(
            connection,
            event=Event.EVIDENCE_RESOLVED,
            caller=asker.caller,
            purpose=asker.purpose,
            subjects=[party.code for party in run.order.parties],
            details={
                "case": str(run.case_id),
                "item": run.rules.item.code,
                "version": run.rules.version,
                "run": run.number,
                "outcomes": count_outcomes(run.resolution),
                "calls": run.resolution.calls,
                "answer_sm3": sm3.digest(answer).hex(),
                "bundle": None if bundle is None else bundle.code,
            },
        )

    def _fact_row(self, state: FactState, order: EvidenceOrder) -> store.FactRow:
        return store.FactRow(
            fact=state.fact.code,
            outcome=state.outcome,
            code=state.code,
            established_at=state.established_at,
            reused_from=state.reused_from,
            reuse_key=self._reuse.key_of(state.fact, order),
        )


def count_run(resolution: Resolution, *, took_ms: int) -> store.RunCounts:
    """Count what a run came to."""
    outcomes = [each.outcome for each in resolution.materials]
    return store.RunCounts(
        took_ms=took_ms,
        calls=resolution.calls,
        required=len(outcomes),
        supplied=outcomes.count(Outcome.SUPPLIED),
        waived=outcomes.count(Outcome.WAIVED),
        undertaken=outcomes.count(Outcome.COMMITTED) + outcomes.count(Outcome.TOLERATED),
        remaining=sum(not each.is_settled for each in outcomes),
    )


def build_bases(resolution: Resolution) -> list[store.BasisRow]:
    """List every source row and certificate that the case's outcomes rest on."""
    return [
        store.BasisRow(
            fact=state.fact.code,
            way=attempt.number,
            kind=attempt.way.kind,
            outcome=attempt.reading.outcome,
            source=attempt.reading.basis.source,
            source_version=attempt.reading.basis.version,
            row_key=attempt.reading.basis.row_key,
            certificate_id=attempt.reading.basis.certificate_id,
            as_of=attempt.reading.basis.as_of,
        )
        for state in resolution.facts.values()
        for attempt in state.attempts
        if attempt.reading.basis is not None
    ]
