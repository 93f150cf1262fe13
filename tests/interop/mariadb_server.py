"""A real MariaDB on loopback: the one that is installed, or Debian's packages unpacked below `.interop`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from tests.interop.harness import CACHE, one_at_a_time

PACKAGES = ("mariadb-server-core", "mariadb-common", "mysql-common", "liburing2", "libaio1", "libnuma1")
PASSWORD = "only-for-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class MariaDb:
    """A running server with the database `copy` and the user `hub`. `kill` kills it and starts it again."""

    port: int
    kill: Callable[[], None]

    def connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """Connect as the subscriber."""
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="hub", password=PASSWORD, database="copy", autocommit=True
        )


def find_server() -> tuple[str, Path, dict[str, str]]:
    """Return the program, the folder of its SQL files, and its environment; skip where there is none."""
    installed = shutil.which("mariadbd") or shutil.which("/usr/sbin/mariadbd")
    if installed is not None:
        return installed, Path("/usr/share/mysql"), dict(os.environ)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("mariadbd is not installed, and there is no apt-get to fetch it with")
    with one_at_a_time("mariadb"):
        return _fetch_server()


def _fetch_server() -> tuple[str, Path, dict[str, str]]:
    root = CACHE / "mariadb" / "root"
    program = root / "usr/sbin/mariadbd"
    if not program.exists():
        root.mkdir(parents=True, exist_ok=True)
        for package in PACKAGES:
            done = subprocess.run(
                ["apt-get", "download", package], cwd=root.parent, capture_output=True, check=False
            )
            if done.returncode and package in {"mariadb-server-core", "mariadb-common"}:
                pytest.skip(f"mariadbd is not installed, and Debian's {package} cannot be fetched")
        for archive in root.parent.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(archive), str(root)], check=True)
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))
    return str(program), root / "usr/share/mysql", os.environ | {"LD_LIBRARY_PATH": libraries}


@contextmanager
def running_mariadb(folder: Path, *, durable: bool = False) -> Iterator[MariaDb]:
    """Set a server up in `folder` and run it on a free port until the block ends.

    One that is not `durable` forgets what it committed in the last second when it is killed.
    """
    program, share, environment = find_server()
    data = folder / "data"
    data.mkdir()
    common = [
        program, "--no-defaults", f"--datadir={data}", f"--lc-messages-dir={share}",
        f"--character-sets-dir={share}/charsets", "--user=root", f"--socket={folder}/s",
        f"--pid-file={folder}/pid", f"--innodb-flush-log-at-trx-commit={2 * durable}",
    ]  # fmt: skip
    scripts = [share / name for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql")]
    text = "CREATE DATABASE mysql;\nUSE mysql;\n" + "\n".join(path.read_text() for path in scripts)
    done = subprocess.run(
        [*common, "--bootstrap"], input=text.encode(), env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    setup = folder / "setup.sql"
    setup.write_text(
        "CREATE DATABASE copy;\n"
        f"CREATE USER hub@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON copy.* TO hub@'%';\n"
        "GRANT PROCESS ON *.* TO hub@'%';\n"
        f"CREATE USER plain@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT SELECT ON copy.* TO plain@'%';\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    network = ["--bind-address=127.0.0.1", f"--port={port}", f"--init-file={setup}", "--skip-name-resolve"]
    running: list[subprocess.Popen[bytes]] = []

    def end() -> None:
        process = running.pop()
        process.kill()
        process.wait()

    def start(arguments: list[str]) -> None:
        with (folder / "log").open("ab") as log:
            running.append(subprocess.Popen([*common, *arguments], env=environment, stdout=log, stderr=log))
        _wait_until_ready(server, running[0], folder / "log")

    def kill() -> None:
        end()
        start([each for each in network if not each.startswith("--init-file")])

    server = MariaDb(port=port, kill=kill)
    try:
        start(network)
        yield server
    finally:
        if running:
            end()


def _wait_until_ready(server: MariaDb, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            server.connect().close()
        except pymysql.err.Error:
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text()[-2000:])
