"""Holding a subscriber's PostgreSQL to the framing of its protocol before asyncpg reads it.

asyncpg trusts the server: a message that says it is shorter than its own length (four bytes; PostgreSQL 18
manual, "Message Formats") makes it turn around for ever, and all of this process with it; a longer one than
there is memory for is collected. A target is not to be trusted so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from asyncpg.protocol import Protocol

HEADER_BYTES: Final = 5
LENGTH_BYTES: Final = 4
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024


class Framing:
    """Watches bytes of a server go by, message after message: one of type, four of length, the rest."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    def holds(self, data: bytes) -> bool:
        """Take the next bytes; False where a message is shorter than its length field, or far too long."""
        place = 0
        while place < len(data):
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
            else:
                step = min(HEADER_BYTES - len(self._header), len(data) - place)
                self._header += data[place : place + step]
                if len(self._header) == HEADER_BYTES and not self._begin():
                    return False
            place += step
        return True

    def _begin(self) -> bool:
        length = int.from_bytes(self._header[1:], "big", signed=True)
        self._header, self._left = b"", length - LENGTH_BYTES
        return LENGTH_BYTES <= length <= MAX_MESSAGE_BYTES


class _Framed(asyncio.Protocol):
    """Hands on to asyncpg's protocol what holds, and hangs up at the first byte that does not."""

    def __init__(self, inner: Any, transport: Any = None) -> None:
        self.inner = inner
        self._transport = transport
        self._framing = Framing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._framing.holds(data):
            self.inner.data_received(data)
        else:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return bool(self.inner.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()


class _Secured:
    """A transport under TLS; asyncpg gives it its protocol once the connection is secured."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def set_protocol(self, protocol: Any) -> None:
        self._transport.set_protocol(_Framed(protocol, self._transport))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class FramingLoop:
    """The running event loop, whose connections for asyncpg hold the server to its framing.

    To be given to `asyncpg.connect` as `loop`; everything but the making of connections is the loop's own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def create_connection(self, make: Callable[[], Any], *where: Any, **how: Any) -> tuple[Any, Any]:
        """Connect as the loop does; asyncpg's own protocol comes to stand behind the framing."""

        def make_framed() -> Any:
            made = make()
            return _Framed(made) if isinstance(made, Protocol) else made

        transport, protocol = await self._loop.create_connection(make_framed, *where, **how)
        return transport, protocol.inner if isinstance(protocol, _Framed) else protocol

    async def start_tls(self, *what: Any, **how: Any) -> Any:
        """Secure a connection as the loop does."""
        transport = await self._loop.start_tls(*what, **how)
        return None if transport is None else _Secured(transport)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)
