"""The duty that follows versions of resources and the status of certificates, each change exactly once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from core.china_time import china_day
from core.database import Connection, Database
from core.duties import take_turns
from core.log.writer import LogWriter
from evidence.cascade import store
from evidence.cascade.act import act
from evidence.cascade.find import Finder
from evidence.cascade.model import Cause, CertificateSource
from exchange.catalogue.store import load_resource

INTERVAL_S: Final = 10.0
AT_ONCE: Final = 200


class Follower:
    """Follows what cases and certificates rest on.

    A version is followed `lag_s` seconds after it was published, by when every case that was being resolved
    on the version before is on record. The cursor moves in the transaction of the effects, so that a version
    is followed once, whatever fails and however many processes there are.
    """

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        finder: Finder,
        lag_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._finder = finder
        self._lag_s = lag_s
        self._now = now

    async def run(self) -> None:
        """Work until cancelled. A database that is down is waited for."""
        await take_turns(self.work_once, every_s=INTERVAL_S, waits="following of changes")

    async def work_once(self, *, lag_s: float | None = None) -> int:
        """Follow everything that there is to follow; return how many effects are new."""
        lag = self._lag_s if lag_s is None else lag_s
        before = self._now() - timedelta(seconds=lag)
        async with self._database.acquire() as connection:
            await store.follow_new(connection, before=before)
            behind = await store.load_behind(connection, before=before)
        count = 0
        for each in behind:
            for version in range(each.version + 1, each.last + 1):
                count += await self._follow(each, version)
        return count + await self._follow_certificates()

    async def _follow(self, behind: store.Behind, version: int) -> int:
        """Follow one version of a resource, unless another process did or does."""
        async with self._database.transaction() as connection:
            if await store.lock_cursor(connection, behind=behind) != version - 1:
                return 0
            resource = await load_resource(connection, code=behind.resource_code)
            assert resource is not None
            watch = await self._finder.watch(connection, resource)
            count = 0
            if watch.names:
                changes = store.read_changes(
                    connection, resource_code=resource.code, version=version, names=watch.names
                )
                now = self._now()
                affected = await self._finder.find_in(
                    connection, watch, changes, before_version=version, today=china_day(now)
                )
                cause = Cause(source=resource.code, version=str(version), trigger="row changed")
                count = await act(connection, self._log, affected, cause=cause, at=now)
            await store.move_cursor(connection, resource_code=resource.code, version=version)
        return count

    async def _follow_certificates(self) -> int:
        async with self._database.acquire() as connection:
            changed = {
                each.identifier: each
                for each in await store.load_lost_certificates(connection, limit=AT_ONCE)
            }
            changed |= {each.identifier: each for each in await self._load_by_rules(connection)}
        count = 0
        for each in changed.values():
            async with self._database.transaction() as connection:
                affected = await self._finder.find_by_certificate(
                    connection,
                    identifier=each.identifier,
                    type_code=each.type_code,
                    holder_code=each.holder_code,
                    status=each.status,
                )
                cause = Cause(source=each.identifier, version=each.version, trigger=each.status)
                count += await act(connection, self._log, affected, cause=cause, at=self._now())
        return count

    async def _load_by_rules(self, connection: Connection) -> list[store.ChangedCertificate]:
        found: list[store.ChangedCertificate] = []
        for kept in await store.load_rules(connection):
            source = kept.rule.source
            if isinstance(source, CertificateSource):
                found += await store.load_changed_certificates(
                    connection,
                    kept=kept,
                    type_code=source.type_code,
                    statuses=source.statuses,
                    limit=AT_ONCE,
                )
        return found
