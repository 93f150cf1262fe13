"""Receiving a body into a file, within a limit, while its SM3 is computed."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.errors import TooLarge, Unavailable
from exchange.publish.compression import unpack
from exchange.publish.model import Upload
from signing import sm3

WRITE_BYTES = 1024 * 1024


@asynccontextmanager
async def receive_upload(
    body: AsyncIterable[bytes],
    *,
    spool_dir: Path,
    max_bytes: int,
    media_type: str,
    charset: str | None,
    label: str,
    coding: str | None = None,
) -> AsyncIterator[Upload]:
    """Spool `body` to a file of its own, which is removed at the end of the block.

    `label` (mode and the like) goes into the digest, so that the same bytes sent to mean something else
    differ. `coding` is the Content-Encoding (gzip or zstd); text that begins as one of them is unpacked
    without being told. The limit holds for the body as sent and for what it unpacks to. Raises TooLarge as
    soon as it is passed, UnsupportedContent for a broken compression, Unavailable where the disk refuses.
    """
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="batch-", dir=spool_dir)
    try:
        path = Path(folder) / "body"
        try:
            size, digest = await _spool(body, path, max_bytes, label)
            path, size = await asyncio.to_thread(
                unpack, path, size, coding=coding, media_type=media_type, max_bytes=max_bytes
            )
        except OSError as trouble:
            msg = "the hub cannot store the upload; its disk may be full; nothing was changed"
            raise Unavailable(msg) from trouble
        yield Upload(path=path, size_bytes=size, digest=digest, media_type=media_type, charset=charset)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _spool(body: AsyncIterable[bytes], path: Path, max_bytes: int, label: str) -> tuple[int, bytes]:
    hasher = sm3.hasher()
    hasher.update(label.encode() + b"\x00")
    size, waiting = 0, bytearray()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        async for piece in body:
            size += len(piece)
            if size > max_bytes:
                msg = f"the batch is over the limit of {max_bytes} bytes; send it in smaller parts"
                raise TooLarge(msg)
            waiting += piece
            if len(waiting) >= WRITE_BYTES:
                data, waiting = bytes(waiting), bytearray()
                hasher.update(data)
                await asyncio.to_thread(file.write, data)
        hasher.update(bytes(waiting))
        file.write(waiting)
    return size, hasher.finalize()
