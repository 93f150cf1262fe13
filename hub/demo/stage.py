"""The stage of the story: a hub process of its own, and the credentials of those who act."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from connectors import HubClient
from core.codes import credit
from core.errors import Conflict, Unavailable
from core.settings import Settings
from hub.cli.administration import ADMIN_FILE, AUDITOR_FILE

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
OPERATOR_CODE = credit.build_code("11990000", "MB000000")


def demo_home(settings: Settings) -> Path:
    """Return the folder that holds everything of the demo."""
    return settings.home.resolve() / "demo"


@contextmanager
def running_hub(settings: Settings) -> Iterator[str]:
    """Bootstrap a fresh hub below `home`/demo, run it as a process until the block ends; yield its address.

    What an earlier run left in that folder is removed first; nothing else below `home` is touched.
    Raises Conflict where the port is taken or the database is not empty, Unavailable where it does not start.
    """
    _require_free_port(settings)
    home = demo_home(settings)
    if settings.database_url is None:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "SHUZHENG_HOME": str(home),
        "SHUZHENG_HOST": settings.host,
        "SHUZHENG_PORT": str(settings.port),
    }
    _bootstrap(environment)
    with (home / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve"], env=environment, stdout=log, stderr=log
        )
        try:
            address = f"http://{settings.host}:{settings.port}"
            _wait_until_ready(address, process, home / "hub.log")
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def connect_administrator(address: str, settings: Settings) -> HubClient:
    """Connect as the administrator whom the bootstrap made."""
    return _connect(address, demo_home(settings) / ADMIN_FILE)


def connect_auditor(address: str, settings: Settings) -> HubClient:
    """Connect as the auditor whom the bootstrap made."""
    return _connect(address, demo_home(settings) / AUDITOR_FILE)


def _connect(address: str, path: Path) -> HubClient:
    return HubClient(address, **json.loads(path.read_text(encoding="utf-8")))


def _bootstrap(environment: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own command line
        [
            sys.executable,
            "-m",
            "hub.cli",
            "init",
            "--organisation",
            OPERATOR_CODE,
            "--name",
            "示例市大数据局",
            "--division",
            "990000",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Unavailable("the hub could not be set up: " + " ".join(said[-3:]))


def _require_free_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            msg = f"port {settings.port} is taken; stop what listens there, or set SHUZHENG_PORT to another"
            raise Conflict(msg) from None


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    raise Unavailable("the hub did not start: " + " ".join(said))
