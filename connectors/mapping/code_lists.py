"""Proposes what the codes of a source mean in a target's code list, and says how sure it is of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

SAME_TITLE: Final = 1.0
SAME_CODE: Final = 0.9  # two lists may give one code two meanings
SOME_SAME_CODES: Final = 0.5  # the more so where other codes are strangers
SAME_NUMBER: Final = 0.7  # but for leading zeros
LIKELY: Final = 0.5
APART: Final = 0.05  # nearer than this two proposals are one doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What a code of the source is in the target's list: `to` is None where nothing there is like it.

    `sure` lies between 0 and 1, `why` says what it stands on.
    """

    code: str
    to: str | None
    sure: float
    why: str


def match_codes(seen: Sequence[str], wanted: Mapping[str, str]) -> list[Translation]:
    """Propose a translation of each code that was seen, in their order. `wanted` is code → title."""
    same_code = SAME_CODE if all(code in wanted for code in seen) else SOME_SAME_CODES
    return [_match(code, wanted, same_code) for code in seen]


def _match(code: str, wanted: Mapping[str, str], same_code: float) -> Translation:
    scored = sorted(
        ((*_score(code, target, title, same_code), target) for target, title in wanted.items()),
        key=lambda entry: entry[0],
        reverse=True,
    )
    best, why, to = scored[0] if scored else (0.0, "", "")
    if best < LIKELY:
        return Translation(code=code, to=None, sure=0.0, why="nothing in the list is like it")
    if len(scored) > 1 and best - scored[1][0] < APART:
        why = f"{to} and {scored[1][2]} are as like it"
        return Translation(code=code, to=None, sure=0.0, why=why)
    return Translation(code=code, to=to, sure=round(best, 2), why=why)


def _score(code: str, target: str, title: str, same_code: float) -> tuple[float, str]:
    given, named = _plain(code), _plain(title)
    if given and given == named:
        return SAME_TITLE, f"it is the title {title}"
    if code == target:
        return same_code, "it is the same code"
    if code.isdecimal() and target.isdecimal() and int(code) == int(target):
        return SAME_NUMBER, f"it is the number {target}"
    if given and named and (named.startswith(given) or given.startswith(named)):
        share = min(len(given), len(named)) / max(len(given), len(named))
        return 0.6 + 0.3 * share, f"the title {title} begins alike"
    return 0.8 * SequenceMatcher(None, given, named).ratio(), f"the title {title} is like it"


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()
