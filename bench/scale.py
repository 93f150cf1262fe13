"""How much memory a hub needs for a large file: `python -m bench.scale [rows]` (`make bench-scale ROWS=…`).

A hub with an embedded PostgreSQL runs as a process of its own. A CSV of check-valid persons is published to
it twice, as a department would, by resumable upload: all rows, then all of them with a tenth changed.
Meanwhile the API is asked for the progress of the batch, and the memory of the hub's process is read. After
each publish the hub's own accounting has to agree at every station.

The last line is JSON: `ratios` holds 1 GiB divided by the peak of the hub's memory (`memory`), the share of
rows that the hub accounts for (`accounted`), and whether progress was seen (`progress`); `expect` the least
of each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from connectors import HubClient
from connectors.uploads import FileUpload
from core.codes import credit
from core.settings import Settings
from exchange.standards.samples import SampleKind, write_sample
from exchange.standards.schemas import POPULATION
from hub.demo.stage import connect_administrator, running_hub

ROWS = 10_000_000
CHANGED_SHARE = 10
LIMIT_BYTES = 1024**3
SAMPLE_S = 0.1
ACCOUNTING_TIMEOUT_S = 3600.0
PROVIDER = credit.build_code("11990000", "MA000001")
EXPECT = {"memory": 1.0, "accounted": 1.0, "progress": 1.0}


@dataclass
class Watch:
    """Reads a process's memory until it is told to stop."""

    process: psutil.Process
    peak_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Read until stopped."""
        while not self._stop.wait(SAMPLE_S):
            self.peak_bytes = max(self.peak_bytes, self.process.memory_info().rss)

    def stop(self) -> None:
        """Stop."""
        self._stop.set()


def find_hub(port: int) -> psutil.Process:
    """Find the process that listens on a port."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return psutil.Process(connection.pid)
    msg = f"no process listens on port {port}"
    raise SystemExit(msg)


def write_files(folder: Path, rows: int) -> dict[str, Path]:
    """Make up the rows, and the same rows after every tenth person has moved."""
    files = {name: folder / f"{name}.csv" for name in ("first", "changed")}
    with files["first"].open("wb") as out:
        write_sample(SampleKind.POPULATION, rows=rows, seed=1, dirt=0.001, out=out)
    with files["first"].open(encoding="utf-8") as lines, files["changed"].open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines):
            out.write(line.replace("号,", "号2单元,", 1) if number % CHANGED_SHARE == 1 else line)
    return files


def prepare(address: str, settings: Settings) -> HubClient:
    """Register a department with its resource; return its client."""
    administrator = connect_administrator(address, settings)
    organisation = {"code": PROVIDER, "name": "示例市公安局", "division_code": "990000"}
    administrator.post("/v1/organisations", organisation)
    made = administrator.post(
        "/v1/systems",
        {"organisation_code": PROVIDER, "name": "bench", "scopes": ["catalogue:write", "publish"]},
    )
    client = HubClient(address, client_id=made["client_id"], client_secret=made["client_secret"])
    client.post(f"/v1/resources/standard/{POPULATION.code}", {})
    return client


def publish(client: HubClient, path: Path, seen: list[tuple[float, str, int]]) -> dict[str, Any]:
    """Publish a file as `shuzheng publish` does, noting the progress (s, phase, rows) that the API tells."""
    start = time.perf_counter()

    def note(phase: str, rows: int) -> None:
        if not seen or seen[-1][1:] != (phase, rows):
            seen.append((time.perf_counter() - start, phase, rows))
            print(f"\r  {phase:10} {rows:>12,} rows", end="", flush=True)

    answer = client.publish_file(
        FileUpload(
            resource=POPULATION.code,
            file=path,
            idempotency_key=str(uuid4()),
            content_type="text/csv",
            on_progress=note,
        )
    )
    print(f"\r  published in {time.perf_counter() - start:.0f} s" + " " * 20)
    return answer


def await_accounting(client: HubClient, version: int) -> dict[str, Any]:
    """Wait until the hub has counted a version at every station."""
    deadline = time.monotonic() + ACCOUNTING_TIMEOUT_S
    while time.monotonic() < deadline:
        for told in client.get(f"/v1/resources/{POPULATION.code}/accounting"):
            if told["version"] == version and told["agrees"] is not None:
                return dict(told)
        time.sleep(1)
    msg = f"version {version} was not accounted for in time"
    raise SystemExit(msg)


def measure(rows: int, folder: Path, port: int) -> dict[str, Any]:
    """Run the hub, publish both files, and return what was seen."""
    print(f"making up {rows:,} rows …", flush=True)
    files = write_files(folder, rows)
    settings = Settings(home=folder / "home", port=port, max_batch_bytes=1 << 34, database_url=None)
    os.environ["SHUZHENG_MAX_BATCH_BYTES"] = str(settings.max_batch_bytes)
    found: dict[str, Any] = {"loads": {}, "progress": 0, "accounted": 0, "rows": 0}
    with running_hub(settings) as address:
        client = prepare(address, settings)
        watch = Watch(process=find_hub(port))
        thread = threading.Thread(target=watch.run, daemon=True)
        thread.start()
        idle_bytes = watch.process.memory_info().rss
        for name, path in files.items():
            print(f"{name}: {path.stat().st_size / 1e6:,.0f} MB", flush=True)
            seen: list[tuple[float, str, int]] = []
            start = time.perf_counter()
            answer = publish(client, path, seen)
            seconds = time.perf_counter() - start
            published_bytes = watch.peak_bytes
            told = await_accounting(client, answer["version"])
            found["loads"][name] = {
                "seconds": round(seconds, 1),
                "rows_per_s": round(rows / seconds),
                "peak_mb_publishing": round(published_bytes / 1e6),
                "peak_mb_accounted": round(watch.peak_bytes / 1e6),
                **{key: answer[key] for key in ("received", "accepted", "rejected", "inserted", "updated")},
                "agrees": told["agrees"],
            }
            found["progress"] += sum(row_count > 0 for _, _, row_count in seen)
            found["rows"] += rows
            found["accounted"] += answer["accepted"] + answer["rejected"] if told["agrees"] else 0
        watch.stop()
        thread.join()
    return found | {"idle_bytes": idle_bytes, "peak_bytes": watch.peak_bytes}


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="sz-scale-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = measure(rows, folder, int(os.environ.get("BENCH_PORT", "8765")))
    print(f"\n{'load':10}{'seconds':>10}{'rows/s':>12}{'peak MB':>10}{'with accounting':>17}")
    for name, load in found["loads"].items():
        print(
            f"{name:10}{load['seconds']:10.1f}{load['rows_per_s']:12,}{load['peak_mb_publishing']:10,}"
            f"{load['peak_mb_accounted']:17,}"
        )
    ratios = {
        "memory": LIMIT_BYTES / found["peak_bytes"],
        "accounted": found["accounted"] / found["rows"],
        "progress": float(found["progress"] > 0),
    }
    ok = all(ratio >= EXPECT[name] for name, ratio in ratios.items())
    verdict = {
        "bench": "scale",
        "rows": rows,
        "idle_mb": round(found["idle_bytes"] / 1e6),
        "peak_mb": round(found["peak_bytes"] / 1e6),
        "loads": found["loads"],
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "ok": ok,
    }
    print(json.dumps(verdict))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
