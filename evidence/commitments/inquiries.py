"""Questions to departments that know (协助核查)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from core.caller import Caller
from core.database import Connection, Database
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cases.model import EvidenceOrder, FactState
from evidence.cases.remedies import may_promise
from evidence.cases.sealing import OrderSeal
from evidence.commitments import store
from evidence.commitments.closing import close_by_person, tell_office
from evidence.commitments.making import build_undertaking, record_undertaking
from evidence.commitments.model import Placed, Undertaking, UndertakingKind, UndertakingState
from evidence.rules.model import Fact, RequestWay
from evidence.sources.model import Asker, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedInquiry:
    """A question to a department, with whom it is about."""

    placed: Placed
    order: EvidenceOrder | None


class InquiryDesk:
    """Asks departments for a case's facts, and takes their answers."""

    def __init__(
        self, *, database: Database, log: LogWriter, seal: OrderSeal, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._seal = seal
        self._now = now

    async def ask_departments(
        self,
        connection: Connection,
        case_id: UUID,
        states: Mapping[str, FactState],
        *,
        order: EvidenceOrder,
        asker: Asker,
    ) -> None:
        """Put the facts that were found `requested` to the departments that know, each once."""
        known = {
            each.fact
            for each in await store.load_of_case(connection, case_id=case_id)
            if each.kind is UndertakingKind.REQUEST
        }
        for state in states.values():
            way = request_way(state.fact)
            if way is None or state.outcome is not Outcome.REQUESTED or state.fact.code in known:
                continue
            undertaking = await build_undertaking(
                connection, case_id, state.fact.code, way, asker=asker, at=self._now()
            )
            sealed = self._seal.seal(order, bound_to=undertaking.id)
            undertaking = replace(undertaking, department=way.department, sealed=sealed)
            await store.save_undertaking(connection, undertaking=undertaking)
            placed = await store.load_placed(connection, undertaking_id=undertaking.id)
            assert placed is not None
            await tell_office(connection, placed, state="asked", reason=way.question, at=undertaking.made_at)
            await record_undertaking(connection, self._log, undertaking, asker=asker)

    async def list_inquiries(self, *, caller: Caller) -> list[OpenedInquiry]:
        """List the open questions to the caller's department, with whom they are about; each on record."""
        async with self._database.transaction() as connection:
            found = await store.load_placed_of(
                connection,
                organisation_code=None,
                department=caller.organisation_code,
                states=[UndertakingState.OPEN, UndertakingState.OVERDUE],
            )
            opened = [OpenedInquiry(placed=each, order=self._open(each.undertaking)) for each in found]
            for each in opened:
                parties = () if each.order is None else each.order.parties
                await self._log.append(
                    connection,
                    event=Event.INQUIRY_READ,
                    caller=caller,
                    subjects=[party.code for party in parties],
                    details={"undertaking": str(each.placed.undertaking.id)},
                )
            return opened

    async def answer(self, undertaking_id: UUID, *, confirmed: bool, note: str, caller: Caller) -> Placed:
        """Answer a question as the department that was asked. Raises NotFound, Conflict, SchemaViolation."""
        state = UndertakingState.CONFIRMED if confirmed else UndertakingState.REFUTED
        return await close_by_person(
            self._database,
            self._log,
            undertaking_id,
            kind=UndertakingKind.REQUEST,
            may=lambda placed: placed.undertaking.department == caller.organisation_code,
            state=state,
            reason=note,
            caller=caller,
            at=self._now(),
        )

    def _open(self, undertaking: Undertaking) -> EvidenceOrder | None:
        if undertaking.sealed is None:
            return None
        return self._seal.open(undertaking.sealed, bound_to=undertaking.id)


def request_way(fact: Fact) -> RequestWay | None:
    """Return the way of a fact that asks a department, None where there is none."""
    return next((way for way in fact.ways if isinstance(way, RequestWay)), None)


def request_open_facts(
    states: Mapping[str, FactState], undertakings: Sequence[Undertaking]
) -> dict[str, FactState]:
    """Mark as requested what no source settles, a department knows, and was not asked before."""
    asked = {each.fact for each in undertakings if each.kind is UndertakingKind.REQUEST}
    marked = dict(states)
    for code, state in states.items():
        if code not in asked and request_way(state.fact) is not None and may_promise(state):
            detail = "the department that knows was asked"
            marked[code] = replace(state, outcome=Outcome.REQUESTED, code="REQUESTED", detail=detail)
    return marked
