"""The runner with a source and a sink that are told what to do: what is acknowledged, and what has room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connectors import TerminalError
from connectors.config import load_config
from connectors.runner.runner import Outcome, Runner

PARTS = '''
import json
import os
import signal
from pathlib import Path

import pyarrow as pa

from connectors import TransientError
from connectors.model import Batch, Operation, Reading, Receipt, SinkCapabilities, SourceCapabilities
from connectors.protocols import BaseSink, BaseSource

HERE = Path(__file__).parent
SCHEMA = pa.schema([("id", pa.int64())])


class Told(BaseSource):
    """Yields the batches of `batches`, each a number of rows and whether it has a cursor."""

    def __init__(self, options):
        pass

    @property
    def capabilities(self):
        return SourceCapabilities(reading=Reading.INCREMENTAL, acknowledges=True)

    def fetch_schema(self):
        return SCHEMA

    def read(self, cursor):
        for place, (rows, stops) in enumerate(json.loads((HERE / "batches").read_text())):
            if place >= (0 if cursor is None else cursor["done"]):
                ids = pa.array([100 * place + n for n in range(rows)], pa.int64())
                at = {"done": place + 1} if stops else None
                yield Batch(rows=pa.RecordBatch.from_arrays([ids], schema=SCHEMA), cursor=at)

    def acknowledge(self, cursor):
        with (HERE / "acknowledged").open("a") as out:
            print(cursor["done"], file=out)


class Taking(BaseSink):
    """Writes down keys and ids of parcels; away where there is a file `away`, killed where `kill`."""

    def __init__(self, options):
        pass

    @property
    def capabilities(self):
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel):
        if (HERE / "away").exists():
            raise TransientError("away")
        ids = [number for batch in parcel.read() for number in batch.column("id").to_pylist()]
        with (HERE / "written").open("a") as out:
            print(json.dumps([parcel.key, ids]), file=out)
        if (HERE / "kill").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return Receipt(accepted=parcel.rows)
'''


class World:
    """A folder with a connector of these parts, and what they noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "parts.py").write_text(PARTS, encoding="utf-8")

    def tell(self, *batches: tuple[int, bool], run: str = "") -> None:
        """Set what the source has, and options of the run."""
        (self.folder / "batches").write_text(json.dumps(batches), encoding="utf-8")
        parts = '[source]\nkind = "parts.py:Told"\n[sink]\nkind = "parts.py:Taking"\n'
        config = f'name = "c"\n{parts}[run]\npatience_s = 0\nparcel_rows = 10\n{run}\n'
        (self.folder / "c.toml").write_text(config, encoding="utf-8")

    def run(self, *, away: bool = False) -> Outcome:
        """Run once, with the sink there or away."""
        path = self.folder / "away"
        path.touch() if away else path.unlink(missing_ok=True)
        return Runner(load_config(self.folder / "c.toml"), report=lambda _event, _fields: None).run_once()

    @property
    def acknowledged(self) -> list[int]:
        """How many batches were acknowledged, each time."""
        return [json.loads(line) for line in self._lines("acknowledged")]

    @property
    def written(self) -> list[tuple[str, list[int]]]:
        """Keys and ids of the parcels that were written."""
        return [tuple(json.loads(line)) for line in self._lines("written")]

    @property
    def ids(self) -> list[int]:
        """The ids that were written."""
        return [number for _, ids in self.written for number in ids]

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


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
    (world.folder / "away").unlink()
    (world.folder / "kill").touch()
    command = [sys.executable, "-m", "connectors", "run", str(world.folder / "c.toml")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert (len(world.written), world.acknowledged) == (1, [])
    (world.folder / "kill").unlink()
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
