"""A hub as a process of its own, as departments run it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from core.settings import Settings


@contextmanager
def hub_process(settings: Settings) -> Iterator[str]:
    """Run `shuzheng serve` with these settings on a free port of loopback; yield its address."""
    assert settings.database_url is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "SHUZHENG_HOME": str(settings.home),
        "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
        "SHUZHENG_PORT": str(port),
    }
    command = [sys.executable, "-m", "hub.cli", "serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
