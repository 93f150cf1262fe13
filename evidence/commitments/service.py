"""Making undertakings, and what people do about them afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import Conflict, FieldError, NotFound, SchemaViolation
from core.log.writer import LogWriter
from evidence.cases.model import Case, EvidenceOrder, FactState, Party
from evidence.cases.order import fit_order
from evidence.cases.remedies import template_digest
from evidence.cases.sealing import OrderSeal
from evidence.cases.store import FactRow, load_case_by_id, load_facts
from evidence.commitments import store
from evidence.commitments.closing import close_by_person, close_undertaking
from evidence.commitments.confirming import Confirmation, build_confirmed, verify_confirmation
from evidence.commitments.making import build_undertaking, record_undertaking
from evidence.commitments.model import Placed, Undertaking, UndertakingKind, UndertakingState
from evidence.rules.model import CommitmentWay, Fact, ServiceItem, ToleranceWay
from evidence.rules.service import RuleService
from evidence.sources.model import Asker, Outcome
from signing.trust import TrustPolicy

_ACTIONS: Final = {UndertakingKind.COMMITMENT: "commit", UndertakingKind.TOLERANCE: "deliver-later"}
_PROMISED: Final = {Outcome.SOURCE_UNAVAILABLE, Outcome.NOT_HELD, Outcome.NOT_AUTHORISED, Outcome.REQUESTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the applicant confirms for a fact; `text_sm3` is the digest of the text that was shown."""

    fact: str
    kind: UndertakingKind
    text_sm3: str | None = None


class UndertakingService:
    """Keeps undertakings."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        rules: RuleService,
        seal: OrderSeal,
        trust: Callable[[], Awaitable[TrustPolicy]],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._seal = seal
        self._trust = trust
        self._now = now

    async def make(
        self,
        case_id: UUID,
        promises: Sequence[Promise],
        *,
        role: str,
        order: EvidenceOrder,
        caller: Caller,
        purpose: Purpose,
        signature: bytes | None = None,
    ) -> list[Undertaking]:
        """Keep what the applicant in `role` confirmed, so that the case goes on.

        Each fact's rules must offer it and the case's last run must have left it open; a commitment's text is
        confirmed by its digest. `signature` is the applicant's own over what `build_confirmed` writes, and is
        verified where it is given. Raises NotFound for another office's case, Conflict where the case is
        closed or the purpose names another, SchemaViolation that points at all that is wrong.
        """
        asker = Asker(caller=caller, purpose=purpose)
        trust = None if signature is None else await self._trust()
        async with self._database.transaction() as connection:
            case = await load_case_by_id(connection, case_id=case_id)
            if case is None or case.organisation_code != caller.organisation_code:
                msg = "there is no case of that id"
                raise NotFound(msg)
            if case.closed_at is not None or not _is_of(case, purpose):
                msg = "the case is closed, or the purpose headers name another one"
                raise Conflict(msg)
            rules = await self._rules.load_kept(connection, case.item_code, case.item_version)
            order = fit_order(order, rules.item)
            found = {each.fact: each for each in await load_facts(connection, case_id=case_id)}
            ways, party = _read_promises(promises, role=role, order=order, item=rules.item, found=found)
            confirmation = Confirmation()
            if signature is not None and trust is not None:
                listed = [(each.fact, _ACTIONS[each.kind], each.text_sm3) for each in promises]
                content = build_confirmed(case_id, role, listed)
                confirmation = verify_confirmation(
                    signature, content=content, party=party, trust=trust, at=self._now()
                )
            made = []
            for promise, way in zip(promises, ways, strict=True):
                undertaking = await build_undertaking(
                    connection, case_id, promise.fact, way, asker=asker, at=self._now()
                )
                undertaking = replace(
                    undertaking,
                    role=role,
                    subject_key=self._log.hash_subject(party.code),
                    sealed=self._seal.seal(order, bound_to=undertaking.id),
                    confirmation=confirmation,
                )
                if await store.save_undertaking(connection, undertaking=undertaking):
                    await record_undertaking(
                        connection, self._log, undertaking, asker=asker, subject=party.code
                    )
                    made.append(undertaking)
            return made

    async def settle(
        self, connection: Connection, case_id: UUID, states: Mapping[str, FactState], *, caller: Caller
    ) -> None:
        """Close what a run of the case itself settled: a source established the fact."""
        for undertaking in await store.load_of_case(connection, case_id=case_id):
            state = states.get(undertaking.fact)
            if state is None or not undertaking.state.is_open or state.deciding is None:
                continue
            if state.outcome is Outcome.SUPPLIED:
                placed = await store.load_placed(connection, undertaking_id=undertaking.id)
                assert placed is not None
                await close_undertaking(
                    connection,
                    self._log,
                    placed,
                    state=_kept_state(undertaking.kind),
                    reason=state.code,
                    caller=caller,
                    at=self._now(),
                )

    async def list_own(self, *, caller: Caller, states: Sequence[UndertakingState]) -> list[Placed]:
        """List the undertakings of the caller's cases, newest first."""
        async with self._database.acquire() as connection:
            return await store.load_placed_of(
                connection, organisation_code=caller.organisation_code, department=None, states=states
            )

    async def deliver(self, undertaking_id: UUID, *, note: str, caller: Caller) -> Placed:
        """Note as the office that the applicant handed the material in. Raises as `answer`."""
        return await close_by_person(
            self._database,
            self._log,
            undertaking_id,
            kind=UndertakingKind.TOLERANCE,
            may=lambda placed: placed.organisation_code == caller.organisation_code,
            state=UndertakingState.DELIVERED,
            reason=note,
            caller=caller,
            at=self._now(),
        )

    async def withdraw(self, undertaking_id: UUID, *, note: str, caller: Caller) -> Placed:
        """Withdraw an undertaking as the office, say because the case was withdrawn. Raises as `answer`."""
        return await close_by_person(
            self._database,
            self._log,
            undertaking_id,
            kind=None,
            may=lambda placed: placed.organisation_code == caller.organisation_code,
            state=UndertakingState.WITHDRAWN,
            reason=note,
            caller=caller,
            at=self._now(),
        )


