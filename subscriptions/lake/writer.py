"""Following resources into their tables, one commit per version that changed something.

1. Take the lease of the table, so that of several hub processes one writes.
2. Hold the state against the table: where a process ended between a commit and its record, the commit's
   transaction identifier says that the version is there; where the table is older than the state (it was
   lost, or restored), the state is set back.
3. Write the next version: inserts alone are appended in bounded memory, the rest is merged by key.
4. Record it, with its leaf in the log, in one transaction that holds only while the lease is ours.

A process that lost its lease in the middle of 3 is stopped by the table itself: two commits with one
transaction identifier conflict.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pyarrow as pa

from core.database import Database
from core.errors import ShuzhengError
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.resources import load_known_resource
from exchange.catalogue.model import Resource
from subscriptions.lake import store
from subscriptions.lake.columns import OPERATION_COLUMN, build_schema, read_spooled
from subscriptions.lake.lease import Lease
from subscriptions.lake.model import LakeState, LakeVersion, Written
from subscriptions.lake.place import LakePlace
from subscriptions.lake.table import LakeTable

BATCH: Final = 100
MAX_REPLAYED: Final = 100
VERSIONS_PER_TURN: Final = 50
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """What was written for a version."""

    how: Written
    version: int
    delta_version: int
    committed_at: datetime
    operations: dict[str, int]
    rows: int | None


class LakeWriter:
    """Follows resources into the lake. Any number of hubs may run one."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        place: LakePlace,
        spool_dir: Path,
        default: str,
        interval_s: float,
        keep: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._place = place
        self._spool_dir = spool_dir
        self._default = default
        self._interval_s = interval_s
        self._keep = keep
        self._now = now
        self.holder: UUID = uuid4()
        self.busy: set[str] = set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                if await self.follow_all() < BATCH:
                    await asyncio.sleep(self._interval_s)
            except (ShuzhengError, OSError) as trouble:
                logger.warning("the lake waits: %s", type(trouble).__name__)
                await asyncio.sleep(self._interval_s)

    async def follow_all(self) -> int:
        """Bring tables that are behind further, each by some versions; return how many there were."""
        async with self._database.acquire() as connection:
            codes = await store.load_behind(connection, default=self._default, at=self._now(), limit=BATCH)
        for code in codes:
            await self.follow(code)
        return len(codes)

    async def follow(self, code: str) -> int:
        """Bring one table further; return how many versions it took over. Trouble is recorded, not raised."""
        lease = Lease(database=self._database, code=code, holder=self.holder, busy=self.busy, now=self._now)
        async with lease.held() as is_held:
            if not is_held:
                return 0
            try:
                return await self._catch_up(code)
            except ShuzhengError as trouble:
                logger.warning("the lake waits for %s: %s", code, trouble.code)
                async with self._database.transaction() as connection:
                    await store.save_trouble(
                        connection, code=code, holder=self.holder, trouble=trouble.code, at=self._now()
                    )
                return 0

    async def _catch_up(self, code: str) -> int:
        async with self._database.acquire() as connection:
            resource = await load_known_resource(connection, code=code)
            state = await store.load_state(connection, code=code)
        assert state is not None
        table = await asyncio.to_thread(LakeTable.open, self._place, code)
        state = await self._reconcile_state(table, state)
        if table is None or state.version is None:
            if resource.current_version == 0:
                return 0
            table, state = await self._begin(table, resource, state)
        await asyncio.to_thread(lambda: table.fit(build_schema(resource), spool_dir=self._spool_dir))
        taken = 0
        while taken < VERSIONS_PER_TURN:
            moved = await self._take_next(table, resource, state)
            if moved is None:
                break
            state = moved
            taken += 1
        return taken

    async def _reconcile_state(self, table: LakeTable | None, state: LakeState) -> LakeState:
        """Set the state back where the table holds less than it says."""
        held = None if table is None else await asyncio.to_thread(lambda: table.hub_version)
        if state.version is None or (held is not None and held >= await self._newest_commit(state)):
            return state
        logger.warning(
            "the table of %s holds less than was recorded; it is written anew", state.resource_code
        )
        async with self._database.transaction() as connection:
            await store.rewind(connection, code=state.resource_code, holder=self.holder, version=held)
            found = await store.load_state(connection, code=state.resource_code)
        assert found is not None
        return found

    async def _newest_commit(self, state: LakeState) -> int:
        """Return the newest recorded version that made a commit (versions without changes make none)."""
        async with self._database.acquire() as connection:
            versions = await store.load_versions(connection, code=state.resource_code)
        return next((v.version for v in reversed(versions) if v.changed_rows), 0)

    async def _begin(
        self, table: LakeTable | None, resource: Resource, state: LakeState
    ) -> tuple[LakeTable, LakeState]:
        """Make the table: empty where the change log is whole and short, else with all rows of now.

        A table that nobody recorded, but that holds a version, is taken over as it is.
        """
        if table is None:
            table = await asyncio.to_thread(
                lambda: LakeTable.create(
                    self._place,
                    resource.code,
                    schema=build_schema(resource),
                    title=resource.title,
                    keep=self._keep,
                )
            )
        async with self._database.acquire() as connection:
            whole = await store.is_log_whole(connection, code=resource.code)
        held = await asyncio.to_thread(lambda: table.hub_version)
        if held is not None:
            found = await self._record(resource, state, await self._adopt(table, resource.code, held))
        elif whole and resource.current_version <= MAX_REPLAYED:
            entry = LakeVersion(
                version=0,
                delta_version=table.version,
                changed_rows=0,
                has_changes=True,
                committed_at=resource.published_at or self._now(),
                written_at=self._now(),
            )
            async with self._database.transaction() as connection:
                await store.advance(
                    connection, code=resource.code, holder=self.holder, from_version=None, entry=entry, rows=0
                )
                found = await store.load_state(connection, code=resource.code)
        else:
            found = await self._record(resource, state, await self._write_whole(table, resource))
        assert found is not None
        return table, found

    async def _adopt(self, table: LakeTable, code: str, held: int) -> _Commit:
        async with self._database.acquire() as connection:
            at = await store.load_version_time(connection, code=code, version=held)
        return _Commit(
            how=Written.WHOLE,
            version=held,
            delta_version=await _find_commit(table, held),
            committed_at=at or self._now(),
            operations={},
            rows=None,
        )

    async def _take_next(self, table: LakeTable, resource: Resource, state: LakeState) -> LakeState | None:
        assert state.version is not None
        async with self._database.acquire() as connection:
            following = await store.load_next_version(connection, code=resource.code, after=state.version)
        if following is None:
            return None
        version, committed_at, said = following
        async with self._database.acquire() as connection:
            operations = await store.count_operations(connection, code=resource.code, version=version)
        if said and not operations:
            # The change log was pruned before the table had read it.
            return await self._record(resource, state, await self._write_whole(table, resource))
        held = await asyncio.to_thread(lambda: table.hub_version)
        if not operations:
            how, delta_version = Written.NOTHING, state.delta_version or 0
        elif held is not None and held >= version:
            how, delta_version = Written.FOUND, await _find_commit(table, version)
        else:
            how, delta_version = await self._write_changes(table, resource, version, operations)
        commit = _Commit(
            how=how,
            version=version,
            delta_version=delta_version,
            committed_at=committed_at,
            operations=operations,
            rows=_count(state.rows, operations),
        )
        return await self._record(resource, state, commit)

    async def _write_changes(
        self, table: LakeTable, resource: Resource, version: int, operations: dict[str, int]
    ) -> tuple[Written, int]:
        with tempfile.TemporaryDirectory(prefix="lake-", dir=self._spool_dir) as folder:
            path = Path(folder) / "changes.csv"
            async with self._database.acquire() as connection:
                await store.spool_changes(connection, resource=resource, version=version, path=path)
            work = _append if set(operations) == {"insert"} else _merge
            delta_version = await asyncio.to_thread(work, table, resource, path, version)
        return (Written.APPENDED if work is _append else Written.MERGED), delta_version

    async def _write_whole(self, table: LakeTable, resource: Resource) -> _Commit:
        """Write all rows of the present version in place of what the table holds."""
        with tempfile.TemporaryDirectory(prefix="lake-", dir=self._spool_dir) as folder:
            path = Path(folder) / "rows.csv"
            async with self._database.transaction() as connection:
                await store.begin_snapshot(connection)
                resource = await load_known_resource(connection, code=resource.code)
                await store.spool_rows(connection, resource=resource, path=path)
                at = await store.load_version_time(
                    connection, code=resource.code, version=resource.current_version
                )
            schema, version = build_schema(resource), resource.current_version
            delta_version = await asyncio.to_thread(
                lambda: table.replace(read_spooled(path, resource), schema, hub_version=version)
            )
        return _Commit(
            how=Written.WHOLE,
            version=version,
            delta_version=delta_version,
            committed_at=at or self._now(),
            operations={"insert": resource.current_rows},
            rows=resource.current_rows,
        )

    async def _record(self, resource: Resource, state: LakeState, commit: _Commit) -> LakeState | None:
        """Record a commit with its leaf, while the lease is ours; None where it no longer is."""
        changed = sum(commit.operations.values())
        entry = LakeVersion(
            version=commit.version,
            delta_version=commit.delta_version,
            changed_rows=changed,
            has_changes=commit.how is not Written.WHOLE,
            committed_at=commit.committed_at,
            written_at=self._now(),
        )
        async with self._database.transaction() as connection:
            moved = await store.advance(
                connection,
                code=resource.code,
                holder=self.holder,
                from_version=state.version,
                entry=entry,
                rows=commit.rows,
            )
            if not moved:
                return None
            await self._log.append(
                connection,
                event=Event.LAKE_WRITTEN,
                caller=None,
                resource_code=resource.code,
                details={
                    "version": commit.version,
                    "how": str(commit.how),
                    "commit": commit.delta_version,
                    "inserted": commit.operations.get("insert", 0),
                    "updated": commit.operations.get("update", 0),
                    "deleted": commit.operations.get("delete", 0),
                },
            )
            return await store.load_state(connection, code=resource.code)


async def _find_commit(table: LakeTable, version: int) -> int:
    found = await asyncio.to_thread(table.find_commit, version)
    return table.version if found is None else found


def _count(before: int | None, operations: dict[str, int]) -> int | None:
    if before is None:
        return None
    return before + operations.get("insert", 0) - operations.get("delete", 0)


def _append(table: LakeTable, resource: Resource, path: Path, version: int) -> int:
    schema = build_schema(resource)
    batches = (batch.select(schema.names) for batch in read_spooled(path, resource, [OPERATION_COLUMN]))
    return table.append(batches, schema, hub_version=version)


def _merge(table: LakeTable, resource: Resource, path: Path, version: int) -> int:
    changes = pa.Table.from_batches(list(read_spooled(path, resource, [OPERATION_COLUMN])))
    return table.merge(changes, keys=[item.name for item in resource.key_items], hub_version=version)
