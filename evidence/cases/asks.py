"""Filling in the references of a way: from rules to asks."""

from __future__ import annotations

from collections.abc import Mapping

from evidence.cases.model import EvidenceOrder, FactState
from evidence.rules.model import (
    CertificateWay,
    CreditWay,
    DatasetWay,
    Fact,
    SourceWay,
    VerificationWay,
)
from evidence.rules.values import Origin, parse_value
from evidence.sources.model import Ask, Outcome, Reading


class _NotGiven(Exception):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.code)
        self.reading = reading


class Filler:
    """Fills in references, from the order and from facts that are established already."""

    def __init__(self, order: EvidenceOrder, states: Mapping[str, FactState]) -> None:
        self._parties = {each.role: each for each in order.parties}
        self._inputs = order.inputs
        self._states = states

    def build_ask(self, fact: Fact, number: int, way: SourceWay) -> Ask | Reading:
        """Build the ask of a way, or say why it cannot be asked."""
        try:
            return self._build(fact, number, way)
        except _NotGiven as missing:
            return missing.reading

    def show(self, text: str) -> str | bool | None:
        """Return a value for the form; None where it is not known."""
        value = parse_value(text)
        if value is not None and value.origin is Origin.FACT:
            state = self._states.get(value.name)
            return None if state is None else state.attributes.get(value.field)
        try:
            return self.fill(text)
        except _NotGiven:
            return None

    def fill(self, text: str) -> str:
        """Return the text that a value stands for."""
        value = parse_value(text)
        assert value is not None
        match value.origin:
            case Origin.TEXT:
                return value.name
            case Origin.ROLE:
                party = self._parties.get(value.name)
                if party is None:
                    detail = f"nobody fills the role {value.name}"
                    raise _missing(detail, code="ROLE-EMPTY")
                return party.code if value.field == "code" else party.name
            case Origin.INPUT:
                if not self._inputs.get(value.name):
                    detail = f"the form says nothing under {value.name}"
                    raise _missing(detail, code="INPUT-EMPTY")
                return self._inputs[value.name]
        return self._from_fact(value.name, value.field)

    def _from_fact(self, name: str, attribute: str) -> str:
        state = self._states[name]
        found = state.attributes.get(attribute)
        if found is None or found == "":
            outcome = Outcome.NOT_HELD if state.outcome is Outcome.SUPPLIED else state.outcome
            outcome = Outcome.NOT_HELD if outcome.is_settled else outcome
            raise _NotGiven(
                Reading(
                    outcome=outcome,
                    code="NEEDS-FACT",
                    detail=f"this waits for {state.fact.title}, which is not there",
                )
            )
        if attribute in state.masked:
            detail = f"{state.fact.title} is shown masked, and nothing can be looked up by it"
            raise _NotGiven(Reading(outcome=Outcome.NOT_AUTHORISED, code="MASKED", detail=detail))
        return str(found)

    def _build(self, fact: Fact, number: int, way: SourceWay) -> Ask:
        asserted: dict[str, str] = {}
        match way:
            case CertificateWay():
                keys = {"code": self.fill(f"${way.holder}.code"), "kind": self._parties[way.holder].kind}
            case DatasetWay():
                keys = self._fill_all(way.keys)
            case VerificationWay():
                keys, asserted = self._fill_all(way.subject), self._fill_all(way.assertions)
            case CreditWay():
                keys = self._fill_all(way.where)
        wanted: tuple[tuple[str, ...], ...] = ()
        if isinstance(way, CertificateWay | DatasetWay):
            wanted = tuple(tuple(map(self.fill, each.values)) for each in way.requires)
        return Ask(fact=fact.code, number=number, way=way, keys=keys, asserted=asserted, wanted=wanted)

    def _fill_all(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self.fill(text) for name, text in values.items()}


def _missing(detail: str, *, code: str) -> _NotGiven:
    return _NotGiven(Reading(outcome=Outcome.NOT_HELD, code=code, detail=detail))
