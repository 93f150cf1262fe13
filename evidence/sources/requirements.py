"""Testing what a source gave against what a rule requires of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from evidence.rules.model import Comparison, Requirement
from evidence.sources.model import Outcome
from exchange.access.values import narrow_to_half

Shown = Mapping[str, str | bool | None]
_DAY: Final = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[T ].*)?", re.ASCII)


def normalise(value: object) -> str:
    """Write a value so that two sources that mean the same agree: width, blanks, and the form of days."""
    text = narrow_to_half("" if value is None else str(value))
    text = "".join(text.split()).upper()
    day = read_day(text)
    return text if day is None else day.isoformat()


def read_day(text: str) -> date | None:
    """Read a day in one of the forms that sources write; None where it is none."""
    found = _DAY.fullmatch(text)
    if not found:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def judge_requirements(
    requires: Sequence[Requirement], wanted: Sequence[Sequence[str]], values: Shown, *, today: date
) -> tuple[Outcome, str, str] | None:
    """Return outcome, code and sentence of the first requirement that is not met; None where all are."""
    for requirement, texts in zip(requires, wanted, strict=True):
        value = values.get(requirement.item)
        if value is None or value == "":
            return Outcome.NOT_HELD, "EMPTY", f"the source has nothing recorded under {requirement.item}"
        match requirement.test:
            case Comparison.EQUALS | Comparison.ONE_OF:
                if normalise(value) not in {normalise(text) for text in texts}:
                    from_form = any(text.startswith("$") for text in requirement.values)
                    outcome = Outcome.CONFLICTING if from_form else Outcome.NOT_HELD
                    detail = f"{requirement.item} at the source is not what "
                    detail += "the form or another source says" if from_form else "the item requires"
                    return outcome, "MISMATCH" if from_form else "REQUIREMENT", detail
            case Comparison.NOT_PAST:
                day = read_day(normalise(value))
                if day is None:
                    detail = f"{requirement.item} at the source is no day"
                    return Outcome.SOURCE_UNAVAILABLE, "GARBAGE", detail
                if day < today:
                    return Outcome.EXPIRED, "EXPIRED", f"{requirement.item} at the source has passed"
            case Comparison.FILLED:
                continue
    return None
