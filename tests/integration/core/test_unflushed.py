"""Transactions whose commit does not wait for the disk."""

from __future__ import annotations

import asyncio

import pytest

from core.database import Database
from core.errors import Unavailable


async def count(database: Database) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))


async def test_unflushed_transaction_commits_whole_or_not_at_all(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute("CREATE TABLE kept (n integer)")
    async with database.unflushed_transaction() as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
        await connection.execute("INSERT INTO kept VALUES (1)")
    assert await count(database) == 1

    async def fail() -> None:
        async with database.unflushed_transaction() as connection:
            await connection.execute("INSERT INTO kept VALUES (2)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(database) == 1


async def test_unflushed_transaction_that_is_cancelled_leaves_nothing_and_the_pool_usable(
    database: Database,
) -> None:
    async with database.acquire() as connection:
        await connection.execute("CREATE TABLE kept (n integer)")

    async def hang() -> None:
        async with database.unflushed_transaction() as connection:
            await connection.execute("INSERT INTO kept VALUES (1)")
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(8):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await hang()
    assert await count(database) == 0
    async with database.transaction() as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"


async def test_unflushed_transaction_whose_connection_breaks_tells_its_own_error(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.unflushed_transaction() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
