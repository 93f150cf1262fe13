"""Headless Chromium, from the machine or installed by its package manager, that reaches this machine only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.interop.harness import one_at_a_time

TRIES = 3
NAMES = ("chromium", "chromium-browser", "google-chrome")


def require_browser() -> str:
    """Return the browser's path, installing it where apt-get may; skip the test where there is none."""
    with one_at_a_time("apt"):
        return _find_or_install()


def _find_or_install() -> str:
    for attempt in range(TRIES):
        found = next(filter(None, map(shutil.which, NAMES)), None)
        if found is not None:
            return found
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            pytest.skip("no Chromium on this machine, and no right to install it")
        time.sleep(2 * attempt)
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(
                ["apt-get", "-q", *command],
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                timeout=900,
                check=False,
            )
    pytest.skip(f"REGISTRY UNREACHABLE: apt-get brought no Chromium in {TRIES} tries")


def render(address: str, *, folder: Path, picture: Path | None = None) -> str:
    """Open a page, let its scripts run, return the document as it then stands; take a picture if asked."""
    command = [
        require_browser(),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--window-size=1280,1600",
        "--virtual-time-budget=20000",
    ]
    ways = ["--dump-dom"] + ([f"--screenshot={picture}"] if picture else [])
    printed = ""
    for way in ways:
        done = subprocess.run([*command, way, address], capture_output=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
        printed = printed or done.stdout.decode("utf-8", "replace")
    return printed
