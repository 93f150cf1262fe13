"""How fast a table of a department reaches the hub: `python -m bench.connectors` (`make bench-connectors`).

The job: a table of check-valid persons in a PostgreSQL of the department's, into an empty resource of a hub
that runs as a process. Ours is the command `connector run` as it is used: start of its process, reading by
watermark, spooling to disk with fsync, delivery over HTTP, all acknowledged. The floor does the same by hand
and keeps no state: `COPY … TO` into a CSV file, and one publish of that file over HTTP. A turn begins once
the hub has counted what the turn before brought, which it does after it has acknowledged the rows (the table
tells how long that takes), and its database has cleaned up after it, which it would do within a minute.

`dlt` and a Singer pair (Meltano's tap-postgres and target-postgres) bring the same table into another
PostgreSQL, merged by key, without checks, change log or accounting, each in a virtual environment of the
bench's own; rows a second are compared. dlt gets all rows, and its start is not charged to it as ours is to
us; Singer gets FEW rows, because it would take minutes. BENCH_DLT_PYTHON and BENCH_SINGER_BIN (a folder of
commands) name installations that are used instead. The last line is JSON.

Where the bounds lie: per million rows ours costs 13 seconds of a processor (hub 5, its PostgreSQL 4,
connector 2.7, source 1.1), and counting some 6 more thereafter; dlt costs 25. More than half of the hub's
share are the digests of the rows, which the rivals do not make. The floor has the same publish in it, and is
three times dlt itself; beyond it ours has its start (0.4 s) and reads by watermark into a spool (2.2 s, where
COPY out takes 1.3). On two processors ours came to 2.7 times dlt and to 0.8 of the floor.

`python -m bench.connectors ROWS TURNS` shrinks it; with BENCH_RIVALS=no only ours and the floor are measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
from pydantic import SecretStr

from bench.connectors_rivals import measure_dlt, measure_singer
from bench.scale import PROVIDER
from connectors import HubClient
from core.database.embedded import start_embedded
from core.settings import Settings
from exchange.catalogue.formats import parse_format
from exchange.standards.samples import SampleKind, write_sample
from exchange.standards.schemas import POPULATION
from hub.demo.stage import connect_administrator, running_hub

ROWS = 1_000_000
FEW = 100_000
TURNS = 3
WARM_UP = 1  # turns that do not count: who comes first to a fresh database has a third less to wait
COUNTED_POLL_S = 0.1
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
EXPECT = {"to_copy_and_publish": 0.7, "memory": 1.0, "to_dlt": 2.3, "to_singer": 10.0}


async def fill_source(url: str, folder: Path, rows: int) -> None:
    """Make the department's tables: people, and few_people for Singer."""
    path = folder / "people.csv"
    with path.open("wb") as out:
        write_sample(SampleKind.POPULATION, rows=rows, seed=1, dirt=0.0, out=out)
    names = read_names(path)
    formats = {item.name: parse_format(item.format) for item in POPULATION.items}
    columns = ", ".join(f'"{name}" {formats[name].sql_type}' for name in names)
    connection = await asyncpg.connect(url)
    await connection.execute(f'CREATE TABLE people ({columns}, seq bigserial, PRIMARY KEY ("GMSFHM"))')
    await connection.copy_to_table(
        "people", source=path, columns=names, format="csv", header=True, timeout=None
    )
    await connection.execute("CREATE INDEX ON people (seq)")
    await connection.execute(f"CREATE TABLE few_people AS SELECT * FROM people LIMIT {FEW}")
    await connection.execute('ALTER TABLE few_people ADD PRIMARY KEY ("GMSFHM")')
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def read_names(path: Path) -> list[str]:
    """Read the header of a CSV file."""
    with path.open(encoding="utf-8") as opened:
        return opened.readline().strip().lstrip("\ufeff").split(",")


async def copy_out(url: str, path: Path, names: list[str]) -> None:
    """Copy the table into a CSV file."""
    connection = await asyncpg.connect(url)
    await connection.copy_from_table(
        "people", output=path, columns=names, format="csv", header=True, timeout=None
    )
    await connection.close()


def measure_floor(client: HubClient, url: str, folder: Path, resource: str, names: list[str]) -> float:
    """Return the seconds of COPY out and one publish."""
    path = folder / "floor.csv"
    start = time.perf_counter()
    asyncio.run(copy_out(url, path, names))
    with path.open("rb") as opened:
        pieces = iter(lambda: opened.read(1 << 20), b"")
        answer = client.publish(resource, pieces, idempotency_key=str(uuid4()), content_type="text/csv")
    seconds = time.perf_counter() - start
    assert answer["rejected"] == 0, answer
    return seconds


def measure_ours(
    hub: str, credentials: dict[str, str], url: str, folder: Path, resource: str, names: list[str]
) -> tuple[float, int]:
    """Return the seconds of `connector run`, and the peak of its memory in bytes."""
    config = folder / f"{resource}.toml"
    config.write_text(
        f'name = "bench"\n[source]\nkind = "postgresql"\nurl = "{url}"\ntable = "people"\n'
        f'columns = {json.dumps([*names, "seq"])}\nkey = ["GMSFHM"]\nwatermark = "seq"\n'
        f'[sink]\nkind = "hub"\nurl = "{hub}"\nresource = "{resource}"\n'
        f'client_id = "{credentials["client_id"]}"\nclient_secret = "${{BENCH_SECRET}}"\n'
        f'[run]\nstate = "{resource}.state"\n[mapping]\nversion = 1\n'
        + "".join(f'[[mapping.column]]\nfrom = "{name}"\nto = "{name}"\n' for name in names),
        encoding="utf-8",
    )
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "connectors", "run", str(config), "--json"],
        env=os.environ | {"BENCH_SECRET": credentials["client_secret"]},
        stdout=subprocess.DEVNULL,
    )
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.05)
    assert process.wait() == 0
    return time.perf_counter() - start, peak


