"""What the applicant, or the office, can do about each material that is not settled (一次性告知)."""

from __future__ import annotations

from evidence.cases.model import REFUTING, FactState
from evidence.rules.model import CommitmentWay, ToleranceWay
from evidence.sources.model import Outcome
from signing import sm3
from signing.canonical_json import JsonValue

MAY_PROMISE = frozenset(
    {Outcome.SOURCE_UNAVAILABLE, Outcome.NOT_HELD, Outcome.NOT_AUTHORISED, Outcome.REQUESTED}
)
_WORDS = {
    Outcome.CONFLICTING: (
        "correct",
        "correct what was stated, or ask {source} to correct its record (an objection through the office)",
    ),
    Outcome.REVOKED: ("ask-issuer", "ask the issuer of {source}, or hand in another proof"),
    Outcome.EXPIRED: ("renew", "have {source} renewed"),
    Outcome.NOT_HELD: ("hand-in", "hand the material in"),
    Outcome.SOURCE_UNAVAILABLE: ("wait", "nothing now: the hub can be asked again later; or hand it in"),
    Outcome.NOT_AUTHORISED: (
        "authorise-or-hand-in",
        "authorise the use of the certificate at the portal, or hand the material in",
    ),
    Outcome.REQUESTED: ("wait", "nothing: the department that knows was asked"),
}


def may_promise(state: FactState) -> bool:
    """Tell whether a commitment or a later delivery can stand in a fact's place: no source refutes it."""
    return state.outcome in MAY_PROMISE and state.code not in REFUTING


def build_remedies(state: FactState) -> list[dict[str, JsonValue]]:
    """List what can be done about a fact that is not settled; nothing for one that is."""
    if state.outcome.is_settled:
        return []
    action, words = _WORDS[state.outcome]
    basis = None if state.deciding is None else state.deciding.reading.basis
    source = "the source" if basis is None else basis.title
    remedies: list[dict[str, JsonValue]] = [
        {"who": "applicant", "action": action, "text": words.format(source=source)}
    ]
    remedies += [
        {
            "who": "office",
            "action": "apply",
            "text": attempt.reading.detail,
            "apply_for": _plain(attempt.reading.apply_for),
        }
        for attempt in state.attempts
        if attempt.reading.apply_for
    ]
    if may_promise(state):
        remedies += _offers(state)
    return remedies


def template_digest(text: str) -> str:
    """Return the SM3 of a commitment's text, in hex: what is confirmed."""
    return sm3.digest(text.encode()).hex()


def _offers(state: FactState) -> list[dict[str, JsonValue]]:
    offers: list[dict[str, JsonValue]] = []
    for way in state.fact.ways:
        match way:
            case CommitmentWay():
                offers.append(
                    {
                        "who": "applicant",
                        "action": "commit",
                        "text": way.template,
                        "text_sm3": template_digest(way.template),
                        "within_days": way.verify_within_days,
                    }
                )
            case ToleranceWay():
                text = f"the material may follow within {way.within_days} working days"
                offers.append(
                    {
                        "who": "applicant",
                        "action": "deliver-later",
                        "text": text,
                        "within_days": way.within_days,
                    }
                )
    return offers


def _plain(apply_for: object) -> JsonValue:
    assert isinstance(apply_for, dict)
    return {
        str(name): list(value) if isinstance(value, list | tuple) else str(value)
        for name, value in apply_for.items()
    }
