"""Doing what many ask for in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.grouping import Grouper


class Work:
    """Doubles numbers, refuses odd ones, and waits at its gate."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.began = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(numbers))
        self.began.set()
        await self.gate.wait()
        if 13 in numbers:
            msg = "thirteen"
            raise RuntimeError(msg)
        return [ValueError(str(each)) if each % 2 else each * 2 for each in numbers]


async def test_what_arrives_while_a_group_is_at_work_goes_into_the_next() -> None:
    work = Work()
    grouper = Grouper(work, max_items=3)
    first = asyncio.create_task(grouper.submit(2))
    await work.began.wait()
    others = [asyncio.create_task(grouper.submit(each)) for each in (4, 5, 6, 8)]
    await asyncio.sleep(0)
    work.gate.set()
    done = await asyncio.gather(first, *others, return_exceptions=True)
    assert work.groups == [[2], [4, 5, 6], [8]]
    assert [done[0], done[1], done[3], done[4]] == [4, 8, 12, 16]
    assert isinstance(done[2], ValueError)


async def test_trouble_of_a_group_is_told_to_all_of_it_and_to_no_other() -> None:
    work = Work()
    work.gate.set()
    grouper = Grouper(work, max_items=2)
    done = await asyncio.gather(*(grouper.submit(each) for each in (12, 13, 14)), return_exceptions=True)
    assert [type(each) for each in done] == [RuntimeError, RuntimeError, int]


async def test_item_of_who_stopped_waiting_is_left_out_before_its_group_began_and_done_after() -> None:
    work = Work()
    grouper = Grouper(work)
    first = asyncio.create_task(grouper.submit(2))
    await work.began.wait()
    late, other = asyncio.create_task(grouper.submit(4)), asyncio.create_task(grouper.submit(6))
    await asyncio.sleep(0)
    late.cancel()
    first.cancel()
    work.gate.set()
    assert await other == 12
    assert work.groups == [[2], [6]]
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("full", [1, 2])
async def test_who_comes_back_at_once_is_served(full: int) -> None:
    work = Work()
    work.gate.set()
    grouper = Grouper(work, full=full)
    async with asyncio.timeout(5):
        assert [await grouper.submit(each) for each in (2, 4, 6)] == [4, 8, 12]
    assert work.groups == [[2], [4], [6]]


async def test_lanes_work_on_groups_side_by_side() -> None:
    work = Work()
    grouper = Grouper(work, lanes=2, max_items=1)
    tasks = [asyncio.create_task(grouper.submit(each)) for each in (2, 4, 6)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.groups == [[2], [4]]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [4, 8, 12]


async def test_another_lane_begins_only_once_a_full_group_waits_for_it() -> None:
    work = Work()
    grouper = Grouper(work, lanes=2, full=3)
    tasks = [asyncio.create_task(grouper.submit(2))]
    await work.began.wait()
    tasks += [asyncio.create_task(grouper.submit(each)) for each in (4, 6)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert work.groups == [[2]]
    tasks.append(asyncio.create_task(grouper.submit(8)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert work.groups == [[2], [4, 6, 8]]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [4, 8, 12, 16]


async def test_worker_that_is_ended_leaves_nobody_waiting() -> None:
    work = Work()
    grouper = Grouper(work, max_items=1)
    tasks = [asyncio.create_task(grouper.submit(each)) for each in (2, 4)]
    await work.began.wait()
    (worker,) = grouper._workers
    worker.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [asyncio.CancelledError] * 2
