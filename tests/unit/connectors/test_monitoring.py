"""What `status` says to a monitor after runs that ended well, badly, or with parcels put aside."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors import TerminalError
from connectors.cli.main import app
from connectors.runner.schedule import Interval
from tests.runner_world import World

LONG_AGO = "2026-01-01T00:00:00.000+00:00"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def command(world: World, name: str, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [name, str(world.folder / "c.toml"), *arguments])
    return done.exit_code, str(done.exception) if isinstance(done.exception, TerminalError) else done.output


def status(world: World) -> tuple[int, dict[str, Any]]:
    code, said = command(world, "status", "--max-age-s", "3600")
    return code, json.loads(said)


def age(world: World) -> None:
    """Let the last good run be one of long ago."""
    health = world.folder / "c.state" / "health.json"
    told = json.loads(health.read_text(encoding="utf-8"))
    assert told["last_good_at"] is not None
    health.write_text(json.dumps(told | {"last_good_at": LONG_AGO}), encoding="utf-8")


def test_failed_run_keeps_the_last_good_one_and_a_good_one_with_nothing_new_ends_the_trouble(
    world: World,
) -> None:
    world.tell((3, True))
    world.run()
    assert status(world)[0] == 0
    age(world)
    world.mark("gone")
    with pytest.raises(TerminalError):
        world.run()
    code, shown = status(world)
    assert (code, shown["trouble"], shown["last_good_at"]) == (1, "gone", LONG_AGO)
    world.mark("gone", there=False)
    world.run()
    code, shown = status(world)
    assert (code, shown["trouble"]) == (0, None)
    assert shown["last_good_at"] > LONG_AGO


@pytest.mark.parametrize("place", ["make", "read", "acknowledge"])
def test_fault_in_the_code_of_a_source_is_a_trouble(world: World, place: str) -> None:
    world.tell((3, True))
    world.mark("fault", text=place)
    with pytest.raises(TerminalError, match=r"source.* failed with KeyError"):
        world.run()
    code, shown = status(world)
    assert (code, "failed with KeyError" in shown["trouble"]) == (1, True)
    assert "secret" not in shown["trouble"]


def test_run_that_leaves_parcels_or_is_stopped_or_not_acknowledged_is_not_a_good_one(world: World) -> None:
    world.tell((3, True))
    world.run(away=True)
    code, shown = status(world)
    assert (code, shown["trouble"], shown["last_good_at"]) == (1, "away", None)
    world.mark("deaf")
    world.run()
    assert status(world)[1]["trouble"] == "deaf"
    age(world)
    world.run()
    world.mark("deaf", there=False)
    stop = threading.Event()
    stop.set()
    world.make_runner(stop=stop).run_once()
    code, shown = status(world)
    assert (code, shown["trouble"], shown["last_good_at"]) == (1, "deaf", LONG_AGO)


def test_reading_on_a_schedule_with_the_sink_away_is_not_good(world: World) -> None:
    world.tell((3, True))
    world.mark("away")
    world.make_runner(stop=threading.Event()).run_scheduled(Interval(every_s=3600))
    assert status(world)[1]["last_good_at"] is None


def test_parked_parcel_does_not_wait_and_status_tells_of_it(world: World) -> None:
    world.tell((3, True))
    world.mark("refuses")
    with pytest.raises(TerminalError):
        world.run()
    assert command(world, "park", "1")[0] == 0
    world.mark("refuses", there=False)
    world.tell((3, True), (3, True))
    assert world.run().is_delivered
    assert world.run().is_delivered
    code, shown = status(world)
    assert (code, shown["trouble"], shown["parcels"]["parked"]) == (1, None, {"parcels": 1, "rows": 3})


def test_damaged_state_is_named_by_every_command_and_reset_begins_anew(world: World) -> None:
    world.tell((3, True))
    world.run()
    file = world.folder / "c.state" / "state.db"
    for beside in file.parent.glob("state.db-*"):
        beside.unlink()
    file.write_bytes(b"no database at all" * 500)
    for name in ("run", "status", "parcels"):
        code, said = command(world, name)
        assert (code, "state.db is damaged" in said) == (1, True), name
    assert command(world, "reset", "--yes")[0] == 0
    assert command(world, "run")[0] == 0


def test_state_that_cannot_be_written_ends_in_a_sentence(world: World) -> None:
    (world.folder / "file").touch()
    world.tell((3, True), run='state = "file/state"')
    code, said = command(world, "run")
    assert (code, "`run.state`" in said) == (1, True)


def test_unpark_asks_where_later_parcels_were_written_since(world: World) -> None:
    world.tell((3, True))
    world.run(away=True)
    assert command(world, "park", "1")[0] == 0
    assert command(world, "unpark", "1")[0] == 0
    assert command(world, "park", "1")[0] == 0
    world.tell((3, True), (10, True), (10, True))
    world.run()
    code, said = command(world, "unpark", "1")
    assert code == 1
    assert "parcels 2, 3 were written since" in said
    assert "--anyway" in said
    assert world.run().waiting == 0
    assert "no parcel 2 is parked" in command(world, "unpark", "2")[1]
    assert command(world, "unpark", "1", "--anyway")[0] == 0
    world.run()
    assert world.ids == [*range(100, 110), *range(200, 210), 0, 1, 2]
    assert status(world)[0] == 0
