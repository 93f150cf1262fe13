"""The domain words of the guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from core.caller import Caller, OrganisationCode, Purpose, SystemId


class AlertKind(StrEnum):
    """Patterns, each with a threshold in a sliding window.

    `sequential`: many numbers of one block (the same but for the last four places) asked by one system.
    `misses`: many numbers that do not exist. `operator_case`: many subjects in one case.
    `operator_subjects`: many subjects by one operator. `volume`: a system's calls on one resource in an hour,
    over the threshold and over five times its busiest hour of the fortnight before.
    """

    SEQUENTIAL = "sequential"
    MISSES = "misses"
    OPERATOR_CASE = "operator_case"
    OPERATOR_SUBJECTS = "operator_subjects"
    VOLUME = "volume"


OPERATOR_KINDS = frozenset({AlertKind.OPERATOR_CASE, AlertKind.OPERATOR_SUBJECTS})


class LimitScope(StrEnum):
    """Whose calls are counted together."""

    SYSTEM = "system"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One call as the guard sees it: whose numbers were asked for, and whether each was found."""

    caller: Caller
    purpose: Purpose
    resource_code: str
    provider_code: OrganisationCode
    subjects: tuple[tuple[str, bool], ...]
    rows: int


class Watcher(Protocol):
    """Whatever takes note of calls."""

    def note(self, sighting: Sighting, /) -> None:
        """Take note; returns at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRule:
    """The threshold of one kind: that many distinct members (or calls) within `window_s` seconds."""

    kind: AlertKind
    threshold: int
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimit:
    """How many calls a minute a system or an organisation may make; name `*` is the default."""

    scope: LimitScope
    name: str
    per_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is done about a pattern: level 1 slows each call down, level 2 refuses them, until `until`."""

    system_id: SystemId
    operator: str
    level: int
    until: datetime
    alert_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A pattern noticed. `evidence` holds counts, times, and the ids of log leaves: no personal numbers."""

    id: UUID
    kind: AlertKind
    level: int
    key: bytes
    system_id: SystemId
    organisation_code: OrganisationCode
    operator: str | None
    resource_code: str
    provider_code: OrganisationCode
    detected_at: datetime
    evidence: Mapping[str, object]
    released_at: datetime | None = None
    release_reason: str | None = None
