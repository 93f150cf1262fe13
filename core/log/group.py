"""Leaves that are all that their act writes, appended together with those of other acts in flight.

Such an act has read in one statement, and is answered once its leaf is committed: nothing is given out
without it, as where both are of one transaction. While one group is being committed the next one fills, so
that under load one statement and one commit serve many acts, and where there is no load nobody waits.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from core.database import Connection, Database
from core.log import store
from core.log.model import Leaf
from core.log.writer import LogWriter, NewLeaf

MAX_LEAVES: Final = store.MAX_IN_STATEMENT
MAX_GROUPS: Final = 4
FULL_LEAVES: Final = 8  # where so many wait, committing takes long, and another group need not wait for it

_Place = tuple[Leaf, "asyncio.Future[None]"]


class LeafGroup:
    """Appends leaves of acts that write nothing else; one per process."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log
        self._waiting: list[_Place] = []
        self._working = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, new: NewLeaf, *, owner: str) -> None:
        """Append one leaf, of at most MAX_SUBJECTS subjects; return once it is committed.

        `owner` is whose data the act touched. Raises Unavailable, and then nothing may be answered. Who is
        cancelled while waiting may leave a leaf of an access that was not answered.
        """
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._log.build(new, owner=owner), committed))
        if not self._working or (self._working < MAX_GROUPS and len(self._waiting) >= FULL_LEAVES):
            self._working += 1
            task = asyncio.create_task(self._work(), name="leaf-group")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await committed

    async def _work(self) -> None:
        """Commit until nothing waits; no leaf comes between the last look and the end of the work."""
        try:
            await self._commit_groups()
        finally:
            self._working -= 1

    async def _commit_groups(self) -> None:
        """Commit what waits, a group at a time, until nothing does.

        The connection is kept from group to group: else each would queue for one behind the calls that read,
        which wait for their leaves in turn.
        """
        while self._waiting:
            group: list[_Place] = []
            try:
                async with self._database.acquire() as connection:
                    while group := self._take():
                        await self._commit(connection, group)
            except asyncio.CancelledError:
                for _, committed in group:
                    committed.cancel()
                raise
            except Exception as trouble:
                self._tell(group or self._take(), trouble)

    def _take(self) -> list[_Place]:
        """Take the next group: those who still wait."""
        while self._waiting:
            taken = self._waiting[:MAX_LEAVES]
            del self._waiting[:MAX_LEAVES]
            if group := [place for place in taken if not place[1].done()]:
                return group
        return []

    async def _commit(self, connection: Connection, group: list[_Place]) -> None:
        """Commit a group. Raises what is not the fault of a leaf of it, and then has told nobody."""
        try:
            await store.save_leaves(connection, leaves=[leaf for leaf, _ in group])
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as trouble:
            if len(group) == 1:
                self._tell(group, trouble)
                return
            for place in group:  # what the database refuses of one is no fault of the others
                await self._commit(connection, [place])
        else:
            self._tell(group, None)

    @staticmethod
    def _tell(group: list[_Place], trouble: Exception | None) -> None:
        for _, committed in group:
            if committed.done():
                continue
            if trouble is None:
                committed.set_result(None)
            else:
                committed.set_exception(trouble)
