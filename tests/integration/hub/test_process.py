"""The hub as a process: the demo, SIGTERM, kill -9 in the middle of a publish, a database that is down."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import asyncpg
import httpx
import pytest

from connectors import ConnectionFailed, HubClient
from core.caller import OrganisationCode, Scope
from core.database import Database
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import open_services
from tests.hubs import organisation_code

ITEMS = [
    {"name": "code", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..20", "is_required": True},
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def hub_process(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    assert settings.database_url is not None
    environment = os.environ | {
        "SHUZHENG_HOME": str(settings.home),
        "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
        "SHUZHENG_PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "hub.cli", "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port, process)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the hub ended at its start"
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the hub did not become ready")


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


def batch(number: int, rows: int) -> bytes:
    return ("code,name\n" + "".join(f"{n},第{number}批\n" for n in range(rows))).encode()


async def read_state(database_url: str) -> tuple[int, dict[str, str], int, int]:
    """Read version, rows, changes of that version, and batch leaves of the log."""
    connection = await asyncpg.connect(database_url)
    try:
        version = await connection.fetchval("SELECT current_version FROM exchange.resource")
        rows = await connection.fetch("SELECT code, name FROM data.things")
        changes = await connection.fetchval(
            "SELECT count(*) FROM data.things__changes WHERE _version = $1", version
        )
        leaves = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'batch.published'"
        )
    finally:
        await connection.close()
    return version, {row["code"]: row["name"] for row in rows}, changes, leaves


@pytest.mark.parametrize("seed", range(4))
async def test_kill_9_in_a_publish_leaves_the_old_or_the_new_version_whole(
    hub_settings: Settings, seed: int
) -> None:
    rng = Random(seed)
    rows = 20_000
    credentials = await make_publisher(hub_settings)
    assert hub_settings.database_url is not None
    url = hub_settings.database_url.get_secret_value()
    port = free_port()
    with (
        hub_process(hub_settings, port) as process,
        HubClient(f"http://127.0.0.1:{port}", **credentials) as client,
    ):
        resource = {"code": "things", "title": "物", "theme": "other", "update_cycle": "daily"}
        client.post("/v1/resources", resource | {"items": ITEMS})
        client.publish("things", batch(1, rows), idempotency_key="1")
        second = asyncio.create_task(
            asyncio.to_thread(client.publish, "things", batch(2, rows), idempotency_key="2")
        )
        await asyncio.sleep(rng.uniform(0.01, 0.5))
        process.send_signal(signal.SIGKILL)
        try:
            await second
            answered = True
        except ConnectionFailed:
            answered = False
    version, found, changes, leaves = await read_state(url)
    assert set(found.values()) == {f"第{version}批"}
    assert len(found) == changes == rows
    assert leaves == version
    assert version == 2 or not answered
    with hub_process(hub_settings, port), HubClient(f"http://127.0.0.1:{port}", **credentials) as client:
        answer = client.publish("things", batch(2, rows), idempotency_key="2")
    assert (answer["version"], answer["updated"]) == (2, rows)
    version, found, changes, leaves = await read_state(url)
    assert (version, set(found.values()), changes, leaves) == (2, {"第2批"}, rows, 2)


async def test_sigterm_lets_an_open_publish_finish(hub_settings: Settings) -> None:
    credentials = await make_publisher(hub_settings)
    port = free_port()
    with hub_process(hub_settings, port) as process:
        with HubClient(f"http://127.0.0.1:{port}", **credentials) as client:
            resource = {"code": "things", "title": "物", "theme": "other", "update_cycle": "daily"}
            client.post("/v1/resources", resource | {"items": ITEMS})
            open_one = asyncio.create_task(
                asyncio.to_thread(client.publish, "things", batch(1, 30_000), idempotency_key="1")
            )
            await asyncio.sleep(0.15)
            process.send_signal(signal.SIGTERM)
            answer = await open_one
        await asyncio.to_thread(process.wait, 20)
    assert answer["accepted"] == 30_000


@pytest.mark.parametrize(("workers", "stop"), [("1", signal.SIGTERM), ("2", signal.SIGINT)])
def test_stopped_hub_takes_its_embedded_database_along(
    tmp_path: Path, workers: str, stop: signal.Signals
) -> None:
    port = free_port()
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve", "--workers", workers],
            env=os.environ | {"SHUZHENG_HOME": str(tmp_path / "home"), "SHUZHENG_PORT": str(port)},
            stdout=said,
            stderr=said,
        )
    lock_file = tmp_path / "home" / "pg" / "postmaster.pid"
    try:
        wait_until_ready(port, process)
        assert lock_file.exists()
        process.send_signal(stop)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    assert not lock_file.exists()
    assert "Traceback" not in (tmp_path / "said").read_text(encoding="utf-8")


async def test_database_that_goes_down_gives_503_and_comes_back(hub_settings: Settings) -> None:
    async with open_services(hub_settings):
        pass
    port = free_port()
    with hub_process(hub_settings, port):
        address = f"http://127.0.0.1:{port}"
        assert hub_settings.database_url is not None
        url = hub_settings.database_url.get_secret_value()
        name = url.rsplit("/", 1)[1].partition("?")[0] if "?" not in url else url.split("/")[3].split("?")[0]
        admin = await asyncpg.connect(url.replace(f"/{name}?", "/postgres?", 1))
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        down = await asyncio.to_thread(httpx.get, f"{address}/readyz", timeout=30)
        alive = await asyncio.to_thread(httpx.get, f"{address}/healthz", timeout=30)
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()
        up = await asyncio.to_thread(httpx.get, f"{address}/readyz", timeout=30)
    assert (down.status_code, alive.status_code, up.status_code) == (503, 200, 200)
    assert down.json()["code"] == "SERVICE-UNAVAILABLE"


def run_demo(home: Path, port: int, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SHUZHENG_HOME": str(home), "SHUZHENG_PORT": str(port), "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", "hub.cli", "demo", "--exit", "--rows", "500"],
        env=environment | extra,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_demo_plays_to_its_end_twice_in_one_folder(tmp_path: Path) -> None:
    for _ in range(2):
        done = run_demo(tmp_path, free_port())
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Summary" in done.stdout
        assert "✗" not in done.stdout


def test_demo_with_a_database_that_is_down_says_what_to_check(tmp_path: Path) -> None:
    done = run_demo(tmp_path, free_port(), SHUZHENG_DATABASE_URL="postgresql://u:s3cr3t@127.0.0.1:9/none")
    assert done.returncode == 1
    assert "SHUZHENG_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr


def test_hub_with_a_database_that_is_down_ends_with_a_sentence(tmp_path: Path) -> None:
    environment = os.environ | {
        "SHUZHENG_HOME": str(tmp_path),
        "SHUZHENG_DATABASE_URL": "postgresql://someone:open-sesame@127.0.0.1:1/nothing",
        "SHUZHENG_PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "hub.cli", "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "check that it runs and that SHUZHENG_DATABASE_URL is right" in done.stderr
    assert "Traceback" not in done.stderr
    assert "open-sesame" not in done.stderr


def test_demo_on_a_taken_port_says_so(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run_demo(tmp_path, holder.getsockname()[1])
    assert done.returncode == 1
    assert "SHUZHENG_PORT" in done.stderr


async def test_two_hubs_start_on_one_database_at_once(hub_settings: Settings, tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    ready = await asyncio.gather(
        asyncio.to_thread(_start_and_stop, hub_settings, first),
        asyncio.to_thread(_start_and_stop, hub_settings, second),
    )
    assert ready == [True, True]
    assert hub_settings.database_url is not None
    database = await Database.connect(hub_settings.database_url.get_secret_value(), pool_size=2, timeout_s=10)
    async with database.acquire() as connection:
        roots = await connection.fetchval(
            "SELECT count(*) FROM core.x509_certificate WHERE profile = 'root_ca'"
        )
    await database.close()
    assert roots == 1


def _start_and_stop(settings: Settings, port: int) -> bool:
    with hub_process(settings, port):
        return True