def _read_promises(
    promises: Sequence[Promise],
    *,
    role: str,
    order: EvidenceOrder,
    item: ServiceItem,
    found: Mapping[str, FactRow],
) -> tuple[list[CommitmentWay | ToleranceWay], Party]:
    """Find the way of each promise, and who makes it. Raises SchemaViolation that points at what is wrong."""
    errors: list[FieldError] = []
    ways: list[CommitmentWay | ToleranceWay] = []
    for number, promise in enumerate(promises):
        row = found.get(promise.fact)
        is_open = row is not None and row.outcome in _PROMISED
        way = _find_way(promise, item.fact(promise.fact)) if is_open else None
        errors += _check_promise(promise, way, f"/promises/{number}")
        if way is not None:
            ways.append(way)
    party = next((each for each in order.parties if each.role == role), None)
    if party is None:
        errors.append(FieldError(pointer="/role", code="UNKNOWN-ROLE", detail="nobody fills this role"))
    if errors or party is None:
        msg = "what was confirmed does not fit the case; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    return ways, party


def _is_of(case: Case, purpose: Purpose) -> bool:
    return (case.item_code, case.case_number) == (purpose.service_item, purpose.case_number)


def _kept_state(kind: UndertakingKind) -> UndertakingState:
    return UndertakingState.WITHDRAWN if kind is UndertakingKind.REQUEST else UndertakingState.KEPT


def _find_way(promise: Promise, fact: Fact | None) -> CommitmentWay | ToleranceWay | None:
    wanted = CommitmentWay if promise.kind is UndertakingKind.COMMITMENT else ToleranceWay
    ways = () if fact is None else fact.ways
    return next((way for way in ways if isinstance(way, wanted)), None)


def _check_promise(
    promise: Promise, way: CommitmentWay | ToleranceWay | None, pointer: str
) -> list[FieldError]:
    if way is None:
        detail = f"the case has no open fact {promise.fact!r} for which the rules offer a {promise.kind}"
        return [FieldError(pointer=f"{pointer}/fact", code="NOT-OFFERED", detail=detail)]
    if isinstance(way, CommitmentWay) and promise.text_sm3 != template_digest(way.template):
        detail = "not the SM3 of the commitment's text; the applicant confirmed another text"
        return [FieldError(pointer=f"{pointer}/text_sm3", code="OTHER-TEXT", detail=detail)]
    return []
