"""dlt and a Singer pair for `bench.connectors`: people and few_people into another schema, merged by key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

DLT_SCRIPT = """
import sys, time
import sqlalchemy as sa, dlt
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.sources.sql_database import sql_table
home, socket = sys.argv[1:]
own = PostgresCredentials({"database": "postgres", "username": "postgres", "password": "x",
                           "host": "localhost", "query": {"host": socket}})
engine = sa.create_engine(f"postgresql+psycopg2://postgres@/postgres?host={socket}")
pipeline = dlt.pipeline("bench", pipelines_dir=home, dataset_name="dlt_bench",
                        destination=dlt.destinations.postgres(own))
start = time.perf_counter()
rows = sql_table(engine, table="people", backend="pyarrow", chunk_size=100000)
pipeline.run(rows, write_disposition="merge", primary_key="GMSFHM", loader_file_format="csv")
print(time.perf_counter() - start)
"""


def socket_folder(url: str) -> str:
    """Return the folder of the server's Unix socket."""
    return parse_qs(urlsplit(url).query)["host"][0]


def install(folder: Path, *packages: str) -> Path | str:
    """Make a virtual environment with packages; return its Python, or why there is none."""
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"could not be installed: {done.stderr.strip().splitlines()[-1:]}"
    return python


def measure_dlt(folder: Path, url: str, rows: int) -> float | str:
    """Return dlt's rows a second, or why there are none."""
    given = os.environ.get("BENCH_DLT_PYTHON")
    python = (
        Path(given)
        if given
        else install(folder / "dlt", "dlt[postgres,sqlalchemy]", "pyarrow", "psycopg2-binary")
    )
    if isinstance(python, str):
        return python
    done = subprocess.run(
        [python, "-c", DLT_SCRIPT, str(folder / "pipelines"), socket_folder(url)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"did not run: {done.stderr.strip().splitlines()[-1:]}"
    return rows / float(done.stdout.strip().splitlines()[-1])


def measure_singer(folder: Path, url: str, rows: int) -> float | str:
    """Return the rows a second of tap-postgres piped into target-postgres, or why there are none."""
    given = os.environ.get("BENCH_SINGER_BIN")
    if given:
        home = Path(given)
    else:
        python = install(folder / "singer", "meltanolabs-tap-postgres", "meltanolabs-target-postgres")
        if isinstance(python, str):
            return python
        home = python.parent
    address = f"postgresql+psycopg://postgres:x@localhost/postgres?host={socket_folder(url)}"
    tap = {"sqlalchemy_url": address, "filter_schemas": ["public"]}
    target = {
        "sqlalchemy_url": address,
        "default_target_schema": "singer_bench",
        "add_record_metadata": True,
    }
    for name, held in (("tap.json", tap), ("target.json", target)):
        (folder / name).write_text(json.dumps(held), encoding="utf-8")
    found = subprocess.run(
        [home / "tap-postgres", "--config", folder / "tap.json", "--discover"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        return f"did not run: {found.stderr.strip().splitlines()[-1:]}"
    (folder / "catalogue.json").write_text(select_table(found.stdout), encoding="utf-8")
    pipe = (
        f"{home}/tap-postgres --config {folder}/tap.json --catalog {folder}/catalogue.json 2>{folder}/tap.log"
        f" | {home}/target-postgres --config {folder}/target.json 2>{folder}/target.log"
    )
    start = time.perf_counter()
    done = subprocess.run(["bash", "-o", "pipefail", "-c", pipe], capture_output=True, check=False)
    if done.returncode:
        said = (folder / "target.log").read_text(encoding="utf-8").strip().splitlines()
        return f"did not run: {said[-1:]}"
    return rows / (time.perf_counter() - start)


def select_table(catalogue: str) -> str:
    """Keep the table of the bench, all of it each time."""
    streams = [s for s in json.loads(catalogue)["streams"] if s["tap_stream_id"].endswith("few_people")]
    for stream in streams:
        stream["replication_method"] = "FULL_TABLE"
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    return json.dumps({"streams": streams})
