"""The runner with a source and a sink that are told what to do: what is acknowledged, and what has room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors import TerminalError
from tests.runner_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    "batches",
    [[(0, True)], [(10, True), (0, True)], [(10, False), (0, True)], [(0, True), (10, False), (0, True)]],
    ids=["no parcel", "after a parcel", "after a held parcel", "before and after one"],
)
def test_cursor_without_rows_is_acknowledged_where_nothing_waits(
    world: World, batches: list[tuple[int, bool]]
) -> None:
    world.tell(*batches)
    world.run()
    assert world.acknowledged[-1] == len(batches)


def test_cursor_is_acknowledged_after_all_rows_before_it_and_never_an_older_one_again(world: World) -> None:
    world.tell((10, True), (0, True))
    assert world.run(away=True).waiting == 1
    assert world.acknowledged == []
    world.run()
    assert world.acknowledged[-1] == 2
    world.tell((10, True), (0, True), (10, True), (0, True))
    assert world.run(away=True).waiting == 1
    assert world.acknowledged[-1] == 2
    world.run()
    assert world.acknowledged[-1] == 4
    assert world.acknowledged == sorted(world.acknowledged)


def test_kill_9_before_the_receipt_is_kept_acknowledges_nothing(world: World) -> None:
    world.tell((10, True), (0, True))
    world.run(away=True)
    world.mark("away", there=False)
    world.mark("kill")
    command = [sys.executable, "-m", "connectors", "run", str(world.folder / "c.toml")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert (len(world.written), world.acknowledged) == (1, [])
    world.mark("kill", there=False)
    assert world.run(away=True).waiting == 1
    assert world.acknowledged == []
    world.run()
    assert world.acknowledged[-1] == 2
    assert world.written[0] == world.written[1]


FULL = "spool_bytes = 1"  # so that any parcel fills the spool


def test_rows_without_a_cursor_that_fill_the_spool_end_the_run_and_the_next_begins_cleanly(
    world: World,
) -> None:
    batches = [(10, True), (10, False), (10, False), (10, True)]
    world.tell(*batches, run=FULL)
    with pytest.raises(TerminalError, match=r"run\.spool_bytes \(1\).*set run\.spool_bytes higher"):
        world.run()
    assert world.ids == list(range(10))
    world.tell(*batches)
    assert world.run().is_delivered
    assert world.ids == [100 * place + n for place in range(4) for n in range(10)]


def test_cursor_that_comes_last_lets_go_what_fills_the_spool(world: World) -> None:
    world.tell((10, False), (0, True), (10, False), (10, True), run=FULL)
    assert world.run().is_delivered
    assert len(world.ids) == 30


def test_cursor_of_a_parcel_that_is_open_lets_go_what_fills_the_spool(world: World) -> None:
    world.tell((10, False), (3, True), (3, True), run=FULL)
    assert world.run().is_delivered
    assert len(world.ids) == 16
