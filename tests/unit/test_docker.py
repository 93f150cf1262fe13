"""The container files, parsed and held against the project, since no engine runs in the tests."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from core.settings import Settings

DOCKER = Path(__file__).resolve().parents[2] / "docker"
ROOT = DOCKER.parent


def instructions() -> list[tuple[str, str]]:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    text = text.replace("\\\n", " ")
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


def test_volume_belongs_to_the_user_who_writes_there() -> None:
    told = instructions()
    folder = dict(told)["VOLUME"]
    made = [rest for kind, rest in told[: told.index(("USER", "shuzheng"))] if kind == "RUN"]
    assert any(f"-o shuzheng -g shuzheng {folder}" in rest for rest in made)


def test_health_check_tells_a_ready_hub_from_one_that_is_not() -> None:
    command = yaml.safe_load(dict(instructions())["HEALTHCHECK"].partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    for status in (200, 503):
        with answering(status) as port:
            script = command[2].replace(":8000/", f":{port}/")
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
            assert (done.returncode == 0) == (status == 200)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Serve /readyz with `status` on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


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
