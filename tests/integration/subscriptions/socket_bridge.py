"""A TCP port in front of the tests' PostgreSQL (which listens on a Unix socket), that can cut connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class Bridge:
    """Carries bytes; `cuts` holds, per connection to come, after how many bytes from the server it is cut."""

    path: str
    port: int = 0
    cuts: deque[int | None] = field(default_factory=deque)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self.connections += 1
        limit = self.cuts.popleft() if self.cuts else None
        above, below = await asyncio.open_unix_connection(self.path)
        sending = asyncio.create_task(_pump(reader, below, None))
        with suppress(ConnectionError):
            await _pump(above, writer, limit)
        sending.cancel()
        writer.close()
        below.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
    seen = 0
    while data := await reader.read(512):
        seen += len(data)
        if limit is not None and seen > limit:
            writer.transport.abort()
            return
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def bridged(url: str) -> AsyncIterator[Bridge]:
    """Open a port in front of the server of `url` until the block ends."""
    folder = parse_qs(urlsplit(url).query)["host"][0]
    bridge = Bridge(path=f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_server(bridge.serve, "127.0.0.1", 0)
    bridge.port = server.sockets[0].getsockname()[1]
    try:
        yield bridge
    finally:
        server.close()
