"""Scores: what share of rows was good, in all and per characteristic.

The characteristics are those that a batch itself can show. A row with several reasons of one characteristic
counts once for each, so that a share is a lower bound; none falls below zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from exchange.catalogue.model import UpdateCycle

CHARACTERISTICS: Mapping[str, frozenset[str]] = {
    "completeness": frozenset({"REQUIRED", "PLACEHOLDER"}),
    "conformity": frozenset(
        {
            "LENGTH", "DIGITS", "NUMBER", "DATE", "TIME", "BOOLEAN", "CONTROL-CHARACTER", "CELL-COUNT",
            "JSON", "NESTED-VALUE", "DUPLICATE-COLUMN", "ENCODING", "EXCEL-NUMBER", "UNKNOWN-CODE",
            "UNKNOWN-DIVISION", "SWAPPED-CODES",
        }
    ),
    "accuracy": frozenset(
        {
            "CITIZEN-NUMBER", "CREDIT-CODE", "INNER-CHECK", "ORGANISATION-CODE", "CERTIFICATE-IDENTIFIER",
            "SENTINEL-DATE", "FUTURE",
        }
    ),
    "consistency": frozenset({"BIRTH-DATE", "SEX", "ORDER", "REFERENCE"}),
    "uniqueness": frozenset({"DUPLICATE-KEY", "UNIQUE"}),
}  # fmt: skip
CYCLES: Mapping[UpdateCycle, timedelta] = {
    UpdateCycle.REALTIME: timedelta(days=1),
    UpdateCycle.DAILY: timedelta(days=1),
    UpdateCycle.WEEKLY: timedelta(days=7),
    UpdateCycle.MONTHLY: timedelta(days=31),
    UpdateCycle.QUARTERLY: timedelta(days=92),
    UpdateCycle.HALF_YEARLY: timedelta(days=184),
    UpdateCycle.YEARLY: timedelta(days=366),
}


def score(received: int, rejected: int, flagged: int) -> float | None:
    """Return 100 for rows without a fault; a refused row counts as none, a flagged one as half."""
    return None if received == 0 else round(100 * (received - rejected - flagged / 2) / received, 2)


def characterise(received: int, by_reason: Mapping[str, int]) -> dict[str, float | None]:
    """Return the share of rows, in per cent, that have no fault of each characteristic."""
    return {
        name: None
        if received == 0
        else round(max(0.0, 100 * (1 - sum(by_reason.get(code, 0) for code in codes) / received)), 2)
        for name, codes in CHARACTERISTICS.items()
    }


def is_timely(cycle: UpdateCycle, last_at: datetime | None, now: datetime) -> bool | None:
    """Tell whether the newest version is within the promised cycle; None where nothing is promised."""
    allowed = CYCLES.get(cycle)
    if allowed is None:
        return None
    return last_at is not None and now - last_at <= allowed


def render_day(day: Mapping[str, Any]) -> dict[str, Any]:
    """Render one day of the trend."""
    return {
        "day": day["day"].isoformat(),
        "batches": day["batches"],
        "received": day["received"],
        "rejected": day["rejected"],
        "flagged": day["flagged"],
        "score": score(day["received"], day["rejected"], day["flagged"]),
        **characterise(day["received"], day["by_reason"]),
        "by_reason": dict(sorted(day["by_reason"].items())),
    }
