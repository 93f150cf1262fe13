"""Duties end when the hub does, also those that lose a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from core import duties
from core.errors import Unavailable


async def test_duty_that_loses_its_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "PATIENCE_S", 0.01)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    async def broken() -> None:
        raise ConnectionError

    tasks = [asyncio.create_task(run()) for run in (deaf, broken)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await duties.stop_duties(tasks)
    assert lost == 3
    assert all(task.done() for task in tasks)


async def test_duty_that_fails_starts_again_and_ends_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "PAUSE_S", 0.0)
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError

    await duties.keep_going("example", run)
    assert runs == 3


async def test_turns_go_on_at_once_while_they_are_full_and_wait_for_a_database_that_is_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns = iter((3, 3, 1, Unavailable("down"), 3, 0))
    done: list[int] = []
    ended = asyncio.Event()

    async def work_once() -> int:
        turn = next(turns)
        if isinstance(turn, Unavailable):
            raise turn
        done.append(turn)
        if turn == 0:
            ended.set()
        return turn

    task = asyncio.create_task(duties.take_turns(work_once, full=3, every_s=0.0, waits="the test"))
    await ended.wait()
    await duties.stop_duties([task])
    assert done == [3, 3, 1, 3, 0]
    assert "the test waits" in caplog.text


async def test_piece_that_fails_takes_no_other_with_it_and_a_database_that_is_down_ends_the_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    async def work(piece: int) -> None:
        if piece == 1:
            raise ValueError(piece)
        if piece == 3:
            msg = "down"
            raise Unavailable(msg)
        done.append(piece)

    with pytest.raises(Unavailable):
        await duties.do_each(range(5), work, failed="a piece failed")
    assert done == [0, 2]
    assert "a piece failed: ValueError" in caplog.text
