"""Checks, findings, stages, and the rows that the kit works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found, and what to mend where it failed."""

    check: str
    outcome: Outcome
    detail: str = ""
    mend: str = ""


class Failed(Exception):
    """A check found something wrong."""


class Skipped(Exception):
    """A check does not apply, or needs more of the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check by its name."""

    name: str
    mend: str
    run: Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the kit: `id` is its key."""

    id: int
    name: str | None = "示例"
    amount: Decimal | None = Decimal("1.50")
    day: date | None = date(2026, 1, 2)


class SourceStage(Protocol):
    """The system behind a source, in the hands of the kit.

    The source yields columns id, name, amount and day, of any type that holds the values. A method that the
    system cannot offer raises NotImplementedError; its checks are skipped.
    """

    def reset(self) -> None:
        """Remove every row."""

    def put(self, rows: Sequence[Row]) -> None:
        """Insert rows; replace those whose id is there, as later changes."""

    def remove(self, ids: Sequence[int]) -> None:
        """Delete rows."""

    def cut(self) -> None:
        """Make the system unreachable, for open connections too."""

    def restore(self) -> None:
        """Make it reachable again."""


class SinkStage(Protocol):
    """The system behind a sink, in the hands of the kit."""

    def reset(self) -> None:
        """Remove every row, and what the sink remembers."""

    def read(self) -> list[Row]:
        """Return the rows that the sink has written."""

    def cut(self) -> None:
        """Make the system unreachable."""

    def restore(self) -> None:
        """Make it reachable again."""


HOSTILE = (
    "'; DROP TABLE t; --",
    '"quoted", and, commas',
    "line\nbreak\r\nand\ttab",
    "=1+1",
    "𠮷野家 ⛩️ 𝔘𝔫𝔦",
    "\u202eright to left\u202c",
    "\\N",
    "NULL",
    "%s %(x)s {0} $1 ?",
    "<a href='x'>&amp;</a>",
    "ＡＢＣ１２３",
    "e\u0301",
)
HUGE = "长" * 350_000  # a mebibyte of UTF-8
EXACT = (Decimal("0.01"), Decimal("123456789012345678.123456"), Decimal("-0.000001"), Decimal(0))
FAR_DAYS = (date(1, 1, 1), date(1582, 10, 15), date(1900, 2, 28), date(9999, 12, 31))
