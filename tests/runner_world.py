"""A connector whose source and sink are told what to do by files beside its configuration."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.config import Config, load_config
from connectors.runner.report import Health, Report
from connectors.runner.runner import Outcome, Runner

PARTS = '''
import json
import os
import signal
from pathlib import Path

import pyarrow as pa

from connectors import TerminalError, TransientError
from connectors.model import Batch, Operation, Reading, Receipt, SinkCapabilities, SourceCapabilities
from connectors.protocols import BaseSink, BaseSource

HERE = Path(__file__).parent
SCHEMA = pa.schema([("id", pa.int64())])


def fail_at(place):
    """Fail as code does that has a fault, where the file `fault` names the place."""
    fault = HERE / "fault"
    if fault.exists() and fault.read_text() == place:
        raise KeyError("secret words")


class Told(BaseSource):
    """Yields the batches of `batches`, each a number of rows and whether it has a cursor."""

    def __init__(self, options):
        fail_at("make")

    @property
    def capabilities(self):
        return SourceCapabilities(reading=Reading.INCREMENTAL, acknowledges=True)

    def fetch_schema(self):
        return SCHEMA

    def read(self, cursor):
        fail_at("read")
        if (HERE / "gone").exists():
            raise TerminalError("gone")
        for place, (rows, stops) in enumerate(json.loads((HERE / "batches").read_text())):
            if place >= (0 if cursor is None else cursor["done"]):
                ids = pa.array([100 * place + n for n in range(rows)], pa.int64())
                at = {"done": place + 1} if stops else None
                yield Batch(rows=pa.RecordBatch.from_arrays([ids], schema=SCHEMA), cursor=at)

    def acknowledge(self, cursor):
        fail_at("acknowledge")
        if (HERE / "deaf").exists():
            raise TransientError("deaf")
        with (HERE / "acknowledged").open("a") as out:
            print(cursor["done"], file=out)


class Taking(BaseSink):
    """Writes down keys and ids of parcels; is away, refuses or is killed where a file of that name is."""

    def __init__(self, options):
        pass

    @property
    def capabilities(self):
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel):
        if (HERE / "away").exists():
            raise TransientError("away")
        if (HERE / "refuses").exists():
            raise TerminalError("refused")
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

    def mark(self, name: str, *, there: bool = True, text: str = "") -> None:
        """Put one of the files there that the parts look for, or take it away."""
        if there:
            (self.folder / name).write_text(text, encoding="utf-8")
        else:
            (self.folder / name).unlink(missing_ok=True)

    @property
    def config(self) -> Config:
        """The configuration."""
        return load_config(self.folder / "c.toml")

    def make_runner(self, *, stop: threading.Event | None = None) -> Runner:
        """Make a runner that notes its health, as a new process does."""
        self.config.state.mkdir(exist_ok=True)
        health: Report = Health(self.config.state / "health.json")

        def report(event: str, fields: Mapping[str, Any]) -> None:
            health(event, fields)
            if event == "caught_up" and stop is not None:
                stop.set()

        return Runner(self.config, report=report, stop=stop)

    def run(self, *, away: bool = False) -> Outcome:
        """Run once, with the sink there or away."""
        self.mark("away", there=away)
        return self.make_runner().run_once()

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
