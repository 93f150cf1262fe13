"""Build and run the programs of other ecosystems that judge what this project makes.

Builds are kept in `.interop/` at the root of the repository, keyed by a digest of their sources, so that a
second run costs nothing; one process builds while the others wait for it. A registry that cannot be reached
after several tries skips the tests, loudly and with the reason; a program that does not compile, or fails,
fails them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".interop"
TRIES = 3
BUILD_TIMEOUT_S = 1200
RUN_TIMEOUT_S = 300

# What Maven, Go and pip print when the network, not the project, is at fault.
_UNREACHABLE = re.compile(
    r"Could not transfer|Unknown host|UnknownHostException|Connection (refused|reset|timed out)|"
    r"Temporary failure in name resolution|dial tcp|TLS handshake timeout|i/o timeout|"
    r"Max retries exceeded|NewConnectionError|ReadTimeoutError|No route to host|"
    r"status code: (429|5\d\d)|HTTP error (429|5\d\d)|"
    r"50[234] (Bad Gateway|Service Unavailable|Gateway Time-?out)",
    re.IGNORECASE,
)


def require_tool(name: str) -> str:
    """Return the path of a program; skip the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed on this machine")
    return found


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Hold the other processes of the tests back from `what` (a builder, a folder) until the block ends."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f".{what}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def maven_jar(project: Path) -> Path:
    """Build a Maven project and return its jar; its dependencies lie beside it in `libraries`."""
    maven = require_tool("mvn")
    require_tool("java")
    with one_at_a_time("maven"):
        build = _build_directory(project, "mvn")
        jar = build / "target" / "harness.jar"
        if not jar.exists():
            command = [maven, "-q", "-B", "package", "dependency:copy-dependencies"]
            _install([*command, "-DoutputDirectory=target/libraries"], cwd=build)
            assert jar.exists(), f"{project.name}: the build made no target/harness.jar"
    return jar


def maven_artifact(coordinates: str) -> Path:
    """Fetch one published jar, `group:artifact:version`, and return it."""
    maven = require_tool("mvn")
    _, artifact, version = coordinates.split(":")
    jar = CACHE / "jars" / f"{artifact}-{version}.jar"
    with one_at_a_time("maven"):
        if not jar.exists():
            jar.parent.mkdir(parents=True, exist_ok=True)
            copy = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={coordinates}"]
            _install([*copy, f"-DoutputDirectory={jar.parent}"], cwd=CACHE)
    return jar


def java_command(project: Path, main_class: str) -> list[str]:
    """Build a Maven project and return the command that runs `main_class`."""
    jar = maven_jar(project)
    class_path = os.pathsep.join((str(jar), str(jar.parent / "libraries" / "*")))
    return [require_tool("java"), "-XX:TieredStopAtLevel=1", "-cp", class_path, main_class]


def go_binary(project: Path) -> Path:
    """Build a Go module's main package and return the program."""
    go = require_tool("go")
    with one_at_a_time("go"):
        build = _build_directory(project, "go")
        binary = build / "harness"
        if not binary.exists():
            command = [go, "build", "-o", str(binary), "."]
            _install(command, cwd=build, environment={"GOFLAGS": "-buildvcs=false"})
    return binary


def go_install(package: str) -> Path:
    """Build a program of a published Go module, `path@version`, and return it."""
    go = require_tool("go")
    path, _, version = package.partition("@")
    folder = CACHE / f"go-{path.rsplit('/', 1)[-1]}-{version}"
    program = folder / path.rsplit("/", 1)[-1]
    with one_at_a_time("go"):
        if not program.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _install([go, "install", package], cwd=folder, environment={"GOBIN": str(folder)})
    return program


def python_venv(name: str, packages: Sequence[str]) -> Path:
    """Make a virtual environment with `packages` and return its interpreter."""
    digest = hashlib.sha256("\n".join((sys.version, *packages)).encode()).hexdigest()[:16]
    directory = CACHE / f"venv-{name}-{digest}"
    python = directory / "bin" / "python"
    ready = directory / ".ready"
    with one_at_a_time(directory.name):
        if not ready.exists():
            shutil.rmtree(directory, ignore_errors=True)
            run([sys.executable, "-m", "venv", str(directory)])
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _install([*pip, *packages], cwd=CACHE)
            ready.touch()
    return python


def newer_libcrypto() -> Path:
    """Install OpenSSL 3.5 or later beside the machine's own and return the folder of its libraries.

    The wheel `psycopg-binary` carries them; under the names that programs look for, and named in
    LD_LIBRARY_PATH, they serve the machine's own `openssl` command as well.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux programs take other libraries through LD_LIBRARY_PATH")
    python = python_venv("openssl", ["psycopg-binary==3.3.9"])
    found = sorted(python.parents[1].glob("lib/python*/site-packages/psycopg_binary.libs"))
    assert found, "psycopg-binary carries no libraries here"
    folder = python.parents[1] / "openssl"
    with one_at_a_time("openssl"):
        folder.mkdir(exist_ok=True)
        for name in ("libcrypto", "libssl"):
            (library,) = found[0].glob(f"{name}-*.so.3")
            link = folder / f"{name}.so.3"
            if not link.exists():
                link.symlink_to(library)
    return folder


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return what it printed, both streams; failing fails the test if `check`."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=RUN_TIMEOUT_S,
        check=False,
        env=os.environ | dict(environment or {}),
    )
    printed = done.stdout.decode("utf-8", "replace")
    if check and done.returncode:
        pytest.fail(f"{Path(str(command[0])).name} ended with {done.returncode}:\n{printed}")
    return printed


def _build_directory(project: Path, kind: str) -> Path:
    """Copy a project's sources to a directory of the cache named after their digest."""
    files = sorted(path for path in project.rglob("*") if path.is_file() and "target" not in path.parts)
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(project)).encode() + b"\0" + path.read_bytes() + b"\0")
    build = CACHE / f"{kind}-{project.name}-{digest.hexdigest()[:16]}"
    if not build.exists():
        build.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(project, build, ignore=shutil.ignore_patterns("target"))
    return build


def _install(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run an installer; try again while the registry does not answer, then skip with the reason."""
    printed = ""
    for attempt in range(TRIES):
        done = subprocess.run(
            list(command),
            cwd=cwd,
            capture_output=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
            env=os.environ | dict(environment or {}),
        )
        if done.returncode == 0:
            return
        printed = (done.stdout + done.stderr).decode("utf-8", "replace")
        if not _UNREACHABLE.search(printed):
            pytest.fail(f"{Path(command[0]).name} failed:\n{printed[-8000:]}")
        time.sleep(2 * (attempt + 1))
    line = next(line for line in printed.splitlines() if _UNREACHABLE.search(line))
    tool = Path(command[0]).name
    pytest.skip(f"REGISTRY UNREACHABLE: {tool} got no answer in {TRIES} tries: {line.strip()}")
