"""Dataset, credit and verification ways: what is asked of the exchange, and what its answers come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.china_time import china_day
from core.errors import Closed, GrantMissing, NotFound, RateLimited, ShuzhengError, Unavailable
from evidence.rules.model import Clean, CreditWay, DatasetWay, VerificationWay
from evidence.sources.model import Ask, Basis, Outcome, Reading
from evidence.sources.requirements import judge_requirements
from exchange.access.values import render_value
from exchange.query.model import FoundRows, Question
from exchange.verify.model import Assertion, Check, JudgedCheck, Operator
from exchange.verify.model import Outcome as Judged

_TELLING: Sequence[tuple[Judged, Outcome, str, str]] = (
    (Judged.MISMATCH, Outcome.CONFLICTING, "MISMATCH", "what is stated and the source disagree on {items}"),
    (Judged.DISPUTED, Outcome.CONFLICTING, "DISPUTED", "the source's {items} is under objection"),
    (Judged.NOT_AUTHORISED, Outcome.NOT_AUTHORISED, "NOT-GRANTED", "no grant covers {items}"),
    (Judged.SOURCE_UNAVAILABLE, Outcome.SOURCE_UNAVAILABLE, "CLOSED", "the source gives no {items} now"),
    (Judged.NOT_UNIQUE, Outcome.CONFLICTING, "NOT-UNIQUE", "several rows of the source fit; {items} is open"),
    (Judged.NOT_FOUND, Outcome.NOT_HELD, "NOT-FOUND", "the source has no such subject, or no {items} of it"),
)
"""Which outcome of an assertion decides, the first that occurs."""


def build_question(ask: Ask) -> tuple[str, Question]:
    """Build the query of a dataset or credit way: the items that the rule names and no more."""
    way = ask.way
    if isinstance(way, DatasetWay):
        items = tuple(dict.fromkeys([*way.gives.values(), *(each.item for each in way.requires)]))
        keys, where = dict(ask.keys), None
    else:
        assert isinstance(way, CreditWay)
        items, keys, where = tuple(ask.keys), None, dict(ask.keys)
    question = Question(keys=keys, where=where, items=items or tuple(ask.keys), limit_rows=2, after=None)
    return way.resource, question


def build_check(ask: Ask) -> Check:
    """Build the verification of a verification way."""
    assert isinstance(ask.way, VerificationWay)
    assertions = [
        Assertion(item=item, operator=Operator.EQ, value=value) for item, value in ask.asserted.items()
    ]
    return Check(resource_code=ask.way.resource, subject=dict(ask.keys), assertions=assertions)


def read_rows(ask: Ask, found: FoundRows | ShuzhengError, *, now: datetime) -> Reading:
    """Say what a query's answer comes to."""
    if isinstance(found, ShuzhengError):
        return read_error(ask, found)
    snapshot = found.answer.snapshot
    basis = Basis(
        source=found.answer.resource_code,
        title=found.title,
        version=snapshot.version,
        as_of=snapshot.as_of,
        row_key=found.row_key,
    )
    stale = _find_staleness(ask, basis, now)
    if stale is not None:
        return stale
    if isinstance(ask.way, CreditWay):
        return _judge_credit(ask.way, basis, is_there=bool(snapshot.rows))
    assert isinstance(ask.way, DatasetWay)
    return _find_fault(ask, ask.way, found, basis, now) or _supply(ask.way, found, basis)


def _find_fault(ask: Ask, way: DatasetWay, found: FoundRows, basis: Basis, now: datetime) -> Reading | None:
    """Say why a row does not establish the fact; None where it does."""
    snapshot, masks = found.answer.snapshot, found.answer.masks
    if not snapshot.rows:
        detail = f"{basis.title} has no such row"
        return Reading(outcome=Outcome.NOT_HELD, code="NOT-FOUND", detail=detail, basis=basis)
    if len(snapshot.rows) > 1 or (snapshot.disputed and snapshot.disputed[0]):
        words = "several rows fit" if len(snapshot.rows) > 1 else "the row is under objection"
        detail = f"{basis.title}: {words}"
        return Reading(outcome=Outcome.CONFLICTING, code="DISPUTED", detail=detail, basis=basis)
    hidden = sorted({each.item for each in way.requires} & set(masks))
    if hidden:
        detail = f"the grant shows {', '.join(hidden)} masked, which cannot be tested"
        return _not_authorised(ask, "MASKED", detail, basis=basis)
    values = {name: render_value(value) for name, value in snapshot.rows[0].items()}
    today = china_day(now)
    failed = judge_requirements(way.requires, ask.wanted, values, today=today)
    if failed is None:
        return None
    outcome, code, detail = failed
    return Reading(outcome=outcome, code=code, detail=f"{basis.title}: {detail}", basis=basis)


