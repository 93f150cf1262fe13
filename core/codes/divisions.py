"""Administrative divisions (行政区划): the shipped table, and looking codes up in it.

Source and vintage of the table: `core/codes/data/README.md`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

VINTAGE = "2023"


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A province (level 1), city (2) or county (3); `parent` is None for provinces."""

    code: str
    name: str
    level: int
    parent: str | None


@cache
def load_divisions() -> dict[str, Division]:
    """Load the shipped table by code, in order; the same dictionary each time, not to be changed."""
    text = (files("core.codes") / "data" / "divisions.csv").read_text(encoding="utf-8")
    return {
        row["code"]: Division(
            code=row["code"], name=row["name"], level=int(row["level"]), parent=row["parent"] or None
        )
        for row in csv.DictReader(text.splitlines())
    }


def is_known_division(code: str) -> bool:
    """Tell whether a six-digit code stands in the shipped table."""
    return code in load_divisions()
