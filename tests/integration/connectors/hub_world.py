"""A hub process with a publishing system, and connectors run as processes against it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from connectors import HubClient
from core.caller import OrganisationCode, Scope
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import open_services
from tests.hubs import organisation_code

ITEMS = [
    {"name": "id", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..20", "is_required": True},
    {"name": "changed", "title": "更新日期", "format": "YYYYMMDD"},
]
THINGS = {"code": "things", "title": "物", "theme": "other", "update_cycle": "daily", "items": ITEMS}


async def make_publisher(settings: Settings) -> dict[str, str]:
    """Register an organisation with a publishing system; return its credentials."""
    async with open_services(settings) as services:
        code = OrganisationCode(organisation_code(1))
        organisation = Organisation(code=code, name="示例市局", division_code="990000")
        await services.identity.register_organisation(organisation, actor=None)
        made = await services.identity.register_system(
            organisation_code=code,
            name="业务系统",
            scopes=frozenset({Scope.CATALOGUE_WRITE, Scope.PUBLISH}),
            actor=None,
        )
    return {"client_id": str(made.system.id), "client_secret": made.secret}


def write_rows(file: Path, rows: int, *, start: int = 0, name: str = "第{}行") -> None:
    """Put rows into a SQLite file; those that are there already change their name."""
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT, changed TEXT, seq INTEGER)"
        )
        first = connection.execute("SELECT coalesce(max(seq), 0) FROM t").fetchone()[0]
        connection.executemany(
            "INSERT OR REPLACE INTO t VALUES (?, ?, '2026-03-04', ?)",
            ((n, name.format(n), first + 1 + n) for n in range(start, start + rows)),
        )
    connection.close()


def write_config(
    folder: Path, hub: str, credentials: dict[str, str], *, run: str = "", source: str = ""
) -> Path:
    """Write a configuration: the SQLite file `a.db` in the folder, to the resource `things`."""
    path = folder / "connector.toml"
    path.write_text(
        f"""
name = "things"
[source]
kind = "sqlite"
file = "a.db"
table = "t"
columns = ["id", "name", "changed", "seq"]
key = ["id"]
{source or 'watermark = "seq"'}
batch_rows = 500
[sink]
kind = "hub"
url = "{hub}"
resource = "things"
client_id = "{credentials["client_id"]}"
client_secret = "${{A_SECRET}}"
[run]
parcel_rows = 2000
{run}
[mapping]
version = 1
[[mapping.column]]
from = "id"
to = "id"
[[mapping.column]]
from = "name"
to = "name"
[[mapping.column]]
from = "changed"
to = "changed"
format = "YYYYMMDD"
""",
        encoding="utf-8",
    )
    return path


def start(config: Path, credentials: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start `python -m connectors run`."""
    return subprocess.Popen(
        [sys.executable, "-m", "connectors", "run", str(config), *arguments],
        env=os.environ | {"A_SECRET": credentials["client_secret"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(config: Path, credentials: dict[str, str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run to the end; return the code, the events, and what stood on stderr."""
    process = start(config, credentials, *arguments)
    out, trouble = process.communicate(timeout=120)
    assert credentials["client_secret"] not in out + trouble
    return process.returncode, [json.loads(line) for line in out.splitlines()], trouble


def kill(process: subprocess.Popen[str], *, after_events: int, after_s: float) -> bool:
    """Kill -9 some time after some events were told; tell whether it was still alive."""
    assert process.stdout is not None
    for _ in range(after_events):
        process.stdout.readline()
    time.sleep(after_s)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def read_batches(client: HubClient) -> list[dict[str, Any]]:
    """Return the accounting of every batch of the resource."""
    return [dict(batch) for batch in client.get("/v1/resources/things/batches")]
