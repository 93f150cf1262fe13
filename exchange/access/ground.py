"""The ground that a call stands on: the resource, the caller's grants, the masks; in one round trip.

What was parsed is kept per process, under names that change with every change of the rows it came from (their
xmin). Each call asks the database for those names, so that a revoked or shrunk grant, a closed item or a new
mask holds at once in every process, and parsing is paid once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from core.caller import Caller, OrganisationCode, Purpose
from core.database import Connection
from core.database.gathering import Gathering, Row
from core.database.names import check_resource_code
from core.errors import BadInput, Closed, GrantMissing
from core.identity.store_standing import confirm_standing, verify_standing
from exchange.access import store
from exchange.access.model import Grant, MasksJson, Mode, RowFilter
from exchange.access.resources import load_known_resource
from exchange.access.row_filter import parse_row_filter
from exchange.access.store_ground import GROUND_COLUMNS, Claim, load_ground, load_grounds, write_grounds
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open

MAX_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadGrant:
    """A grant with what is derived from it and the resource's present items."""

    grant: Grant
    items: frozenset[str]
    ordered_items: tuple[str, ...]
    searchable: frozenset[str]
    row_filter: RowFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a call may stand on. `grants` are in force, of the mode asked for, oldest first.

    `locked` is how many of the advisory locks asked for hold; 0 where the resource is not the one by which
    the caller chose them (`peek`). `closed` says why the resource cannot be read, where it cannot.
    """

    resource: Resource
    fingerprint: str
    grants: tuple[ReadGrant, ...]
    mask_rules: MasksJson
    has_disputes: bool
    locked: int = 0
    closed: Closed | None = None

    def choose(
        self,
        *,
        purpose: Purpose,
        mode: Mode,
        wanted: Collection[str] = (),
        searched: Collection[str] = (),
    ) -> ReadGrant:
        """Return the grant that covers a call made for that service item.

        Of several, the one that has most of the items `wanted` and `searched` by; among equals one without a
        row filter, then one without masks, then the one with most items, then the oldest. Where it lacks
        some, the caller of this function refuses them. Raises GrantMissing where there is none at all, in the
        same words whatever was asked for, and Closed.
        """
        if self.closed is not None:
            raise self.closed
        serving = [each for each in self.grants if each.grant.serves(purpose.service_item)]
        if not serving:
            msg = f"no grant in force allows {mode} of this resource for this service item; apply for one"
            raise GrantMissing(msg)
        if len(serving) == 1:
            return serving[0]

        def merit(each: ReadGrant) -> tuple[int, bool, bool, int]:
            covered = len(each.items.intersection(wanted)) + len(each.searchable.intersection(searched))
            return covered, not each.row_filter, not each.grant.terms.masks, len(each.items)

        return max(serving, key=merit)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenGrounds:
    """A reading of grounds within a statement: its number there, and the resources as known before it."""

    number: int
    modes: tuple[Mode, ...]
    was: Mapping[str, Resource | None]


class GroundReader:
    """Reads grounds; one per process, shared by query and verification."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}
        self._grants: dict[tuple[str, str], ReadGrant] = {}
        self._latest: dict[str, Resource] = {}
        self._grounds: dict[tuple[str, OrganisationCode, Mode], tuple[Ground, asyncpg.Record]] = {}

    async def read(
        self,
        connection: Connection,
        *,
        resource_code: str,
        caller: Caller,
        mode: Mode,
        at: datetime,
        locks: Sequence[int] = (),
    ) -> Ground:
        """Read the ground of a call, and take the advisory `locks` until the transaction ends.

        Raises BadInput for what is no resource code, NotFound, or StandingChanged.
        """
        code = check_resource_code(resource_code)
        was = self._latest.get(code)
        row = await load_ground(
            connection,
            resource_code=code,
            caller=caller,
            at=at,
            mode=mode,
            locks=locks,
        )
        if row is None:
            await verify_standing(connection, caller)
            resource = await load_known_resource(connection, code=code)
            return Ground(resource=resource, fingerprint="", grants=(), mask_rules={}, has_disputes=False)
        ground = await self._build(connection, code, row, caller=caller, was=was, at=at)
        _make_room(self._grounds)
        self._grounds[code, caller.organisation_code, mode] = ground, row
        return ground

    def presume(
        self, *, resource_code: str, caller: Caller, mode: Mode, at: datetime
    ) -> tuple[Ground, Claim] | None:
        """Return the ground as this process read it last, with the claim to be proved; None at first.

        Whoever reads on it does so in a statement that proves the claim; where it does not hold, nothing
        comes of that statement, and the ground has to be read.
        """
        kept = self._grounds.get((resource_code, caller.organisation_code, mode))
        if kept is None or not kept[0].grants:
            return None
        ground, row = kept
        claim = Claim(
            caller=caller,
            mode=mode,
            at=at,
            fingerprint=row["fingerprint"],
            grants=row["grants"],
            masks=row["masks"],
            has_disputes=ground.has_disputes,
        )
        return replace(ground, closed=_find_closure(ground.resource, at), locked=0), claim

    async def read_many(
        self,
        connection: Connection,
        *,
        resource_codes: Collection[str],
        caller: Caller,
        mode: Mode,
        at: datetime,
    ) -> dict[str, Ground]:
        """Read the grounds of calls to several resources in one round trip, by code.

        What is no code or names no resource is left out: `read` says why. Raises StandingChanged.
        """
        codes = sorted({code for code in resource_codes if is_resource_code(code)})
        rows = await load_grounds(connection, resource_codes=codes, caller=caller, at=at, mode=mode)
        return {
            row["code"]: await self._build(connection, row["code"], row, caller=caller, was=None, at=at)
            for row in rows
        }

    def write(
        self,
        gathering: Gathering,
        *,
        codes: Mapping[Mode, Collection[str]],
        caller: Caller,
        at: datetime,
        locks: Sequence[int] = (),
    ) -> WrittenGrounds:
        """Write the reading of grounds in several modes into a statement; `take` reads what it finds."""
        known = {mode: {code for code in named if is_resource_code(code)} for mode, named in codes.items()}
        was = {code: self._latest.get(code) for named in known.values() for code in named}
        number = write_grounds(gathering, codes=known, caller=caller, at=at, locks=locks)
        return WrittenGrounds(number=number, modes=tuple(known), was=was)

    async def take(
        self,
        connection: Connection,
        written: WrittenGrounds,
        found: Sequence[Sequence[Row]],
        *,
        caller: Caller,
        at: datetime,
    ) -> dict[Mode, dict[str, Ground]]:
        """Read the grounds that a statement found, by mode and code. Raises StandingChanged."""
        grounds: dict[Mode, dict[str, Ground]] = {mode: {} for mode in written.modes}
        for each in found[written.number]:
            row = dict(zip(GROUND_COLUMNS, each, strict=True))
            code = row["code"]
            grounds[Mode(row["mode"])][code] = await self._build(
                connection, code, row, caller=caller, was=written.was[code], at=at
            )
        return grounds

    async def _build(
        self,
        connection: Connection,
        code: str,
        row: asyncpg.Record | Mapping[str, Any],
        *,
        caller: Caller,
        was: Resource | None,
        at: datetime,
    ) -> Ground:
        confirm_standing(caller, row["mark"])
        fingerprint = f"{code}:{row['fingerprint']}"
        resource = await self._resource(connection, code, fingerprint)
        return Ground(
            resource=resource,
            fingerprint=fingerprint,
            grants=await self._read_grants(connection, resource, fingerprint, row["grants"] or ()),
            mask_rules=_mask_rules(row),
            has_disputes=row["has_disputes"],
            closed=_find_closure(resource, at),
            locked=row["locked"] if self._latest.get(code) is resource and was is resource else 0,
        )

    def peek(self, resource_code: str) -> Resource | None:
        """Return the resource as this process knew it last, to read a call before the database is asked."""
        return self._latest.get(resource_code)

    async def _resource(self, connection: Connection, code: str, fingerprint: str) -> Resource:
        found = self._resources.get(fingerprint)
        if found is None:
            found = await load_known_resource(connection, code=code)
            _make_room(self._resources)
            self._resources[fingerprint] = found
        _make_room(self._latest)
        self._latest[code] = found
        return found

    async def _read_grants(
        self, connection: Connection, resource: Resource, fingerprint: str, names: Sequence[str]
    ) -> tuple[ReadGrant, ...]:
        found = []
        for name in names:
            read = self._grants.get((fingerprint, name))
            if read is None:
                grant = await store.load_grant(connection, grant_id=UUID(name.partition(":")[0]))
                if grant is None:
                    continue
                read = read_grant(resource, grant)
                _make_room(self._grants)
                self._grants[fingerprint, name] = read
            found.append(read)
        return tuple(found)


def read_grant(resource: Resource, grant: Grant) -> ReadGrant:
    """Derive what a grant gives of the resource as it is now."""
    ordered = grant.open_items(resource)
    return ReadGrant(
        grant=grant,
        items=frozenset(ordered),
        ordered_items=ordered,
        searchable=frozenset(grant.searchable_items(resource)),
        row_filter=parse_row_filter(resource, grant.terms.row_filter),
    )


def is_resource_code(text: str) -> bool:
    """Tell whether a text has the form of a resource code."""
    try:
        return check_resource_code(text) == text
    except BadInput:
        return False


def _find_closure(resource: Resource, at: datetime) -> Closed | None:
    try:
        verify_open(resource, at=at)
    except Closed as closed:
        return closed
    return None


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= MAX_KEPT:
        kept.clear()


def _mask_rules(row: asyncpg.Record | Mapping[str, Any]) -> MasksJson:
    rules = row["masks"]
    return {} if rules is None else store.group_masks(rules)
