"""What an auditor can ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.log.model import Leaf


class Grouping(StrEnum):
    """By what counts are broken down."""

    ORGANISATION = "organisation"
    OPERATOR = "operator"
    SYSTEM = "system"
    RESOURCE = "resource"
    OWNER = "owner"
    CASE = "case"
    ITEM = "item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which leaves: every field that is set must match. `since` counts in, `until` does not."""

    organisation: str | None = None
    owner: str | None = None
    operator: str | None = None
    system: UUID | None = None
    resource: str | None = None
    case_number: str | None = None
    certificate: str | None = None
    events: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """How often something happened: the event, what it was broken down by, times, cases, first and last."""

    event: str
    groups: Mapping[str, str | None]
    times: int
    cases: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafPage:
    """A page of leaves; `next_cursor` is None at the end."""

    leaves: tuple[Leaf, ...]
    next_cursor: str | None
