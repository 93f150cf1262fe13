"""What undertakings make of a case's facts: the sources come first, then what the case goes on under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.china_time import china_day
from evidence.cases.model import FactState
from evidence.cases.remedies import may_promise
from evidence.commitments.model import Undertaking, UndertakingKind, UndertakingState
from evidence.sources.model import Outcome

_S, _K = UndertakingState, UndertakingKind
_MEANING: Mapping[tuple[UndertakingKind, UndertakingState], tuple[Outcome, str, str]] = {
    (_K.REQUEST, _S.CONFIRMED): (Outcome.SUPPLIED, "DEPARTMENT", "the department that knows confirmed it"),
    (_K.TOLERANCE, _S.DELIVERED): (Outcome.SUPPLIED, "DELIVERED", "the applicant handed the material in"),
    (_K.REQUEST, _S.REFUTED): (Outcome.NOT_HELD, "REFUTED", "the department that knows says it is not so"),
    (_K.COMMITMENT, _S.BREACHED): (Outcome.NOT_HELD, "BREACHED", "the commitment was breached"),
    (_K.COMMITMENT, _S.OPEN): (Outcome.COMMITTED, "COMMITTED", "under a commitment, checked by {due}"),
    (_K.COMMITMENT, _S.OVERDUE): (
        Outcome.COMMITTED,
        "COMMITMENT-OVERDUE",
        "under a commitment that could not be checked by {due}",
    ),
    (_K.TOLERANCE, _S.OPEN): (Outcome.TOLERATED, "TOLERATED", "may follow by {due}"),
    (_K.TOLERANCE, _S.OVERDUE): (
        Outcome.NOT_HELD,
        "TOLERANCE-OVERDUE",
        "was to follow by {due}, and did not",
    ),
    (_K.REQUEST, _S.OPEN): (Outcome.REQUESTED, "REQUESTED", "a department was asked, and answers by {due}"),
    (_K.REQUEST, _S.OVERDUE): (
        Outcome.REQUESTED,
        "REQUEST-OVERDUE",
        "a department was asked, and has not answered by {due}",
    ),
}
"""What each kind in each state makes of a fact that no source settles, the strongest first."""


def lay_over(state: FactState, undertakings: Sequence[Undertaking]) -> FactState:
    """Return a fact's state with what its undertakings make of it, where no source settles or refutes it."""
    if not may_promise(state):
        return state
    newest: dict[tuple[UndertakingKind, UndertakingState], Undertaking] = {
        (each.kind, each.state): each for each in undertakings if each.fact == state.fact.code
    }
    for key, (outcome, code, words) in _MEANING.items():
        if key in newest:
            due = china_day(newest[key].due_at).isoformat()
            supplied = outcome is Outcome.SUPPLIED
            return replace(
                state,
                outcome=outcome,
                code=code,
                detail=words.format(due=due),
                deciding=None,
                established_at=newest[key].closed_at if supplied else None,
            )
    return state
