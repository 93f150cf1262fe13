"""The answer of an evidence request, as canonical JSON can hold it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from evidence.cases.asks import Filler
from evidence.cases.model import Attempt, Case, EvidenceOrder, FactState, MaterialState, Resolution
from evidence.cases.remedies import build_remedies
from evidence.cases.store import RunCounts
from evidence.rules.model import ItemVersion
from evidence.sources.model import Basis, Outcome
from signing.canonical_json import JsonValue

MARK_CHARACTERS = 32
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a case: what it began from and what it came to."""

    case_id: UUID
    number: int
    case: Case
    rules: ItemVersion
    order: EvidenceOrder
    resolution: Resolution
    marks: Mapping[str, str]
    counts: RunCounts
    copies: Mapping[str, JsonValue]
    at: datetime


def build_answer(run: Run) -> dict[str, JsonValue]:
    """Build the whole answer; a further run of a case tells only of the materials that changed."""
    before, counts = run.case.marks, run.counts
    changed = None
    if run.number > 1:
        changed = frozenset(code for code, mark in run.marks.items() if before.get(code) != mark)
    answer: dict[str, JsonValue] = {
        "case": str(run.case_id),
        "case_number": run.case.case_number,
        "item": {
            "code": run.rules.item.code,
            "title": run.rules.item.title,
            "version": run.rules.version,
        },
        "run": run.number,
        "at": run.at.isoformat(),
        "complete": counts.remaining == 0,
        "summary": {
            "required": counts.required,
            "supplied": counts.supplied,
            "waived": counts.waived,
            "undertaken": counts.undertaken,
            "remaining": counts.remaining,
            "calls": counts.calls,
            "took_ms": counts.took_ms,
        },
        "materials": build_materials(run.resolution, changed=changed, copies=run.copies, now=run.at),
        "unchanged": () if changed is None else tuple(sorted(run.marks.keys() - changed)),
        "no_longer_required": tuple(sorted(before.keys() - run.marks.keys())),
        "not_required": run.resolution.not_required,
    }
    if run.order.prefill:
        answer["prefill"] = build_prefill(run.resolution, run.order)
    return answer


def mark_materials(resolution: Resolution, *, keyed: Callable[[bytes], bytes]) -> dict[str, str]:
    """Return a keyed digest (`keyed`) of each material's state, by which the next run tells what has changed.

    The versions of sources are not part of it: that others' rows changed is no news for this case.
    """
    return {each.material.code: _mark(each, keyed) for each in resolution.materials}


def mark_fact(state: FactState, *, keyed: Callable[[bytes], bytes]) -> bytes:
    """Return a keyed digest of what a fact came to: its values, and the certificate that it stands on.

    That of a fact which another case of the bundle established is the same, since such facts give no values.
    """
    basis = None if state.deciding is None else state.deciding.reading.basis
    parts = [
        str(state.outcome),
        sorted((name, str(value)) for name, value in state.attributes.items()),
        None if basis is None else basis.certificate_id,
    ]
    return keyed(_ENCODER.encode(parts).encode())


def _mark(state: MaterialState, keyed: Callable[[bytes], bytes]) -> str:
    parts = [
        [
            fact.fact.code,
            fact.outcome,
            fact.code,
            sorted((name, str(value)) for name, value in fact.attributes.items()),
            [] if fact.deciding is None else _identity(fact.deciding.reading.basis),
        ]
        for fact in state.facts
    ]
    return keyed(_ENCODER.encode(parts).encode()).hex()[:MARK_CHARACTERS]


def _identity(basis: Basis | None) -> list[str | None]:
    return [] if basis is None else [basis.source, basis.certificate_id]


def count_outcomes(resolution: Resolution) -> dict[str, int]:
    """Count the materials by outcome."""
    return dict(Counter(str(each.outcome) for each in resolution.materials))


def build_materials(
    resolution: Resolution, *, changed: frozenset[str] | None, copies: Mapping[str, JsonValue], now: datetime
) -> list[JsonValue]:
    """Render the materials, only those that changed where `changed` is given."""
    return [
        _render_material(each, copies, now)
        for each in resolution.materials
        if changed is None or each.material.code in changed
    ]


def build_prefill(resolution: Resolution, order: EvidenceOrder) -> dict[str, JsonValue]:
    """Return the form's fields that are known, with where each value is from."""
    filler = Filler(order, resolution.facts)
    filled: dict[str, JsonValue] = {}
    for name, text in resolution.item.form.items():
        value = filler.show(text)
        if value is not None and value != "":
            filled[name] = {"value": value, "from": text}
    return filled


def _render_material(
    state: MaterialState, copies: Mapping[str, JsonValue], now: datetime
) -> dict[str, JsonValue]:
    remedies: list[JsonValue] = []
    for fact in state.facts:
        remedies += [
            {"fact": fact.fact.code, **each} for each in build_remedies(fact) if isinstance(each, dict)
        ]
    return {
        "code": state.material.code,
        "title": state.material.title,
        "outcome": str(state.outcome),
        "facts": [_render_fact(each, copies, now) for each in state.facts],
        "remedies": remedies,
    }


def _render_fact(state: FactState, copies: Mapping[str, JsonValue], now: datetime) -> dict[str, JsonValue]:
    rendered: dict[str, JsonValue] = {
        "code": state.fact.code,
        "title": state.fact.title,
        "outcome": str(state.outcome),
        "reason": state.code,
        "detail": state.detail,
    }
    if state.deciding is not None and state.deciding.reading.basis is not None:
        rendered["source"] = render_basis(state.deciding, state.deciding.reading.basis, now)
    if state.outcome is Outcome.SUPPLIED and state.attributes:
        rendered["data"] = dict(state.attributes)
        if state.masked:
            rendered["masked"] = tuple(sorted(state.masked))
    if state.reused_from is not None:
        rendered["reused_from"] = str(state.reused_from)
    if state.outcome is not Outcome.SUPPLIED or len(state.attempts) > 1:
        rendered["tried"] = [_render_attempt(each, now) for each in state.attempts]
    if state.fact.code in copies:
        rendered["copy"] = copies[state.fact.code]
    return rendered


def _render_attempt(attempt: Attempt, now: datetime) -> dict[str, JsonValue]:
    reading = attempt.reading
    rendered: dict[str, JsonValue] = {
        "way": attempt.number,
        "kind": attempt.way.kind,
        "outcome": str(reading.outcome),
        "reason": reading.code,
        "detail": reading.detail,
    }
    if reading.basis is not None:
        rendered["source"] = render_basis(attempt, reading.basis, now)
    return rendered


def render_basis(attempt: Attempt, basis: Basis, now: datetime) -> dict[str, JsonValue]:
    """Render a source, with the age of its data in seconds."""
    age = None if basis.as_of is None else max(0, int((now - basis.as_of).total_seconds()))
    return {
        "kind": attempt.way.kind,
        "name": basis.source,
        "title": basis.title,
        "version": basis.version,
        "as_of": None if basis.as_of is None else basis.as_of.isoformat(),
        "age_s": age,
        "certificate": basis.certificate_id,
    }
