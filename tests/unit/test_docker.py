"""The container files, parsed and held against the project, since no engine runs in the tests."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from core.settings import Settings

DOCKER = Path(__file__).resolve().parents[2] / "docker"
ROOT = DOCKER.parent


def instructions() -> list[tuple[str, str]]:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def test_dockerfile_copies_only_what_exists_and_every_package() -> None:
    copied = [name for kind, rest in instructions() if kind == "COPY" for name in shlex.split(rest)[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages <= set(copied)


def test_dockerfile_does_not_run_as_root_and_its_command_exists() -> None:
    kinds = dict(instructions())
    assert kinds["USER"] == "shuzheng"
    assert yaml.safe_load(kinds["CMD"]) == ["shuzheng", "serve"]
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", "serve", "--help"], capture_output=True, check=False
    )
    assert done.returncode == 0


def test_compose_names_only_settings_that_exist_and_variables_of_the_example() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    hub = yaml.safe_load(text)["services"]["hub"]
    known = {f"SHUZHENG_{name.upper()}" for name in Settings.model_fields}
    assert set(hub["environment"]) <= known
    example = (DOCKER / "example.env").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Z0-9_]+)", text)) <= set(
        re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE)
    )
    assert hub["build"]["dockerfile"] == "docker/Dockerfile"


def test_compose_holds_no_secret() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if re.search(r"(PASSWORD|SECRET|MASTER_KEY|ACCESS_KEY)", line.split(":")[0]):
            assert "${" in line
