"""Bringing changes into a PostgreSQL table of the subscriber, exactly once.

The place in the feed stands in a table beside it (`shuzheng_place`) and moves in the transaction of the rows:
a message that comes again is known by it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, cast

import asyncpg

from subscriptions.push import store_postgresql
from subscriptions.push.addresses import AddressBook
from subscriptions.push.framing import FramingLoop
from subscriptions.push.model import DeliveryFailed, Message, MessageRefused, TargetDown
from subscriptions.push.tls import build_ssl

TIMEOUT_S: Final = 45.0
CONNECT_TIMEOUT_S: Final = 10.0
REFUSING: Final = ("22", "23")  # data exceptions and integrity violations (PostgreSQL 18, appendix A)


class PostgresCarrier:
    """Writes messages into tables, which it makes where they are missing."""

    def __init__(self, *, addresses: AddressBook) -> None:
        self._addresses = addresses

    async def deliver(self, message: Message, secret: str | None) -> None:
        """Apply a message in one transaction. Raises TargetDown, MessageRefused or TargetGone."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = await self._connect(message, secret)
                try:
                    await _apply(connection, message)
                finally:
                    connection.terminate()
        except asyncpg.PostgresError as trouble:
            raise _explain(trouble) from trouble
        except (
            OSError,
            TimeoutError,
            ssl.SSLError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as trouble:
            msg = f"the database does not answer ({type(trouble).__name__})"
            raise TargetDown(msg) from trouble

    async def _connect(self, message: Message, secret: str | None) -> asyncpg.Connection[asyncpg.Record]:
        address = message.target.address
        place = await self._addresses.find(str(address["host"]), int(str(address["port"])))
        return await asyncpg.connect(
            host=str(place.address),
            port=place.port,
            database=str(address["database"]),
            user=str(address["user"]),
            password=secret,
            ssl=build_ssl(str(address["ssl"]), host=str(address["host"])) or False,
            timeout=CONNECT_TIMEOUT_S,
            loop=cast(asyncio.AbstractEventLoop, FramingLoop(asyncio.get_running_loop())),
            server_settings={"application_name": "shuzheng", "timezone": "UTC"},
        )


async def _apply(connection: asyncpg.Connection[asyncpg.Record], message: Message) -> None:
    async with connection.transaction():
        withdrawn = await store_postgresql.apply(connection, message)
    if withdrawn:
        await store_postgresql.empty(connection, message, withdrawn)
        async with connection.transaction():
            await store_postgresql.apply(connection, message, emptied=withdrawn)


def _explain(trouble: asyncpg.PostgresError) -> DeliveryFailed:
    """Say what the database complains of by its code alone: its words may quote a row."""
    state = str(trouble.sqlstate or "")
    reason = f"the database refuses (SQLSTATE {state}, {type(trouble).__name__})"
    return MessageRefused(reason) if state[:2] in REFUSING else TargetDown(reason)
