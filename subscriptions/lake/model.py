"""The domain words of the lake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Written(StrEnum):
    """How a version came into the table.

    `whole`: as all rows of the version, where the table begins. `appended`: it only inserted. `merged`:
    it changed or deleted. `nothing`: the version changed no row. `found`: the commit was there already,
    made by a process that ended before it could say so.
    """

    WHOLE = "whole"
    APPENDED = "appended"
    MERGED = "merged"
    NOTHING = "nothing"
    FOUND = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeState:
    """How far a resource's table is. `version` None: there is no table yet.

    `vacuumed_until`: files that were no longer needed at that time have been removed. `trouble` is the code
    of the error that stopped the last attempt.
    """

    resource_code: str
    version: int | None
    delta_version: int | None = None
    rows: int | None = None
    written_at: datetime | None = None
    tended_at: datetime | None = None
    vacuumed_until: datetime | None = None
    trouble: str | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeVersion:
    """One hub version in the table. With `has_changes` its changes can be read from the change data feed."""

    version: int
    delta_version: int
    changed_rows: int
    has_changes: bool
    committed_at: datetime
    written_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One Parquet file of a table, by its path below the table's folder."""

    path: str
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A resource's place in the lake, as it is shown to its provider."""

    state: LakeState
    is_followed: bool
    is_chosen: bool
    current_version: int

    @property
    def lag_versions(self) -> int:
        """How many versions are not in the table yet."""
        return self.current_version - (self.state.version or 0)
