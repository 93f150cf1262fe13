"""The files of a new package; `$name` is its name, `$module` the module, `$Class` the class."""

from __future__ import annotations

from typing import Final

PYPROJECT: Final = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["shuzheng[connectors]"]

[project.entry-points."shuzheng.sources"]
$name = "$module.source:${Class}Source"

[tool.hatch.build.targets.wheel]
packages = ["$module"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""

SOURCE: Final = '''\
"""Reads the records of $name: a file of JSON, one change a line. Put your own system in its place."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from connectors.errors import TerminalError, TransientError
from connectors.model import Batch, Cursor, Reading, SourceCapabilities
from connectors.options import Options
from connectors.protocols import BaseSource

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("amount", pa.string()), ("day", pa.string())])
BATCH_ROWS = 1000


class ${Class}Options(Options):
    """What the table [source] of a configuration may hold. Secrets are of the type pydantic.SecretStr."""

    file: Path


class ${Class}Source(BaseSource):
    """Yields lines in their order; the cursor is the place in the file where the next line begins."""

    options_model = ${Class}Options

    def __init__(self, options: ${Class}Options) -> None:
        self._options = options

    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(reading=Reading.INCREMENTAL, repeats=True, key=("id",))

    def fetch_schema(self) -> pa.Schema:
        return SCHEMA

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        place = 0 if cursor is None else cursor.get("place")
        if not isinstance(place, int):
            raise TerminalError("the cursor is none of this source")
        try:
            with self._options.file.open("rb") as opened:
                opened.seek(place)
                while lines := opened.readlines(BATCH_ROWS * 100):
                    rows = [json.loads(line) for line in lines]
                    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
                    yield Batch(rows=batch, cursor={"place": opened.tell()})
        except OSError as trouble:
            raise TransientError(f"the file cannot be read ({trouble.strerror})") from None
        except (ValueError, pa.ArrowException):
            raise TerminalError("a line is no record of JSON with these columns") from None
'''

TESTS: Final = '''\
"""The conformance kit against the source, on a stage that writes the file."""

import json
from collections.abc import Sequence
from pathlib import Path

from connectors.kit import Outcome, assess_source, describe
from connectors.kit.model import Row
from $module.source import ${Class}Options, ${Class}Source


class Stage:
    """Your system in the hands of the kit. What it cannot do raises NotImplementedError."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def reset(self) -> None:
        self.file.write_text("")

    def put(self, rows: Sequence[Row]) -> None:
        with self.file.open("a", encoding="utf-8") as out:
            for row in rows:
                amount, day = (None if value is None else str(value) for value in (row.amount, row.day))
                out.write(json.dumps({"id": row.id, "name": row.name, "amount": amount, "day": day}) + "\\n")

    def remove(self, ids: Sequence[int]) -> None:
        raise NotImplementedError

    def cut(self) -> None:
        self.file.rename(self.file.with_suffix(".away"))

    def restore(self) -> None:
        self.file.with_suffix(".away").rename(self.file)


def test_source_passes_the_conformance_kit(tmp_path: Path) -> None:
    options = ${Class}Options(file=tmp_path / "records.ndjson")
    findings = assess_source(lambda: ${Class}Source(options), Stage(options.file))
    assert not [f for f in findings if f.outcome is Outcome.FAILED], "\\n" + describe(findings)
'''

CONFIG: Final = """\
name = "$name"

[source]
kind = "$module/source.py:${Class}Source"   # once the package is installed: kind = "$name"
file = "records.ndjson"

[sink]
kind = "hub"
url = "http://127.0.0.1:8000"
resource = "your_resource"
client_id = "$${SHUZHENG_CLIENT_ID}"
client_secret = "$${SHUZHENG_CLIENT_SECRET}"

[run]
every_s = 300
"""

README: Final = """\
# $name

1. Make `$module/source.py` read your system: what `read` yields, what its cursor holds.
2. Make the stage in `tests/test_source.py` prepare your system; `pytest` runs the conformance kit on it.
3. `shuzheng-connector test connector.toml` runs the checks that need no stage on the real system.
4. `shuzheng-connector run connector.toml` delivers.
"""
