"""How fast batches become versions: `python -m bench.publish [rows]` (or `make bench-publish`).

The floor is what PostgreSQL itself needs for the same rows: binary COPY, encoded beforehand, into a
temporary table, and one MERGE into a table with the same key; no decoding, no checks, no change log, no
accounting. Ours starts from the CSV file on disk and ends with the committed version. `dlt` (from PyPI, in a
virtual environment of the bench's own) starts from the same rows as an Arrow table and merges by key,
through CSV files, its fastest documented way into PostgreSQL. Of the file of changed rows alone the floor is
itself but twice as fast as dlt, so that of ours only parity is asked there.

At last single rows are written into the full table by twenty writers at once; the slowest is to be seen
within a second.

Contenders take turns, and the best turn of each counts: another program on the machine then disturbs both
alike. BENCH_DLT_PYTHON names a Python that has dlt, which is then not installed anew. The last line is JSON:
`ratios` as measured, `expect` the least that is promised, `ok` whether all promises hold, `dlt` null with a
reason where it could not be installed.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import pyarrow as pa

from bench.publish_rows import measure_row_writes
from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.codes import credit
from core.database import Database
from core.database.embedded import start_embedded
from core.database.migrate import apply_migrations, load_migrations
from core.identity import store as identity_store
from core.identity.model import Organisation
from core.log.writer import LogWriter
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Resource
from exchange.catalogue.service import CatalogueService
from exchange.evolution.takeover import Takeover
from exchange.publish.decode import open_upload
from exchange.publish.decoded import DecodedBatch
from exchange.publish.media import CSV
from exchange.publish.model import Mode, Upload
from exchange.publish.publish import PublishService
from exchange.publish.typed import encode_rows
from exchange.publish.validate import Validator
from exchange.standards.samples import SampleKind, write_sample
from exchange.standards.schemas import POPULATION
from hub.services import MIGRATED_PACKAGES
from signing import sm3

ROWS = 1_000_000
CHANGED_SHARE = 10
TURNS = 3
# Load by load what is sent: all rows, then every tenth changed, then all rows, a tenth of which change back.
LOADS = {"first": "first", "changed": "changed", "whole": "first"}
PROVIDER = OrganisationCode(credit.build_code("11990000", "MA000001"))
EXPECT = {
    "validation_to_1000000": 1.0,
    "first_load_to_floor": 0.6,
    "upsert_to_floor": 0.6,
    "upsert_whole_file_to_floor": 0.6,
    "second_to_slowest_row_write": 1.0,
    "first_load_to_dlt": 3.0,
    "upsert_to_dlt": 1.0,
    "upsert_whole_file_to_dlt": 3.0,
}
DLT_SCRIPT = """
import json, os, sys, time
import dlt, pyarrow.parquet as pq
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
first, changed, home, socket = sys.argv[1:]
# The configuration wants some host and password; libpq takes the folder of the Unix socket from the query.
own = PostgresCredentials({"database": "postgres", "username": "postgres", "password": "x",
                           "host": "localhost", "query": {"host": socket}})
pipeline = dlt.pipeline("bench", pipelines_dir=home, dataset_name="dlt_bench",
                        destination=dlt.destinations.postgres(own))
times = []
for path in (first, changed, first):
    start = time.perf_counter()
    pipeline.run(pq.read_table(path), table_name="people", write_disposition="merge",
                 primary_key="GMSFHM", loader_file_format="csv")
    times.append(time.perf_counter() - start)