def _supply(way: DatasetWay, found: FoundRows, basis: Basis) -> Reading:
    row, masks = found.answer.snapshot.rows[0], found.answer.masks
    return Reading(
        outcome=Outcome.SUPPLIED,
        code="DATA",
        detail=f"from {basis.title}",
        basis=basis,
        attributes={name: masks.get(item, render_value)(row[item]) for name, item in way.gives.items()},
        masked=frozenset(name for name, item in way.gives.items() if item in masks),
    )


def read_judgement(ask: Ask, judged: JudgedCheck, *, now: datetime) -> Reading:
    """Say what a verification comes to: supplied only where every assertion matches."""
    finding = judged.finding
    basis = Basis(
        source=finding.resource_code,
        title=judged.title,
        version=finding.version,
        as_of=finding.as_of,
        row_key=judged.budget_key,
    )
    for judgement, outcome, code, words in _TELLING:
        items = [each.item for each in finding.judgements if each.outcome is judgement]
        if items:
            detail = f"{basis.title}: " + words.format(items=", ".join(items))
            if outcome is Outcome.NOT_AUTHORISED:
                return _not_authorised(ask, code, detail)
            return Reading(outcome=outcome, code=code, detail=detail, basis=basis)
    stale = _find_staleness(ask, basis, now)
    if stale is not None:
        return stale
    return Reading(
        outcome=Outcome.SUPPLIED, code="MATCH", detail=f"verified against {basis.title}", basis=basis
    )


def read_error(ask: Ask, error: ShuzhengError) -> Reading:
    """Say what a refusal or failure of one ask comes to."""
    match error:
        case GrantMissing():
            return _not_authorised(ask, "NOT-GRANTED", error.detail)
        case NotFound():
            return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="UNKNOWN-SOURCE", detail=error.detail)
        case Closed():
            return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="CLOSED", detail=error.detail)
        case RateLimited() | Unavailable():
            return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code=error.code, detail=error.detail)
    if any(each.code in {"UNKNOWN-RESOURCE", "UNKNOWN-ITEM"} for each in error.errors):
        detail = "the source no longer has what the rules name; the office should mend its rules"
        return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="UNKNOWN-SOURCE", detail=detail)
    detail = "the values that the source is asked by are not in its form: " + "; ".join(
        each.detail for each in error.errors
    )
    return Reading(outcome=Outcome.NOT_HELD, code="VALUE", detail=detail if error.errors else error.detail)


def _find_staleness(ask: Ask, basis: Basis, now: datetime) -> Reading | None:
    assert isinstance(ask.way, DatasetWay | CreditWay | VerificationWay)
    if not basis.version:
        detail = f"{basis.title}: nothing has been published yet"
        return Reading(
            outcome=Outcome.SOURCE_UNAVAILABLE, code="NOTHING-PUBLISHED", detail=detail, basis=basis
        )
    days = ask.way.max_age_days
    if days is not None and basis.as_of is not None and now - basis.as_of > timedelta(days=days):
        detail = f"{basis.title}: the data are older than the {days} days that the item allows"
        return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="STALE", detail=detail, basis=basis)
    return None


def _judge_credit(way: CreditWay, basis: Basis, *, is_there: bool) -> Reading:
    if is_there is (way.clean is Clean.PRESENT):
        detail = f"{basis.title} lists the subject" if is_there else f"nothing in {basis.title}"
        return Reading(outcome=Outcome.SUPPLIED, code="CREDIT", detail=detail, basis=basis)
    detail = f"{basis.title} lists the subject" if is_there else f"{basis.title} does not list the subject"
    code = "LISTED" if is_there else "NOT-LISTED"
    return Reading(outcome=Outcome.NOT_HELD, code=code, detail=detail, basis=basis)


def _not_authorised(ask: Ask, code: str, detail: str, *, basis: Basis | None = None) -> Reading:
    way = ask.way
    match way:
        case VerificationWay():
            mode, items = "verify", [*ask.keys, *ask.asserted]
        case CreditWay():
            mode, items = "query", list(ask.keys)
        case _:
            assert isinstance(way, DatasetWay)
            mode = "query"
            items = [*ask.keys, *way.gives.values(), *(each.item for each in way.requires)]
    return Reading(
        outcome=Outcome.NOT_AUTHORISED,
        code=code,
        detail=detail,
        basis=basis,
        apply_for={"resource": way.resource, "mode": mode, "items": sorted(set(items))},
    )
