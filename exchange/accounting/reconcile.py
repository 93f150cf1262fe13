"""Comparing two stations of a resource, and naming the keys that differ and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import BadInput, Conflict, GrantMissing, PurposeMissing
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.masks import choose_masks
from exchange.access.model import Mode, RowFilter
from exchange.access.resources import load_known_resource, verify_grant
from exchange.access.row_filter import parse_row_filter
from exchange.access.store import load_mask_rules
from exchange.accounting import store, store_why
from exchange.accounting.accountant import Accountant
from exchange.accounting.buckets import BucketRows, BucketSums, differing
from exchange.accounting.digest import RowsDigest
from exchange.accounting.model import Difference, Station, Verdict
from exchange.accounting.rows import read_rows
from exchange.catalogue.model import Item, Resource

MAX_DIFFERENCES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class StationReport:
    """What a further station holds, and at which version. `different`: key, and current rows as the left."""

    version: int
    digest: RowsDigest
    equal: bool
    different: tuple[tuple[str, Verdict], ...]


class FurtherStation(Protocol):
    """A station that another package keeps, such as the lake."""

    @property
    def name(self) -> str:
        """What the station is called in answers."""

    async def compare(
        self, connection: Connection, resource: Resource, *, limit: int
    ) -> StationReport | None:
        """Compare with the current rows as of the connection's snapshot; None where the station has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What a caller may compare with: the items asked for, and the rows of its grant."""

    resource: Resource
    items: tuple[Item, ...]
    row_filter: RowFilter
    is_provider: bool

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.items]

    @property
    def keys(self) -> list[str]:
        return [item.name for item in self.resource.key_items]


