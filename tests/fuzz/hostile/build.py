"""How hostile packages are put together."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from certs.ofd.zip_writer import DEFLATED, STORED, PackedEntry, write_zip
from tests.unit.certs.packages import sealed

MIB: Final = 1 << 20
PAGE: Final = "Doc_0/Pages/Page_0/Content.xml"
SIGNATURE: Final = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE: Final = "Doc_0/Signs/Sign_0/SignedValue.dat"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile file: how it is built, and codes of which at least one must be reported."""

    build: Callable[[], bytes]
    codes: frozenset[str]


def stored(name: str, content: bytes) -> PackedEntry:
    return PackedEntry(name=name, method=STORED, crc=zlib.crc32(content), size=len(content), packed=content)


def deflated(name: str, content: bytes, level: int = 9) -> PackedEntry:
    worker = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = worker.compress(content) + worker.flush()
    return PackedEntry(name=name, method=DEFLATED, crc=zlib.crc32(content), size=len(content), packed=packed)


def with_entries(*more: PackedEntry, files: Mapping[str, bytes] | None = None) -> bytes:
    """A package of plain files and of entries that were packed elsewhere."""
    base = sealed() if files is None else files
    replaced = {entry.name for entry in more}
    kept = [deflated(name, content) for name, content in base.items() if name not in replaced]
    return write_zip([*kept, *more])


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)
