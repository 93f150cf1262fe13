"""Duties end when the hub does, also those that lose a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from core import duties


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