print(json.dumps(times))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a run: all rows, and a tenth of them changed."""

    first: Path
    changed: Path


def write_files(folder: Path, rows: int) -> Files:
    """Make up the rows and their changes (every tenth person has moved)."""
    files = Files(first=folder / "first.csv", changed=folder / "changed.csv")
    with files.first.open("wb") as out:
        write_sample(SampleKind.POPULATION, rows=rows, seed=1, dirt=0.0, out=out)
    with (
        files.first.open(encoding="utf-8") as lines,
        files.changed.open("w", encoding="utf-8") as changed,
    ):
        changed.write(next(lines))
        for number, line in enumerate(lines):
            if number % CHANGED_SHARE == 0:
                changed.write(line.replace("号,", "号2单元,", 1))
    return files


def open_csv(path: Path, resource: Resource) -> tuple[Validator, list[DecodedBatch]]:
    """Decode a file into memory, and make its validator."""
    upload = build_upload(path)
    columns, batches = open_upload(upload, resource)
    return Validator(resource, columns, keys_only=False), list(batches)


def build_upload(path: Path) -> Upload:
    """Name a file as an upload."""
    digest = sm3.digest(str(path).encode())
    return Upload(path=path, size_bytes=path.stat().st_size, digest=digest, media_type=CSV, charset=None)


def measure_validation(path: Path, resource: Resource) -> tuple[float, bytes]:
    """Return rows validated a second (decoding left out), and the rows as one binary COPY stream."""
    validator, batches = open_csv(path, resource)
    best, accepted = float("inf"), []
    for _ in range(TURNS):
        start = time.perf_counter()
        accepted = [validator.validate(batch).accepted for batch in batches]
        best = min(best, time.perf_counter() - start)
    table = pa.concat_tables(accepted)
    return table.num_rows / best, encode_rows(table.combine_chunks())


class Floor:
    """The yardstick: binary COPY of the items in the files, and one MERGE into a table of all items."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], items: list[str]) -> None:
        self._connection = connection
        self._items = items
        types = {item.name: parse_format(item.format).column_type for item in POPULATION.items}
        self._columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        self._staged = ", ".join(f'"{name}" {types[name]}' for name in items)

    async def reset(self) -> None:
        """Begin with an empty table."""
        await self._connection.execute(
            f'DROP TABLE IF EXISTS floor; CREATE TABLE floor ({self._columns}, PRIMARY KEY ("GMSFHM"))'
        )

    async def load(self, data: bytes) -> None:
        """Copy and merge; rows that have not changed are left alone."""
        names = [f'"{item}"' for item in self._items]
        values = names[1:]
        changed = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in values)
        sets = ", ".join(f"{name} = s.{name}" for name in values)
        connection = self._connection
        async with connection.transaction():
            await connection.execute(f"CREATE TEMP TABLE s (_row bigint, {self._staged}) ON COMMIT DROP")
            await connection.copy_to_table("s", source=io.BytesIO(data), format="binary", timeout=None)
            await connection.execute(
                'MERGE INTO floor t USING s ON t."GMSFHM" = s."GMSFHM"'
                f" WHEN MATCHED AND ({changed}) THEN UPDATE SET {sets}"
                f" WHEN NOT MATCHED THEN INSERT ({', '.join(names)})"
                f" VALUES ({', '.join('s.' + name for name in names)})",
                timeout=None,
            )


class Ours:
    """The hub's publishing service on the same database."""

    def __init__(self, database: Database) -> None:
        log = LogWriter(subject_key=b"k" * 32, now=_now)
        self._catalogue = CatalogueService(
            database=database, log=log, now=_now, on_takeover=Takeover(log=log, now=_now)
        )
        self._publisher = PublishService(database=database, log=log)
        self.caller = Caller(
            system_id=SystemId(uuid4()),
            system_name="bench",
            organisation_code=PROVIDER,
            organisation_name="bench",
            scopes=frozenset(Scope),
        )
        self._resource = POPULATION.build(provider_code=PROVIDER)
        self._number = 0

    async def reset(self) -> None:
        """Begin with a new resource."""
        self._number += 1
        self._resource = POPULATION.build(provider_code=PROVIDER, code=f"bench_{self._number}")
        await self._catalogue.register(self._resource, caller=self.caller)

    async def load(self, path: Path) -> None:
        """Publish a file."""
        done = await self._publisher.publish(
            self._resource,
            build_upload(path),
            caller=self.caller,
            mode=Mode.UPSERT,
            idempotency_key=str(uuid4()),
        )
        assert done.answer["rejected"] == 0, done.answer

    async def write_rows(self, database: Database, path: Path) -> float:
        """Write single rows of a published file; return the most seconds until one could be seen."""
        return await measure_row_writes(database, self._publisher, self._resource, self.caller, path)


def _now() -> datetime:
    return datetime.now(UTC)


