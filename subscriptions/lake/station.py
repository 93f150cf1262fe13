"""The station `lake` of reconciliation: does a table hold what its version holds, and which keys differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from core.database import Connection
from core.errors import Unavailable
from exchange.accounting import store as accounting
from exchange.accounting.buckets import MAX_BUCKETS, MIN_BUCKETS, BucketRows, BucketSums, differing
from exchange.accounting.model import Station, Verdict
from exchange.accounting.reconcile import StationReport
from exchange.accounting.rows import read_rows
from exchange.catalogue.model import Resource
from subscriptions.lake import store
from subscriptions.lake.place import LakePlace
from subscriptions.lake.table import LakeTable

ROWS_PER_BUCKET: Final = 2000


class LakeStation:
    """Compares current rows with the lake; `exchange.accounting` knows it as a `FurtherStation`."""

    name = "lake"

    def __init__(self, *, place: LakePlace, spool_dir: Path) -> None:
        self._place = place
        self._spool_dir = spool_dir

    async def compare(
        self, connection: Connection, resource: Resource, *, limit: int
    ) -> StationReport | None:
        """Compare in the caller's snapshot; None where the resource has no table.

        A table that is behind is held against the accounting of its own version, and no key is named.
        """
        state = await store.load_state(connection, code=resource.code)
        if state is None or state.version is None:
            return None
        table = await asyncio.to_thread(LakeTable.open, self._place, resource.code)
        names = [item.name for item in resource.items]
        keys = [item.name for item in resource.key_items]
        count = min(MAX_BUCKETS, max(MIN_BUCKETS, (state.rows or 0) // ROWS_PER_BUCKET))
        theirs = await asyncio.to_thread(_sum, table, names, keys, count)
        held = 0 if table is None else await asyncio.to_thread(lambda: table.hub_version or 0)
        if state.version != resource.current_version:
            known = await accounting.load_count(
                connection, resource_code=resource.code, version=state.version, station=Station.CURRENT
            )
            equal = known is None or held < state.version or known == theirs.total
            return StationReport(version=state.version, digest=theirs.total, equal=equal, different=())
        ours = BucketSums(count=count)
        await self._read(connection, resource, lambda rows: ours.add(rows, names, keys))
        wrong = frozenset(n for n in range(count) if ours.digests[n] != theirs.digests[n])
        different: tuple[tuple[str, Verdict], ...] = ()
        if wrong:
            different = await self._name(connection, resource, table, count=count, wrong=wrong, limit=limit)
        return StationReport(version=state.version, digest=theirs.total, equal=not wrong, different=different)

    async def _name(
        self,
        connection: Connection,
        resource: Resource,
        table: LakeTable | None,
        *,
        count: int,
        wrong: frozenset[int],
        limit: int,
    ) -> tuple[tuple[str, Verdict], ...]:
        names = [item.name for item in resource.items]
        keys = [item.name for item in resource.key_items]
        ours, theirs = (BucketRows(count=count, wanted=wrong) for _ in range(2))
        await self._read(connection, resource, lambda rows: ours.add(rows, names, keys))

        def remember() -> None:
            for rows in _tables(table, names):
                theirs.add(rows, names, keys)

        await asyncio.to_thread(remember)
        found = differing(ours.hashes, theirs.hashes)
        found += sorted(theirs.repeated - set(found))
        return tuple((key, _verdict(key in ours.hashes, key in theirs.hashes)) for key in found[:limit])

    async def _read(
        self, connection: Connection, resource: Resource, take: Callable[[pa.Table], None]
    ) -> None:
        query = accounting.select_current(resource, resource.items)
        names = [item.name for item in resource.items]
        async for rows in read_rows(connection, query, names=names, spool_dir=self._spool_dir):
            await asyncio.to_thread(take, rows)


def _sum(table: LakeTable | None, names: Sequence[str], keys: Sequence[str], count: int) -> BucketSums:
    sums = BucketSums(count=count)
    for rows in _tables(table, names):
        sums.add(rows, names, keys)
    return sums


def _tables(table: LakeTable | None, names: Sequence[str]) -> Iterator[pa.Table]:
    """Read a table's rows; columns that it does not have yet are null."""
    if table is None:
        return
    held = set(table.schema.names)
    try:
        for batch in table.read([name for name in names if name in held]):
            rows = pa.Table.from_batches([batch])
            for name in names:
                if name not in held:
                    rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
            yield rows
    except (pa.ArrowException, FileNotFoundError) as trouble:
        msg = "a file of the table cannot be read; the lake is damaged"
        raise Unavailable(msg) from trouble


def _verdict(is_ours: bool, is_theirs: bool) -> Verdict:
    if is_ours and is_theirs:
        return Verdict.CHANGED
    return Verdict.ONLY_LEFT if is_ours else Verdict.ONLY_RIGHT
