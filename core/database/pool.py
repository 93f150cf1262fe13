"""The connection pool, with time-outs, and PostgreSQL's troubles turned into ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from core.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection = asyncpg.Connection

BROKEN = "the database connection broke; nothing was changed; try again later"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
CACHEABLE_BYTES = 128 * 1024  # the statement that reads all sources of a case is long, and always the same
CONNECTION_TROUBLES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)


class _LentConnection(asyncpg.Connection):
    """A connection in whose COPY nobody waits for ever.

    Where the socket is full asyncpg waits until it takes more, also once the connection is gone. That it is
    writable again when it ends lets the COPY go on, and find that out.
    """

    def _cleanup(self) -> None:
        protocol = self._protocol  # type: ignore[attr-defined]
        if protocol is not None:
            protocol.resume_writing()
        super()._cleanup()  # type: ignore[misc]


async def prepare_connection(connection: Connection) -> None:
    """Teach a new connection to carry jsonb as Python values."""
    await connection.set_type_codec(
        "jsonb", encoder=_dump_jsonb, decoder=_load_jsonb, schema="pg_catalog", format="binary"
    )


async def _leave_session(_connection: Connection) -> None:
    """Hand a connection back without the round trip that would reset its session.

    asyncpg has rolled back what was open. There is nothing else to reset, because whatever outlives a
    transaction (SET without LOCAL, session locks, LISTEN, temporary tables that stay) is not used here.
    """


def _is_gone(connection: PoolConnectionProxy[asyncpg.Record]) -> bool:
    """Tell whether a lent connection is at its end: asyncpg takes it back by itself then."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def _dump_jsonb(value: Any) -> bytes:
    """Write jsonb's binary form: the version octet 1, then the text (so that COPY carries it too)."""
    return b"\x01" + _ENCODER.encode(value).encode()


def _load_jsonb(data: bytes) -> Any:
    return json.loads(data[1:])


class Database:
    """A pool of connections to one PostgreSQL. Open it with `connect`, close it with `close`."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], *, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._lent = 0
        self._ending: set[asyncio.Task[None]] = set()

    @classmethod
    async def connect(cls, url: str, *, pool_size: int, timeout_s: float) -> Database:
        """Connect to `url`. Raises Unavailable, without the URL's password, where nothing answers."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=2,
                max_size=pool_size,
                timeout=timeout_s,
                init=prepare_connection,
                connection_class=_LentConnection,
                reset=_leave_session,
                max_cacheable_statement_size=CACHEABLE_BYTES,
                server_settings={"application_name": "shuzheng", "timezone": "UTC"},
            )
        except (*CONNECTION_TROUBLES, asyncpg.PostgresError) as trouble:
            msg = (
                f"PostgreSQL does not answer ({type(trouble).__name__}); "
                "check that it runs and that SHUZHENG_DATABASE_URL is right"
            )
            raise Unavailable(msg) from trouble
        return cls(pool, timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the pool; connections still in use get a few seconds."""
        try:
            async with asyncio.timeout(5.0):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a connection outside any transaction. Raises Unavailable where none is to be had."""
        connection = await self._borrow()
        is_cut_off = False
        try:
            yield connection
        except asyncio.CancelledError:
            is_cut_off = True
            raise
        except (
            asyncpg.PostgresConnectionError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
        ) as trouble:
            raise Unavailable(BROKEN) from trouble
        except asyncpg.InterfaceError as trouble:
            if not _is_gone(connection):
                raise
            raise Unavailable(BROKEN) from trouble  # so ends a transaction on a connection that broke in it
        except (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError) as trouble:
            msg = "the database cannot store this (its disk or memory is short); nothing was changed"
            raise Unavailable(msg) from trouble
        finally:
            try:
                await (self._end(connection) if is_cut_off else self._pool.release(connection))
            finally:
                self._lent -= 1

    async def _end(self, connection: PoolConnectionProxy[asyncpg.Record]) -> None:
        """Give back a connection whose user was cancelled, and may be again at every wait from here on.

        That is how anyio cancels, and with it an answer whose reader goes away: a ROLLBACK that the user
        awaits is cut off as well. So it is made here, in a task that nothing cancels.
        """
        ending = asyncio.create_task(self._roll_back(connection))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await asyncio.shield(ending)

    async def _roll_back(self, connection: PoolConnectionProxy[asyncpg.Record]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                # Waits until what was cut off has ended. Whether that left a transaction is not known before,
                # and where it did not PostgreSQL but warns.
                await connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            if not _is_gone(connection):
                connection.terminate()
        finally:
            await self._pool.release(connection)

    async def _borrow(self) -> PoolConnectionProxy[asyncpg.Record]:
        # Where some are left nobody waits but for connecting, which has its own time-out; a watch over
        # waiting would cost more than lending does.
        waits = self._lent >= self._pool.get_max_size()
        self._lent += 1
        try:
            return await self._pool.acquire(timeout=self._timeout_s if waits else None)
        except BaseException as trouble:
            self._lent -= 1
            if not isinstance(trouble, (*CONNECTION_TROUBLES, asyncpg.PostgresError)):
                raise
            msg = "the database does not answer; nothing was changed; try again later"
            raise Unavailable(msg) from trouble

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction: committed at the end, rolled back on any error."""
        async with self.acquire() as connection, connection.transaction(readonly=read_only):
            yield connection

    @asynccontextmanager
    async def unflushed_transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction whose commit does not wait for the disk.

        Only for one part of an act that commits another, waiting one before anything is given out: WAL is
        flushed in its order, so that this commit is on the disk when that one is.
        """
        async with self.begun_transaction("BEGIN; SET LOCAL synchronous_commit = off") as connection:
            yield connection

    @asynccontextmanager
    async def begun_transaction(self, begin: str) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction that `begin` opens and sets up in one round trip."""
        async with self.acquire() as connection:
            await connection.execute(begin)
            try:
                yield connection
            except BaseException:
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")
