"""Answer with lines of JSON while the request is still being read.

Most clients read nothing before they have sent everything. So lines are spooled (in memory while they are
few, on disk beyond) and reading never waits for a line to be taken: neither side can lock the other up.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import ShuzhengError

SPOOL_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 64 * 1024


class LineResponse(Response):
    """Sends lines of JSON as they come.

    Starlette's own streaming response listens for the client's leaving by receiving, and so would take the
    rest of the request away from whoever still reads it.
    """

    media_type = "application/x-ndjson"

    def __init__(self, lines: AsyncGenerator[bytes], *, headers: Mapping[str, str]) -> None:
        super().__init__(headers=dict(headers))
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send everything; a client that leaves ends it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._lines):
            with suppress(ClientDisconnect):
                async for chunk in self._lines:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LineSpool:
    """Lines from one task to another, without bound but on disk."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed by `close`
        self._written = 0
        self._read = 0
        self._ended = False
        self._news = asyncio.Event()

    def append(self, value: dict[str, Any]) -> None:
        """Add one line."""
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._file.seek(self._written)
        self._file.write(line)
        self._written += len(line)
        self._news.set()

    def end(self) -> None:
        """Say that no line follows."""
        self._ended = True
        self._news.set()

    async def octets(self) -> AsyncIterator[bytes]:
        """Yield what was appended, as it comes, until the end."""
        while True:
            if self._read < self._written:
                self._file.seek(self._read)
                chunk = self._file.read(min(READ_BYTES, self._written - self._read))
                self._read += len(chunk)
                yield chunk
            elif self._ended:
                return
            else:
                self._news.clear()
                await self._news.wait()

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()


async def stream_lines(
    values: AsyncIterator[dict[str, Any]], *, describe_error: Callable[[ShuzhengError], dict[str, Any]]
) -> AsyncGenerator[bytes]:
    """Yield `values` as lines of JSON, reading on whether or not they are taken.

    An error before the first value is raised; a later one becomes the last line.
    """
    first = await anext(values, None)
    spool = LineSpool()
    if first is not None:
        spool.append(first)

    async def fill() -> None:
        try:
            async for value in values:
                spool.append(value)
        except ShuzhengError as error:
            spool.append({"error": describe_error(error)})
        finally:
            spool.end()

    task = asyncio.create_task(fill())
    try:
        yield b""
        async for chunk in spool.octets():
            yield chunk
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
        spool.close()
