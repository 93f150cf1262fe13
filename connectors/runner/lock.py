"""One runner for one state: a lock that the operating system takes back when its process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.errors import TerminalError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a state's folder. Raises TerminalError where another process holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as held:
            msg = f"another process runs this connector (it holds {folder / 'lock'})"
            raise TerminalError(msg) from held
        yield
    finally:
        os.close(descriptor)
