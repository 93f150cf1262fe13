"""Transactions that are cut off: their reader goes away, and from then on every wait is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest

from core.database import Connection, Database

Opened = AbstractAsyncContextManager[Connection]
SLOW = "SELECT pg_sleep(60)"
OPENERS: dict[str, Callable[[Database], Opened]] = {
    "transaction": lambda database: database.transaction(),
    "read_only": lambda database: database.transaction(read_only=True),
    "begun": lambda database: database.begun_transaction("BEGIN READ ONLY"),
    "beginning": lambda database: database.begun_transaction(f"BEGIN; {SLOW}"),
    "unflushed": lambda database: database.unflushed_transaction(),
}


async def wait_until_busy(database: Database, *, others: int) -> None:
    """Wait until so many other connections are in a query or in a transaction.

    A query counts once the server has it: PostgreSQL ignores a cancellation that comes before its query.
    """
    async with database.acquire() as connection:
        while others != await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND CASE WHEN $1::int = 0 THEN state <> 'idle'"
            " ELSE state = 'active' AND query LIKE '%pg_sleep(60)%' END",
            others,
        ):
            await asyncio.sleep(0)


async def read_slowly(opened: Opened, seen: set[int]) -> None:
    async with opened as connection:
        seen.add(await connection.fetchval("SELECT pg_backend_pid()"))
        await connection.execute(SLOW)


@pytest.mark.parametrize("kind", OPENERS)
async def test_transaction_cut_off_is_rolled_back_before_its_connection_goes_back(
    database: Database, kind: str
) -> None:
    told: list[dict[str, Any]] = []
    seen: set[int] = set()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    for _ in range(6):
        async with anyio.create_task_group() as group:
            group.start_soon(read_slowly, OPENERS[kind](database), seen)
            await wait_until_busy(database, others=1)
            group.cancel_scope.cancel()
        await wait_until_busy(database, others=0)
    async with database.acquire() as connection:
        left = await connection.fetch("SELECT pid FROM pg_stat_activity")
    assert told == []
    assert seen <= {row["pid"] for row in left}, "a connection was thrown away"


async def test_user_who_is_cancelled_on_a_connection_that_is_gone_is_told_nothing_else(
    database: Database,
) -> None:
    async def use() -> None:
        async with database.acquire() as connection:
            started.set_result(await connection.fetchval("SELECT pg_backend_pid()"))
            connection.add_termination_listener(lambda _: gone.set())
            await asyncio.Event().wait()

    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()
    using = asyncio.create_task(use())
    async with database.acquire() as other:
        await other.execute("SELECT pg_terminate_backend($1)", await started)
    await gone.wait()
    await asyncio.sleep(0)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
