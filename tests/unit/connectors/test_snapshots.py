"""Snapshots of sources that hand their rows over in unusual ways: each one is one parcel, or none."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from connectors import TerminalError
from connectors.config import load_config
from connectors.runner.runner import Runner

SOURCE = """
import json
from pathlib import Path
import pyarrow as pa
from connectors.model import Batch, Reading, SourceCapabilities
from connectors.options import Options
from connectors.protocols import BaseSource

class Given(Options):
    batches: Path
    repeats: bool = False

class Source(BaseSource):
    options_model = Given
    def __init__(self, options):
        self._options = options
    @property
    def capabilities(self):
        return SourceCapabilities(reading=Reading.FULL, repeats=self._options.repeats, key=("id",))
    def fetch_schema(self):
        return pa.schema([("id", pa.string()), ("n", pa.int64())])
    def read(self, cursor):
        for rows in json.loads(self._options.batches.read_text()):
            named = rows and set(rows[0]) - set(self.fetch_schema().names)
            schema = None if named else self.fetch_schema()
            yield Batch(rows=pa.RecordBatch.from_pylist(rows, schema=schema))
"""


def run(folder: Path, batches: str, more: str = "", *, repeats: bool = False) -> list[str]:
    (folder / "source.py").write_text(SOURCE, encoding="utf-8")
    (folder / "batches.json").write_text(batches, encoding="utf-8")
    path = folder / "c.toml"
    path.write_text(
        f"""
name = "c"
[source]
kind = "source.py:Source"
batches = "batches.json"
repeats = {str(repeats).lower()}
[sink]
kind = "sqlite"
file = "b.db"
table = "o"
key = ["id"]
[run]
full_reading = "snapshot"
{more}
""",
        encoding="utf-8",
    )
    told: list[str] = []
    Runner(load_config(path), report=lambda event, _fields: told.append(event)).run_once()
    return told


def held(folder: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "b.db")
    found = connection.execute("SELECT id, n FROM o ORDER BY id").fetchall()
    connection.close()
    return found


FULL = '[[{"id": "a", "n": 1}, {"id": "b", "n": 2}], [], [{"id": "c", "n": 3}]]'


def test_batch_of_other_columns_in_a_snapshot_stops_it_and_deletes_nothing(tmp_path: Path) -> None:
    run(tmp_path, FULL)
    other = '[[{"id": "a", "n": 1}, {"id": "b", "n": 2}], [{"id": "c", "n": 3, "new": "x"}]]'
    with pytest.raises(TerminalError, match="within one snapshot"):
        run(tmp_path, other)
    assert held(tmp_path) == [("a", 1), ("b", 2), ("c", 3)]


def test_source_that_repeats_rows_gives_one_snapshot(tmp_path: Path) -> None:
    told = run(tmp_path, '[[{"id": "a", "n": 1}, {"id": "b", "n": 2}], [{"id": "a", "n": 3}]]', repeats=True)
    assert told.count("written") == 1
    assert held(tmp_path) == [("a", 3), ("b", 2)]


def test_batches_without_a_row_are_no_snapshot_that_was_permitted(tmp_path: Path) -> None:
    run(tmp_path, FULL)
    told = run(tmp_path, "[[], []]")
    assert "empty" in told
    assert "written" not in told
    assert len(held(tmp_path)) == 3
    run(tmp_path, "[[], []]", "allow_empty_snapshot = true")
    assert held(tmp_path) == []
