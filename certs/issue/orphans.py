"""Remove files that no certificate owns: what an issue left behind that was killed before its row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from certs.issue import store_orphans
from core.caller import Caller
from core.database import Database
from core.log.model import Event
from core.log.writer import LogWriter
from core.objects import ObjectStore

PREFIXES: Final = ("certificates/", "copies/")
GRACE: Final = timedelta(hours=1)
"""How long an object must have been seen without a row: an issue under way takes far less."""

PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What one round did: objects removed, and objects seen without a row that wait for the next round."""

    removed: int
    waiting: int


class OrphanCollector:
    """Collects in two rounds at least GRACE apart, so that it never meets an issue under way."""

    def __init__(
        self, *, database: Database, objects: ObjectStore, log: LogWriter, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._objects = objects
        self._log = log
        self._now = now

    async def collect(self, *, actor: Caller | None) -> Collection:
        """Note objects without a row, and remove those that were noted GRACE ago and still have none."""
        removed = waiting = 0
        for prefix in PREFIXES:
            keys = iter(self._objects.keys(prefix))
            while page := await asyncio.to_thread(_take, keys):
                ripe, unripe = await self._judge(page)
                for key in ripe:
                    await asyncio.to_thread(self._objects.delete, key)
                removed += len(ripe)
                waiting += unripe
        async with self._database.transaction() as connection:
            await store_orphans.forget_owned(connection)
            await self._log.append(
                connection,
                event=Event.OBJECTS_COLLECTED,
                caller=actor,
                details={"removed": removed, "waiting": waiting},
            )
        return Collection(removed=removed, waiting=waiting)

    async def _judge(self, page: list[str]) -> tuple[list[str], int]:
        now = self._now()
        async with self._database.transaction() as connection:
            orphans = await store_orphans.load_unowned(connection, keys=page)
            await store_orphans.note_candidates(connection, keys=orphans, seen_at=now)
            ripe = await store_orphans.take_ripe(connection, keys=orphans, seen_before=now - GRACE)
        return ripe, len(orphans) - len(ripe)


def _take(keys: Iterator[str]) -> list[str]:
    return list(islice(keys, PAGE))