class ReconcileService:
    """Compares copies with the current rows, and the current rows with the change log."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        accountant: Accountant,
        spool_dir: Path,
        now: Callable[[], datetime],
        further: Sequence[FurtherStation] = (),
    ) -> None:
        self._further = tuple(further)
        self._database = database
        self._log = log
        self._accountant = accountant
        self._spool_dir = spool_dir
        self._now = now

    async def load_accounting(
        self, resource: Resource, *, before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """Load, version by version, newest first, rows and digest at every station and whether they agree."""
        async with self._database.transaction(read_only=True) as connection:
            versions = await store.load_versions(
                connection, resource_code=resource.code, before=before, limit=limit
            )
            numbers = [version["version"] for version in versions]
            counts = await store.load_counts(connection, resource_code=resource.code, versions=numbers)
        by_version: dict[int, dict[Station, Any]] = {number: {} for number in numbers}
        for count in counts:
            by_version[count.version][count.station] = count
        return [render_version(version, by_version[version["version"]]) for version in versions]

    async def compare_buckets(
        self,
        code: str,
        *,
        caller: Caller,
        purpose: Purpose | None,
        items: Sequence[str],
        digests: Sequence[str],
    ) -> dict[str, Any]:
        """Compare a copy's buckets (hex digests) with the current rows; name the buckets that differ.

        The provider compares any items; another organisation those of a grant to subscribe or to take bulk
        copies, and the rows of its filter. Raises GrantMissing, PurposeMissing, NotFound, BadInput.
        """
        async with self._database.transaction() as connection:
            await store.begin_snapshot(connection)
            view = await self._view(connection, code, caller=caller, purpose=purpose, items=items)
            version = await store.load_current_version(connection, resource_code=code)
            sums = BucketSums(count=len(digests))
            async with aclosing(self._read(connection, view)) as tables:
                async for table in tables:
                    await asyncio.to_thread(sums.add, table, view.names, view.keys)
            wrong = [
                place
                for place, (ours, theirs) in enumerate(zip(sums.digests, digests, strict=True))
                if ours.digest.hex() != theirs
            ]
            await self._note(
                connection, caller, purpose, code, left="copy", right=Station.CURRENT, version=version,
                rows=sums.total.rows, different=len(wrong),
            )  # fmt: skip
        total = sums.total
        return {
            "version": version,
            "rows": total.rows,
            "digest": total.digest.hex(),
            "equal": not wrong,
            "differing_buckets": wrong,
        }

    async def compare_rows(
        self,
        code: str,
        *,
        caller: Caller,
        purpose: Purpose | None,
        items: Sequence[str],
        version: int,
        bucket_count: int,
        buckets: Sequence[int],
        rows: Mapping[str, bytes],
    ) -> list[Difference]:
        """Name the keys of some buckets that differ, given the copy's rows there (key → row hash).

        Raises Conflict where `version` is no longer the current one, and what `compare_buckets` raises.
        """
        async with self._database.transaction() as connection:
            await store.begin_snapshot(connection)
            view = await self._view(connection, code, caller=caller, purpose=purpose, items=items)
            if await store.load_current_version(connection, resource_code=code) != version:
                msg = "another version was published meanwhile; compare the buckets again"
                raise Conflict(msg)
            ours = BucketRows(count=bucket_count, wanted=frozenset(buckets))
            async with aclosing(self._read(connection, view)) as tables:
                async for table in tables:
                    await asyncio.to_thread(ours.add, table, view.names, view.keys)
            keys = differing(rows, ours.hashes)[:MAX_DIFFERENCES]
            why = await store_why.explain(
                connection, resource=view.resource, keys=keys, with_rejects=view.is_provider
            )
            await self._note(
                connection, caller, purpose, code, left="copy", right=Station.CURRENT, version=version,
                rows=len(rows), different=len(keys),
            )  # fmt: skip
        return [
            Difference(
                key=tuple(key.split("\x1f")),
                verdict=_verdict(key in rows, key in ours.hashes),
                why=tuple(why.get(key, ("the hub never received this key",))),
            )
            for key in keys
        ]

    async def compare_stations(self, resource: Resource, *, caller: Caller) -> dict[str, Any]:
        """Digest the provider's current rows afresh, and compare them with what the versions add up to.

        They are compared with the change log key by key, and with each further station.
        """
        async with self._database.transaction() as connection:
            await store.begin_snapshot(connection)
            version = await store.load_current_version(connection, resource_code=resource.code)
            current = await self._accountant.audit(connection, resource)
            accounted = await store.load_count(
                connection, resource_code=resource.code, version=version, station=Station.CURRENT
            )
            reports = await self._compare_further(connection, resource, caller, current.rows)
            found = await store_why.compare_with_changes(connection, resource=resource, limit=MAX_DIFFERENCES)
            why = await store_why.explain(
                connection, resource=resource, keys=[key for key, _ in found], with_rejects=True
            )
            await self._note(
                connection, caller, None, resource.code, left=Station.CURRENT, right="changes",
                version=version, rows=current.rows, different=len(found),
            )  # fmt: skip
        differences = [
            Difference(key=tuple(key.split("\x1f")), verdict=verdict, why=tuple(why.get(key, ())))
            for key, verdict in found
        ]
        return {
            "version": version,
            "current": {"rows": current.rows, "digest": current.digest.hex()},
            "accounted": None
            if accounted is None
            else {"rows": accounted.rows, "digest": accounted.digest.hex()},
            "equal": not differences
            and (accounted is None or accounted == current)
            and all(report.equal for report in reports.values()),
            **{name: _render_report(report) for name, report in reports.items()},
            "differences": [render_difference(difference) for difference in differences]
            + [each for name, report in reports.items() for each in _render_different(name, report)],
        }

    async def _compare_further(
        self, connection: Connection, resource: Resource, caller: Caller, rows: int
    ) -> dict[str, StationReport]:
        reports = {}
        for station in self._further:
            report = await station.compare(connection, resource, limit=MAX_DIFFERENCES)
            if report is None:
                continue
            reports[station.name] = report
            await self._note(
                connection, caller, None, resource.code, left=Station.CURRENT, right=station.name,
                version=report.version, rows=rows, different=len(report.different),
            )  # fmt: skip
        return reports

    def _read(self, connection: Connection, view: _View) -> AsyncGenerator[Any, None]:
        query = store.select_current(view.resource, view.items, view.row_filter)
        return read_rows(connection, query, names=view.names, spool_dir=self._spool_dir)

    async def _view(
        self,
        connection: Connection,
        code: str,
        *,
        caller: Caller,
        purpose: Purpose | None,
        items: Sequence[str],
    ) -> _View:
        resource = await load_known_resource(connection, code=code)
        chosen = tuple(item for item in resource.items if item.name in set(items))
        keys = {item.name for item in resource.key_items}
        if len(chosen) != len(set(items)) or not keys <= {item.name for item in chosen}:
            msg = "items names items of the resource, its key items among them"
            raise BadInput(msg)
        if resource.provider_code == caller.organisation_code:
            return _View(resource=resource, items=chosen, row_filter=(), is_provider=True)
        if purpose is None:
            msg = "every access says what it is for; send the purpose headers"
            raise PurposeMissing(msg)
        grant = await verify_grant(
            connection,
            resource=resource,
            caller=caller,
            purpose=purpose,
            mode=Mode.SUBSCRIBE,
            wanted=items,
            at=self._now(),
        )
        lacking = set(items) - set(grant.open_items(resource))
        if lacking:
            msg = f"the grant does not cover {', '.join(sorted(lacking))}"
            raise GrantMissing(msg)
        rules = await load_mask_rules(connection, resource_code=code)
        masks = choose_masks(grant.terms, rules, service_item=purpose.service_item)
        if masked := masks.keys() & set(items):
            # Hashes of the values themselves would tell whether a guess is right.
            msg = f"{', '.join(sorted(masked))} are masked for you; compare a copy without them"
            raise GrantMissing(msg)
        row_filter = parse_row_filter(resource, grant.terms.row_filter)
        return _View(resource=resource, items=chosen, row_filter=row_filter, is_provider=False)

    async def _note(
        self,
        connection: Connection,
        caller: Caller,
        purpose: Purpose | None,
        code: str,
        *,
        left: str,
        right: str,
        version: int,
        rows: int,
        different: int,
    ) -> None:
        await self._log.append(
            connection,
            event=Event.STATIONS_RECONCILED,
            caller=caller,
            purpose=purpose,
            resource_code=code,
            details={
                "left": str(left),
                "right": str(right),
                "version": version,
                "rows": rows,
                "different": different,
            },
        )


def _render_report(report: StationReport) -> dict[str, Any]:
    return {
        "version": report.version,
        "rows": report.digest.rows,
        "digest": report.digest.digest.hex(),
        "equal": report.equal,
    }


def _render_different(name: str, report: StationReport) -> list[dict[str, Any]]:
    return [
        {"key": key.split("\x1f"), "verdict": str(verdict), "why": [f"compared with the {name}"]}
        for key, verdict in report.different
    ]


def _verdict(is_left: bool, is_right: bool) -> Verdict:
    if is_left and is_right:
        return Verdict.CHANGED
    return Verdict.ONLY_LEFT if is_left else Verdict.ONLY_RIGHT


def render_difference(difference: Difference) -> dict[str, Any]:
    """Render a difference as it is answered."""
    return {
        "key": list(difference.key),
        "verdict": str(difference.verdict),
        "why": list(difference.why),
    }


def render_version(version: Mapping[str, Any], counts: Mapping[Station, Any]) -> dict[str, Any]:
    """Render one version's accounting; `agrees` is null until all stations have been counted."""
    stations = {
        str(station): {"rows": counts[station].digest.rows, "digest": counts[station].digest.digest.hex()}
        for station in Station
        if station in counts
    }
    agrees = None
    if len(stations) == len(Station):
        agrees = (
            version["received_rows"] == version["accepted_rows"] + version["rejected_rows"]
            and counts[Station.ACCEPTED].digest.rows == version["accepted_rows"]
            and counts[Station.CURRENT].digest.rows == version["current_rows"]
            and counts[Station.INSERTED].digest.rows == version["inserted_rows"] + version["updated_rows"]
            and counts[Station.REMOVED].digest.rows == version["deleted_rows"] + version["updated_rows"]
        )
    return {
        "version": version["version"],
        "batch": str(version["batch_id"]),
        "mode": version["mode"],
        "received": version["received_rows"],
        "rejected": version["rejected_rows"],
        "flagged": version["flagged_rows"],
        "unchanged": version["unchanged_rows"],
        "committed_at": version["committed_at"].isoformat(),
        "stations": stations,
        "agrees": agrees,
    }
