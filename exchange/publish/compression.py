"""Unpacking bodies that come compressed by gzip (RFC 1952) or Zstandard (RFC 8878)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from core.errors import TooLarge, UnsupportedContent
from exchange.publish.media import CSV, NDJSON

CODINGS: Final = ("gzip", "zstd")
PIECE_BYTES: Final = 1024 * 1024
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def unpack(path: Path, size: int, *, coding: str | None, media_type: str, max_bytes: int) -> tuple[Path, int]:
    """Return the path and size of what the file holds: its own where it is not compressed.

    Raises TooLarge where it unpacks to more than `max_bytes`, UnsupportedContent where it is broken.
    """
    coding = coding or (_detect(path) if media_type in {CSV, NDJSON} else None)
    if coding is None or size == 0:
        return path, size
    target, written = path.with_suffix(".unpacked"), 0
    try:
        source = pa.CompressedInputStream(pa.OSFile(str(path)), coding)
        with source, target.open("wb") as out:
            while piece := source.read(PIECE_BYTES):
                written += len(piece)
                if written > max_bytes:
                    msg = f"the batch unpacks to more than the limit of {max_bytes} bytes; send smaller parts"
                    raise TooLarge(msg)
                out.write(piece)
    except (pa.ArrowException, OSError) as trouble:
        if isinstance(trouble, OSError) and trouble.errno:
            raise
        msg = f"the body is not whole {coding}"
        raise UnsupportedContent(msg) from trouble
    path.unlink()
    return target, written


def _detect(path: Path) -> str | None:
    """Tell the compression of a text file by its first octets, which no text begins with."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((coding for magic, coding in _MAGIC.items() if start.startswith(magic)), None)
