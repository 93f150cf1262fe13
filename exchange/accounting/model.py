"""The domain words of accounting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exchange.accounting.digest import RowsDigest


class Station(StrEnum):
    """Where rows are counted on their way.

    `accepted`: the good rows of a version's batch, digested as they were read. `inserted` and `removed`: what
    the version's change log adds to and takes from the rows. `current`: the rows once the version is there.
    """

    ACCEPTED = "accepted"
    INSERTED = "inserted"
    REMOVED = "removed"
    CURRENT = "current"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCount:
    """Rows and digest of one version at one station."""

    version: int
    station: Station
    digest: RowsDigest
    counted_at: datetime


class Verdict(StrEnum):
    """How a key differs between two stations."""

    ONLY_LEFT = "only_left"
    ONLY_RIGHT = "only_right"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key that differs between two stations, and why as far as the hub knows."""

    key: tuple[str, ...]
    verdict: Verdict
    why: tuple[str, ...]
