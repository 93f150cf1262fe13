"""How fast a share is read: `python -m bench.sharing [rows]` (or `make bench-sharing`).

The unmodified `delta-sharing` client (from PyPI, in a virtual environment of its own) reads a share with
`load_as_pandas`; the floor is the same client's own reader, told beforehand what the hub would tell, on the
bare addresses of the same files, without the hub between it and the store: pre-signed addresses on S3
(MinIO; left out by name where it cannot be built), and a directory that Starlette's StaticFiles serves in a
process of its own. Client and hub share the machine, as they would not in life.

Contenders take turns and the best turn of each counts. `first` is the first query ever, which makes the
files. The last line is JSON: `ratios` as measured, `expect` the least that is promised, `ok` whether all
promises hold.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from minio import Minio
from pydantic import SecretStr

from bench.stores import BUCKET, settings_on, stores
from core.database.embedded import start_embedded
from core.settings import Settings
from hub.app import create_app
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register
from tests.interop.harness import python_venv
from tests.interop.s3_server import S3Server
from tests.interop.subscriptions.clients import DELTA_SHARING
from tests.sharing_world import SharingWorld, fetch_profile, give

ROWS = 1_000_000
TURNS = 5
EXPECT = {"load_as_pandas_to_bare_directory": 0.7, "load_as_pandas_to_bare_s3": 0.7}
ITEMS: list[dict[str, Any]] = [
    {"name": "code", "title": "编号", "format": "C18", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..50"},
    {"name": "division", "title": "区划", "format": "n6"},
    {"name": "address", "title": "地址", "format": "C..100"},
    {"name": "amount", "title": "金额", "format": "N..12,2"},
    {"name": "day", "title": "日期", "format": "YYYYMMDD"},
    {"name": "at", "title": "时间", "format": "YYYYMMDDhhmmss"},
    {"name": "valid", "title": "有效", "format": "B"},
]
CLIENT = """
import dataclasses, json, sys, time
import delta_sharing
from delta_sharing.protocol import DeltaSharingProfile, Table
from delta_sharing.reader import DeltaSharingReader
from delta_sharing.rest_client import DataSharingRestClient
profile, url, turns, files = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
share, schema, name = url.split(".")
table = Table(name=name, share=share, schema=schema)
told = DataSharingRestClient(DeltaSharingProfile.read_from_file(profile)).list_files_in_table(table)
assert len(told.add_files) == len(files)
canned = dataclasses.replace(told, add_files=[
    dataclasses.replace(each, url=address) for each, address in zip(told.add_files, files)])
class Nobody:
    def autoresolve_query_format(self, table):
        return "parquet"
    def list_files_in_table(self, table, **more):
        return canned
def shared():
    return delta_sharing.load_as_pandas(f"{profile}#{url}")
def bare():
    return DeltaSharingReader(table, Nobody()).to_pandas()
times = {"shared": [], "bare": []}
for _ in range(turns):
    for name, read in (("bare", bare), ("shared", shared)):
        start = time.perf_counter()
        rows = len(read())
        times[name].append(time.perf_counter() - start)
print("RESULT " + json.dumps({"rows": rows, **{name: min(each) for name, each in times.items()}}))
"""
STATIC = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
app = Starlette(routes=[Mount("/", StaticFiles(directory=sys.argv[1]))])
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


def build_csv(rows: int) -> bytes:
    """Make up the rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(item["name"] for item in ITEMS)
    writer.writerows(
        (
            f"{number:018d}", f"单位{number % 9973}", f"99{number % 100:02d}01",
            f"示例市示例路{number % 5003}号",
            f"{number % 100_000}.{number % 100:02d}", f"20{number % 25:02d}0{1 + number % 9}15",
            f"2024010112{number % 60:02d}30", number % 2,
        )
        for number in range(rows)
    )  # fmt: skip
    return out.getvalue().encode()


