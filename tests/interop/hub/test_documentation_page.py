"""The page that describes the API, in a browser without any network but the hub."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.interop.browser import render

pytestmark = pytest.mark.interop


def test_documentation_shows_the_operations_without_internet(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"SHUZHENG_HOME": str(tmp_path / "home"), "SHUZHENG_PORT": str(port)}
    with (tmp_path / "said").open("wb") as said:
        hub = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve"], env=environment, stdout=said, stderr=said
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, hub)
        document = render(f"{address}/docs", folder=tmp_path / "browser", picture=tmp_path / "docs.png")
    finally:
        hub.terminate()
        hub.wait(30)
    assert "/v1/resources/{code}/query" in document.replace("\u200b", "").replace("<wbr>", "")
    assert (tmp_path / "docs.png").stat().st_size > 20_000


def wait_until_ready(address: str, hub: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert hub.poll() is None, "the hub ended at its start"
        try:
            if httpx.get(f"{address}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the hub did not become ready")
