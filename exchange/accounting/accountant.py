"""Counting and digesting each version at the stations behind its commit: change log and current rows.

It follows the versions, oldest first, and reads them back from the database, so that what it keeps is what
is really there. The current rows are digested from the change log's additions and removals; `audit` digests
them afresh.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from pathlib import Path

import asyncpg

from core.database import Connection, Database
from core.errors import ShuzhengError
from exchange.accounting import store
from exchange.accounting.digest import RowsDigest, digest_table
from exchange.accounting.model import Station
from exchange.accounting.rows import read_rows
from exchange.accounting.store import RowQuery
from exchange.catalogue.model import Item, Resource
from exchange.catalogue.store import load_resource

BATCH_VERSIONS = 50
logger = logging.getLogger(__name__)


class Accountant:
    """Follows the versions of all resources. Any number of hubs may run one."""

    def __init__(self, *, database: Database, spool_dir: Path, interval_s: float) -> None:
        self._database = database
        self._spool_dir = spool_dir
        self._interval_s = interval_s

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                if await self.follow() < BATCH_VERSIONS:
                    await asyncio.sleep(self._interval_s)
            except (ShuzhengError, OSError, asyncpg.PostgresError) as trouble:
                logger.warning("accounting waits: %s", type(trouble).__name__)
                await asyncio.sleep(self._interval_s)

    async def follow(self) -> int:
        """Count versions that are not counted yet, a bounded number of them; return how many there were."""
        async with self._database.acquire() as connection:
            waiting = await store.load_unaccounted(connection, limit=BATCH_VERSIONS)
        for code, version in waiting:
            await self._account(code, version)
        return len(waiting)

    async def _account(self, code: str, version: int) -> None:
        async with self._database.transaction() as connection:
            if not await store.try_lock_accounting(connection, resource_code=code):
                return
            known = await store.load_count(
                connection, resource_code=code, version=version, station=Station.CURRENT
            )
            resource = await load_resource(connection, code=code)
            if known is not None or resource is None:
                return
            before = await self._load_before(connection, code, version)
            counts = {}
            for station, side in ((Station.INSERTED, "_after"), (Station.REMOVED, "_before")):
                query = store.select_changed(resource, resource.items, version=version, side=side)
                counts[station] = await self.digest(connection, query, resource.items)
            if before is not None:
                counts[Station.CURRENT] = before + counts[Station.INSERTED] - counts[Station.REMOVED]
            else:
                counts[Station.CURRENT] = await self._digest_back(connection, resource, version)
            for station, digest in counts.items():
                await store.save_count(
                    connection, resource_code=code, version=version, station=station, digest=digest
                )

    async def audit(self, connection: Connection, resource: Resource) -> RowsDigest:
        """Digest the current rows afresh, in a transaction of the caller's."""
        query = store.select_current(resource, resource.items)
        return await self.digest(connection, query, resource.items)

    async def digest(self, connection: Connection, query: RowQuery, items: tuple[Item, ...]) -> RowsDigest:
        """Digest the rows of a query, in bounded memory."""
        names = [item.name for item in items]
        total = RowsDigest.empty()
        async with aclosing(read_rows(connection, query, names=names, spool_dir=self._spool_dir)) as tables:
            async for table in tables:
                total += await asyncio.to_thread(digest_table, table, names)
        return total

    async def _load_before(self, connection: Connection, code: str, version: int) -> RowsDigest | None:
        if version == 1:
            return RowsDigest.empty()
        return await store.load_count(
            connection, resource_code=code, version=version - 1, station=Station.CURRENT
        )

    async def _digest_back(self, connection: Connection, resource: Resource, version: int) -> RowsDigest:
        """Digest a version whose predecessor was never counted: the rows of now, less all changes since."""
        total = await self.audit(connection, resource)
        newest = await store.load_current_version(connection, resource_code=resource.code)
        for later in range(newest, version, -1):
            for side, sign in (("_after", -1), ("_before", 1)):
                query = store.select_changed(resource, resource.items, version=later, side=side)
                found = await self.digest(connection, query, resource.items)
                total = total + found if sign > 0 else total - found
        return total