@asynccontextmanager
async def open_world(settings: Settings, content: bytes) -> AsyncIterator[SharingWorld]:
    """Start a hub that listens, publish, grant, and wait for the lake."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url=settings.public_url or "", timeout=600
        ) as c:
            hub = await RunningHub.start(app=app, client=c)
            await register(hub, items=ITEMS)
            answer = await publish(hub, content, "all")
            assert answer.status_code == 200, answer.text
            grant_id = await give(hub, items=[item["name"] for item in ITEMS])
            world = SharingWorld(hub=hub, grant_id=grant_id, profile=await fetch_profile(hub, grant_id))
            config = uvicorn.Config(app, port=settings.port, lifespan="off", log_level="warning")
            serving = uvicorn.Server(config)
            task = asyncio.create_task(serving.serve())
            async with asyncio.timeout(300):
                while not await has_rows(world):  # noqa: ASYNC110 - another task follows
                    await asyncio.sleep(0.2)
            yield world
            serving.should_exit = True
            await task


async def has_rows(world: SharingWorld) -> bool:
    """Tell whether the first version is in the lake."""
    answer = await world.call("GET", "/version")
    return answer.status_code == 200 and answer.headers["delta-table-version"] != "0"


async def measure(
    settings: Settings, server: S3Server | None, content: bytes, folder: Path
) -> dict[str, Any]:
    """Read the share and the bare files on one store; times in seconds."""
    async with open_world(settings, content) as world:
        start = time.perf_counter()
        await world.query()
        first = time.perf_counter() - start
        profile = folder / f"{settings.port}.share"
        profile.write_text(json.dumps(world.profile))
        keys = list(world.hub.services.objects.keys("shares/"))
        python = await asyncio.to_thread(python_venv, "delta-sharing", DELTA_SHARING)
        table = f"grant_{world.grant_id[:8]}.other.things"
        async with bare_files(settings, server, keys) as files:
            process = await asyncio.create_subprocess_exec(
                python, "-c", CLIENT, str(profile), table, str(TURNS), json.dumps(files),
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            printed, _ = await process.communicate()
    line = next(line for line in printed.decode().splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT ")) | {"first": first, "files": len(files)}


@asynccontextmanager
async def bare_files(
    settings: Settings, server: S3Server | None, keys: list[str]
) -> AsyncIterator[list[str]]:
    """Give the addresses at which files of the store can be read without the hub."""
    if server is not None:
        client = Minio(
            server.endpoint, access_key=server.access_key, secret_key=server.secret_key, secure=False
        )
        yield [client.get_presigned_url("GET", BUCKET, key, expires=timedelta(hours=1)) for key in keys]
        return
    port, root = free_port(), str(settings.home / "objects")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STATIC, root, str(port))
    try:
        addresses = [f"http://127.0.0.1:{port}/{key}" for key in keys]
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while not await answers(client, addresses[0]):  # noqa: ASYNC110 - another process starts
                await asyncio.sleep(0.1)
        yield addresses
    finally:
        process.terminate()
        await process.wait()


async def answers(client: httpx.AsyncClient, address: str) -> bool:
    """Tell whether a server is up."""
    try:
        return (await client.head(address)).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    content, found = build_csv(rows), {}
    with tempfile.TemporaryDirectory(prefix="sz-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with stores(folder) as served:
            for store, server in served.items():
                database = start_embedded(folder / f"pg-{store}")
                try:
                    port = free_port()
                    settings = settings_on(
                        server,
                        home=folder / f"home-{store}",
                        database_url=SecretStr(database.url),
                        port=port,
                        public_url=f"http://127.0.0.1:{port}",
                        lake_interval_s=0.2,
                    )
                    found[store] = asyncio.run(measure(settings, server, content, folder))
                finally:
                    database.stop()
    return report(rows, found)


def report(rows: int, found: dict[str, dict[str, Any]]) -> int:
    """Print what was measured and whether the promises hold."""
    print(f"\n{'store':12}{'bare s':>10}{'shared s':>10}{'first s':>10}{'files':>7}{'rows/s':>12}")
    ratios = {}
    for store, times in found.items():
        assert times["rows"] == rows
        ratios[f"load_as_pandas_to_bare_{store}"] = times["bare"] / times["shared"]
        per_second = rows / times["shared"]
        print(
            f"{store:12}{times['bare']:10.2f}{times['shared']:10.2f}{times['first']:10.2f}"
            f"{times['files']:7}{per_second:12,.0f}"
        )
    expect = {name: EXPECT[name] for name in ratios}
    ok = all(ratio >= expect[name] for name, ratio in ratios.items())
    rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
    print(json.dumps({"bench": "sharing", "rows": rows, "ratios": rounded, "expect": expect, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
