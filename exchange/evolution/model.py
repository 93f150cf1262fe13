"""The words of evolution: who reads a resource, and who would break on a change."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from core.caller import OrganisationCode
from core.database import Connection
from exchange.revisions.model import Change
from signing import sm3


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """A subscription to a resource's changes."""

    id: UUID
    grant_id: UUID
    organisation_code: OrganisationCode


LoadFollowers = Callable[[Connection, str], Awaitable[list[Follower]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A grant in force: who holds it, its items, those that its row filter tests, its modes."""

    grant_id: UUID
    organisation_code: OrganisationCode
    items: frozenset[str]
    filter_items: frozenset[str]
    modes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A grant whose holder would break, on which changes, and the subscriptions under it."""

    reader: Reader
    changes: tuple[Change, ...]
    subscriptions: tuple[UUID, ...]

    def render(self) -> dict[str, object]:
        """Render who would break, and on what."""
        return {
            "grant": str(self.reader.grant_id),
            "organisation": str(self.reader.organisation_code),
            "modes": sorted(self.reader.modes),
            "subscriptions": [str(each) for each in self.subscriptions],
            "items": sorted({change.item for change in self.changes if change.item is not None}),
            "changes": [change.render() for change in self.changes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """How many current rows would not fit a changed item."""

    item: str
    kind: str
    rows: int

    def render(self) -> dict[str, object]:
        """Render the count."""
        return {"item": self.item, "kind": self.kind, "rows": self.rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a new description would change, whom it would break, and which rows would not fit it."""

    resource_code: str
    changes: tuple[Change, ...]
    broken: tuple[Broken, ...]
    unbroken: tuple[UUID, ...]
    misfits: tuple[Misfit, ...]

    @property
    def is_breaking(self) -> bool:
        """Whether a new major version is needed."""
        return any(change.is_breaking for change in self.changes)

    @property
    def digest(self) -> str:
        """SM3 over changes and broken grants: a release names it, to show that it knows what it breaks."""
        told = {
            "resource": self.resource_code,
            "changes": [change.render() for change in self.changes],
            "broken": [each.render() for each in self.broken],
        }
        return sm3.digest(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hex()

    def render(self) -> dict[str, object]:
        """Render the whole report."""
        return {
            "resource": self.resource_code,
            "breaking": self.is_breaking,
            "changes": [change.render() for change in self.changes],
            "broken": [each.render() for each in self.broken],
            "unbroken_grants": [str(each) for each in self.unbroken],
            "misfits": [each.render() for each in self.misfits],
            "rehearsal": self.digest,
        }
