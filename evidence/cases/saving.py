"""Saving a run of a case: what it rests on, what follows from it, its leaf and its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.database import Connection
from core.database.writes import Writes
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf
from evidence.cases import store
from evidence.cases.answer import Run, build_answer, count_outcomes, mark_fact, mark_materials
from evidence.cases.model import Case, EvidenceOrder, FactState, Resolution
from evidence.cases.reuse import ReuseDesk
from evidence.cases.sealing import OrderSeal
from evidence.commitments.inquiries import InquiryDesk
from evidence.commitments.service import UndertakingService
from evidence.rules.model import ItemVersion, OnChange
from evidence.sources.model import Asker, Outcome
from exchange.query.records import Records
from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json


class Overtaken(Exception):
    """Another run of the same case was saved meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A run of a case that is about to be saved. `records` are those of what it read in this transaction."""

    case: Case
    rules: ItemVersion
    order: EvidenceOrder
    resolution: Resolution
    asker: Asker
    begun: float
    at: datetime
    copies: Mapping[str, JsonValue] = field(default_factory=dict)
    records: Records = field(default_factory=Records)


class CaseSaver:
    """Saves runs of cases."""

    def __init__(
        self,
        *,
        log: LogWriter,
        reuse: ReuseDesk,
        undertakings: UndertakingService,
        inquiries: InquiryDesk,
        seal: OrderSeal,
        mark_key: bytes,
    ) -> None:
        self._log = log
        self._reuse = reuse
        self._undertakings = undertakings
        self._inquiries = inquiries
        self._seal = seal
        self._keyed = sm3.keyed_hmac(mark_key)

    async def save(self, connection: Connection, outgoing: Outgoing) -> bytes:
        """Save a run with its leaves; return its answer as canonical JSON. Raises Overtaken."""
        case, resolution = outgoing.case, outgoing.resolution
        run = Run(
            case_id=case.id,
            number=case.runs + 1,
            case=case,
            rules=outgoing.rules,
            order=outgoing.order,
            resolution=resolution,
            marks=mark_materials(resolution, keyed=self._keyed),
            counts=count_run(resolution, took_ms=round((time.perf_counter() - outgoing.begun) * 1000)),
            copies=outgoing.copies,
            at=outgoing.at,
        )
        answer = build_canonical_json(build_answer(run))
        writes = Writes()
        saved = store.write_run(
            writes,
            case=case,
            outcomes={each.material.code: str(each.outcome) for each in resolution.materials},
            marks=run.marks,
            at=outgoing.at,
            facts=[self._fact_row(state, outgoing.order) for state in resolution.facts.values()],
            bases=build_bases(resolution),
            counts=run.counts,
            order=self._keep_order(outgoing),
        )
        leaf = _describe(run, outgoing.asker, answer)
        found = await outgoing.records.save_with(connection, writes, log=self._log, further=[leaf])
        if not found[saved]:
            raise Overtaken
        await self._follow_up(connection, run, outgoing.asker)
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

    def mark_fact(self, state: FactState) -> bytes:
        """Return the mark of a fact, by which a later check tells whether it is so still."""
        return mark_fact(state, keyed=self._keyed)

    def _keep_order(self, outgoing: Outgoing) -> store.KeptOrder | None:
        """Keep an order only where the rules have the hub check again by itself, without holders' codes."""
        facts = outgoing.rules.item.facts
        if not any(each.on_change is OnChange.RECHECK for each in facts):
            return None
        sealed = self._seal.seal(outgoing.order, bound_to=outgoing.case.id)
        return store.KeptOrder(sealed=sealed, system_id=outgoing.asker.caller.system_id)

    def _fact_row(self, state: FactState, order: EvidenceOrder) -> store.FactRow:
        return store.FactRow(
            fact=state.fact.code,
            outcome=state.outcome,
            code=state.code,
            established_at=state.established_at,
            reused_from=state.reused_from,
            reuse_key=self._reuse.key_of(state.fact, order),
            mark=self.mark_fact(state) if state.fact.on_change is OnChange.RECHECK else None,
        )


def _describe(run: Run, asker: Asker, answer: bytes) -> NewLeaf:
    bundle = run.order.bundle
    return NewLeaf(
        event=Event.EVIDENCE_RESOLVED,
        caller=asker.caller,
        purpose=asker.purpose,
        subject=None,
        subjects=tuple(party.code for party in run.order.parties),
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
        for attempt in (*state.attempts, *state.inherited)
        if attempt.reading.basis is not None
    ]