async def timed(work: Awaitable[None]) -> float:
    """Return the seconds that `work` took."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


async def measure_loads(url: str, files: Files, items: list[str], data: dict[str, bytes]) -> dict[str, float]:
    """Return the best seconds of each contender for each load; the files have the columns `items`."""
    best: dict[str, float] = {}

    def keep(name: str, seconds: float) -> None:
        best[name] = min(best.get(name, seconds), seconds)

    connection = await asyncpg.connect(url)
    database = await Database.connect(url, pool_size=4, timeout_s=10)
    try:
        await apply_migrations(database, load_migrations(MIGRATED_PACKAGES))
        async with database.transaction() as registering:
            organisation = Organisation(code=PROVIDER, name="bench", division_code="990000")
            await identity_store.save_organisation(registering, organisation=organisation)
        floor = Floor(connection, items)
        ours = Ours(database)
        for turn in range(TURNS):
            loads: list[tuple[str, Callable[[], Awaitable[None]], Callable[[str], Awaitable[None]]]] = [
                ("floor", floor.reset, lambda name: floor.load(data[name])),
                ("ours", ours.reset, lambda name: ours.load(getattr(files, name))),
            ]
            for who, reset, load in loads if turn % 2 else loads[::-1]:
                await reset()
                await connection.execute("CHECKPOINT")
                for name, part in LOADS.items():
                    keep(f"{who} {name}", await timed(load(part)))
        best["ours row"] = await ours.write_rows(database, files.first)
    finally:
        await database.close()
        await connection.close()
    return best


def measure_dlt(folder: Path, url: str, parquet: dict[str, Path]) -> dict[str, float] | str:
    """Return dlt's seconds, or why there are none."""
    python = folder / "dlt" / "bin" / "python"
    given = os.environ.get("BENCH_DLT_PYTHON")
    if given:
        python = Path(given)
        if not python.exists():
            return f"dlt did not run: there is no {given}"
    else:
        for command in (
            [sys.executable, "-m", "venv", str(folder / "dlt")],
            [str(python), "-m", "pip", "install", "--quiet", "dlt[postgres]", "pyarrow"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"dlt could not be installed: {done.stderr.strip().splitlines()[-1:]}"
    done = subprocess.run(
        [
            *(python, "-c", DLT_SCRIPT, parquet["first"], parquet["changed"], folder / "pipelines"),
            parse_qs(urlsplit(url).query)["host"][0],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"dlt did not run: {done.stderr.strip().splitlines()[-1:]}"
    return {f"dlt {load}": s for load, s in zip(LOADS, json.loads(done.stdout.splitlines()[-1]), strict=True)}


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    resource = POPULATION.build(provider_code=PROVIDER)
    with tempfile.TemporaryDirectory(prefix="sz-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        print(f"making up {rows:,} rows …", flush=True)
        files = write_files(folder, rows)
        validation, first = measure_validation(files.first, resource)
        data, items = {"first": first}, open_csv(files.first, resource)[0].item_names
        validator, batches = open_csv(files.changed, resource)
        table = pa.concat_tables([validator.validate(batch).accepted for batch in batches])
        data["changed"] = encode_rows(table.combine_chunks())
        server = start_embedded(folder / "pg")
        try:
            best = asyncio.run(measure_loads(server.url, files, items, data))
            dlt = measure_dlt(folder, server.url, write_parquet(folder, files, resource))
        finally:
            server.stop()
    return report(rows, validation, best, dlt)


def write_parquet(folder: Path, files: Files, resource: Resource) -> dict[str, Path]:
    """Write the rows as Parquet, for those who begin with Arrow."""
    from pyarrow import parquet  # noqa: PLC0415

    written = {}
    for part in ("first", "changed"):
        _, batches = open_csv(getattr(files, part), resource)
        table = pa.concat_tables([pa.table(dict(batch.columns)) for batch in batches])
        written[part] = folder / f"{part}.parquet"
        parquet.write_table(table, written[part])
    return written


def report(rows: int, validation: float, best: dict[str, float], dlt: dict[str, float] | str) -> int:
    """Print what was measured and whether the promises hold."""
    ratios = {
        "validation_to_1000000": validation / 1_000_000,
        "first_load_to_floor": best["floor first"] / best["ours first"],
        "upsert_to_floor": best["floor changed"] / best["ours changed"],
        "upsert_whole_file_to_floor": best["floor whole"] / best["ours whole"],
        "second_to_slowest_row_write": 1 / best.pop("ours row"),
    }
    if isinstance(dlt, dict):
        best |= dlt
        ratios["first_load_to_dlt"] = dlt["dlt first"] / best["ours first"]
        ratios["upsert_to_dlt"] = dlt["dlt changed"] / best["ours changed"]
        ratios["upsert_whole_file_to_dlt"] = dlt["dlt whole"] / best["ours whole"]
    print(f"\nvalidation {validation:,.0f} rows/s")
    print(f"\n{'what':20}{'seconds':>10}{'rows/s':>14}")
    for name, seconds in best.items():
        count = rows // CHANGED_SHARE if name.endswith("changed") else rows
        print(f"{name:20}{seconds:10.2f}{count / seconds:14,.0f}")
    print(f"\n{'ratio':30}{'measured':>10}{'expected':>10}")
    for name, ratio in ratios.items():
        print(f"{name:30}{ratio:10.2f}{EXPECT[name]:10.2f}{'' if ratio >= EXPECT[name] else '  below'}")
    ok = all(ratio >= EXPECT[name] for name, ratio in ratios.items())
    verdict = {
        "bench": "publish",
        "rows": rows,
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "dlt": None if isinstance(dlt, str) else "measured",
        "dlt_reason": dlt if isinstance(dlt, str) else None,
        "ok": ok,
    }
    print(json.dumps(verdict))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
