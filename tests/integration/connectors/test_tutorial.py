"""docs/connectors.md as a reader follows it: files are written, commands are run, against a real hub."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors import HubClient
from core.settings import Settings
from tests.integration.connectors.hub_world import make_publisher
from tests.processes import hub_process

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "connectors.md"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<file>\S+))?\n(?P<text>.*?)^```", re.M | re.S)
ITEMS = [
    {"name": "XKBH", "title": "许可编号", "format": "C6", "is_key": True, "is_required": True},
    {"name": "XDR_MC", "title": "行政相对人名称", "format": "C..100", "is_required": True},
    {"name": "XKLB", "title": "许可类别", "format": "n1"},
    {"name": "JDRQ", "title": "许可决定日期", "format": "YYYYMMDD"},
]


def follow(folder: Path, environment: dict[str, str]) -> int:
    """Write each file and run each command; return how many commands there were."""
    commands = 0
    for block in BLOCK.finditer(DOCUMENT.read_text(encoding="utf-8")):
        if block["file"]:
            (folder / block["file"]).write_text(block["text"], encoding="utf-8")
            continue
        assert block["kind"] == "sh"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block["text"]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block['text']}\n{done.stdout}\n{done.stderr}"
        commands += 1
    return commands


async def test_tutorial_does_what_it_says(hub_settings: Settings, tmp_path: Path) -> None:
    credentials = await make_publisher(hub_settings)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, arguments in (("shuzheng-connector", "-m connectors"), ("python", "")):
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    with hub_process(hub_settings) as hub, HubClient(hub, **credentials) as client:
        resource = {"code": "licences", "title": "许可", "theme": "credit", "update_cycle": "daily"}
        client.post("/v1/resources", resource | {"items": ITEMS})
        environment = os.environ | {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "HUB": hub,
            "COLUMNS": "160",
            "SHUZHENG_CLIENT_ID": credentials["client_id"],
            "SHUZHENG_CLIENT_SECRET": credentials["client_secret"],
        }
        assert await asyncio.to_thread(follow, tmp_path, environment) >= 7
        rows = client.get("/v1/resources/licences/accounting")
    assert rows[-1]["version"] == 2 or rows[0]["version"] == 2


def test_service_and_container_examples_run_commands_that_exist() -> None:
    docker = DOCUMENT.parents[1] / "docker"
    unit = (docker / "connector.service").read_text(encoding="utf-8")
    compose = (docker / "connector.compose.yaml").read_text(encoding="utf-8")
    helped = subprocess.run(
        [sys.executable, "-m", "connectors", "run", "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0
    assert "--json" in unit
    assert "--json" in helped.stdout
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(compose)["services"]["connector"]["healthcheck"]["test"][1] == "shuzheng-connector"
