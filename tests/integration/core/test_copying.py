"""Writing what a query answers to a file."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

import pytest

from core.database import Database
from core.database.copying import PIECE_BYTES, copy_rows, copy_to_file
from core.errors import Unavailable

QUERY = "SELECT n, NULL, '名' FROM generate_series(1, $1::int) AS n"


async def test_copy_to_file_writes_nulls_as_nothing(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    async with database.transaction() as connection:
        await copy_to_file(connection, QUERY, 3, path=path)
    assert path.read_text(encoding="utf-8") == "1,,名\n2,,名\n3,,名\n"


async def test_copy_to_file_cancelled_at_any_step_closes_its_file(database: Database, tmp_path: Path) -> None:
    for steps in range(25):
        async with database.acquire() as connection:
            path = tmp_path / f"{steps}.csv"
            copying = asyncio.create_task(copy_to_file(connection, QUERY, 50_000, path=path))
            for _ in range(steps):
                await asyncio.sleep(0)
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)
    gc.collect()  # a file left open is a ResourceWarning, and that an error, here


async def test_rows_that_were_copied_are_let_go_at_once(database: Database) -> None:
    """Not when the garbage collector comes by: a large batch goes in many pieces, each of them large."""
    rows = 3 * PIECE_BYTES // 10
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1\0\0\0\4\0\0\0\7" * rows + b"\xff\xff"
    held = sys.getrefcount(data)
    gc.disable()
    try:
        async with database.transaction() as connection:
            await connection.execute("CREATE TEMP TABLE taken (n integer) ON COMMIT DROP")
            await copy_rows(connection, "taken", columns=["n"], data=data)
            assert await connection.fetchval("SELECT count(*) FROM taken WHERE n = 7") == rows
        assert sys.getrefcount(data) == held
    finally:
        gc.enable()


async def test_connection_that_breaks_while_rows_wait_to_be_sent_is_told(database: Database) -> None:
    """The server reads no more, the socket is full, and then the connection is gone: nobody waits for it."""
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1\0\0\0\4\0\0\0\7" * 1_000_000 + b"\xff\xff"
    async with database.acquire() as other:
        await other.execute(
            "CREATE TABLE slow (n integer); CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;"
            " CREATE TRIGGER dozes BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION doze()"
        )

        async def copy() -> None:
            async with database.transaction() as connection:
                started.set_result(await connection.fetchval("SELECT pg_backend_pid()"))
                await copy_rows(connection, "slow", columns=["n"], data=data)

        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        copying = asyncio.create_task(copy())
        pid = await started
        while not await other.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'", pid
        ):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # the socket fills
        assert await other.fetchval("SELECT pg_terminate_backend($1)", pid)
        async with asyncio.timeout(30):
            with pytest.raises(Unavailable):
                await copying
    async with database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM slow") == 0
