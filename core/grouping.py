"""Do what many coroutines ask for in groups: what arrives while one group is at work goes into the next.

A call that comes alone is done alone and at once; under load groups grow, and what a group costs
as a whole (a transaction, a commit, a thread) is shared.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

DEFAULT_MAX_ITEMS: Final = 32


class Grouper(Generic[Item, Outcome]):
    """Hands groups of items to `work`, which returns for each, in order, its outcome or what to raise for it.

    What `work` itself raises is raised for every item of the group. At most `lanes` groups are at work at a
    time; while one is, another begins once `full` items wait for it, for what a group costs is paid for each.
    Whoever stops waiting before the group began takes the item back; once it began, it is done.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome | Exception]]],
        *,
        lanes: int = 1,
        max_items: int = DEFAULT_MAX_ITEMS,
        full: int = 1,
    ) -> None:
        self._work = work
        self._lanes = lanes
        self._max_items = max_items
        self._full = full
        self._waiting: deque[tuple[Item, asyncio.Future[Outcome]]] = deque()
        self._working = 0  # told by the workers themselves: of a task it is known too late that it ended
        self._workers: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Outcome:
        """Have an item done with others; return its outcome, or raise what it ended with."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._working or (self._working < self._lanes and len(self._waiting) >= self._full):
            self._working += 1
            worker = asyncio.create_task(self._run())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await future

    async def _run(self) -> None:
        """Work until nothing waits; no item comes between the last look and the end of the work."""
        try:
            await self._work_on_groups()
        finally:
            self._working -= 1

    async def _work_on_groups(self) -> None:
        while group := self._take():
            try:
                outcomes = await self._work([item for item, _ in group])
                for (_, future), outcome in zip(group, outcomes, strict=True):
                    _settle(future, outcome)
            except Exception as trouble:
                for _, future in group:
                    _settle(future, trouble)
            except BaseException:
                for _, future in (*group, *self._waiting):
                    future.cancel()
                raise

    def _take(self) -> list[tuple[Item, asyncio.Future[Outcome]]]:
        group: list[tuple[Item, asyncio.Future[Outcome]]] = []
        while self._waiting and len(group) < self._max_items:
            item, future = self._waiting.popleft()
            if not future.done():
                group.append((item, future))
        return group


def _settle(future: asyncio.Future[Outcome], outcome: Outcome | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