def await_counted(client: HubClient, resource: str) -> float:
    """Wait until the hub has counted a resource's only version at all stations; return the seconds."""
    start = time.perf_counter()
    while (agrees := client.get(f"/v1/resources/{resource}/accounting", limit=1)[0]["agrees"]) is None:
        time.sleep(COUNTED_POLL_S)
    assert agrees, resource
    return time.perf_counter() - start


def connect(hub: str, settings: Settings) -> dict[str, str]:
    """Register a department with a publishing system; return its credentials."""
    administrator = connect_administrator(hub, settings)
    administrator.post(
        "/v1/organisations", {"code": PROVIDER, "name": "示例市公安局", "division_code": "990000"}
    )
    made = administrator.post(
        "/v1/systems",
        {"organisation_code": PROVIDER, "name": "bench", "scopes": ["catalogue:write", "publish"]},
    )
    return {"client_id": made["client_id"], "client_secret": made["client_secret"]}


def measure_rivals(folder: Path, url: str, rows: int) -> dict[str, float | str]:
    """Return the rows a second of dlt and of a Singer pair, or why there are none."""
    if os.environ.get("BENCH_RIVALS") == "no":
        return {"dlt": "not asked for", "singer": "not asked for"}
    return {"dlt": measure_dlt(folder, url, rows), "singer": measure_singer(folder, url, min(FEW, rows))}


async def settle(url: str) -> None:
    """Do at once what the database would do in the background during the next turns."""
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM (ANALYZE)", timeout=None)
    await connection.close()


def measure(folder: Path, rows: int, turns: int) -> tuple[dict[str, float], int, dict[str, float | str]]:
    """Return the best seconds of floor, ours and counting, the peak of memory, the rivals' rows a second."""
    server, hubs = start_embedded(folder / "pg"), start_embedded(folder / "hub-pg")
    try:
        print(f"making up {rows:,} rows …", flush=True)
        asyncio.run(fill_source(server.url, folder, rows))
        os.environ["SHUZHENG_DATABASE_URL"] = hubs.url  # for the process of the hub
        port = int(os.environ.get("BENCH_PORT", "8766"))
        settings = Settings(home=folder / "home", port=port, database_url=SecretStr(hubs.url))
        with running_hub(settings) as hub:
            best, peak = take_turns(hub, settings, server.url, folder, turns)
        rivals = measure_rivals(folder, server.url, rows)
    finally:
        server.stop()
        hubs.stop()
    return best, peak, rivals


def take_turns(
    hub: str, settings: Settings, source: str, folder: Path, turns: int
) -> tuple[dict[str, float], int]:
    """Let floor and ours take turns; return the best seconds of floor, ours and counting, and our peak."""
    names, credentials = read_names(folder / "people.csv"), connect(hub, settings)
    assert settings.database_url is not None
    best: dict[str, float] = {}
    peak = 0
    with HubClient(hub, **credentials) as client:
        for turn in range(WARM_UP + turns):
            for who in ("ours", "floor") if turn % 2 else ("floor", "ours"):
                resource = f"bench_{who}_{turn}"
                client.post(f"/v1/resources/standard/{POPULATION.code}", {"code": resource})
                asyncio.run(settle(settings.database_url.get_secret_value()))
                if who == "floor":
                    seconds = measure_floor(client, source, folder, resource, names)
                else:
                    seconds, used = measure_ours(hub, credentials, source, folder, resource, names)
                    peak = max(peak, used)
                counted = await_counted(client, resource)
                print(f"  {who:6} {seconds:6.1f} s, counted {counted:.1f} s later", flush=True)
                if turn >= WARM_UP:
                    best[who] = min(best.get(who, seconds), seconds)
                    best["counted"] = min(best.get("counted", counted), counted)
    return best, peak


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else TURNS
    with tempfile.TemporaryDirectory(prefix="sz-conn-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        best, peak, rivals = measure(folder, rows, turns)
    ours = rows / best["ours"]
    ratios = {"to_copy_and_publish": best["floor"] / best["ours"], "memory": MEMORY_LIMIT_BYTES / peak}
    ratios |= {f"to_{who}": ours / speed for who, speed in rivals.items() if isinstance(speed, float)}
    print(f"\n{'what':24}{'rows/s':>12}")
    print(f"{'COPY out and publish':24}{rows / best['floor']:12,.0f}")
    print(f"{'connector run':24}{ours:12,.0f}   peak {peak / 1e6:,.0f} MB")
    print(f"{'counted thereafter':24}{rows / best['counted']:12,.0f}")
    for who, speed in rivals.items():
        print(f"{who:24}{speed:12,.0f}" if isinstance(speed, float) else f"{who:24}{speed}")
    ok = all(ratio >= EXPECT[name] for name, ratio in ratios.items())
    verdict = {
        "bench": "connectors",
        "rows": rows,
        "peak_mb": round(peak / 1e6),
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "reasons": {who: speed for who, speed in rivals.items() if isinstance(speed, str)},
        "ok": ok,
    }
    print(json.dumps(verdict))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
