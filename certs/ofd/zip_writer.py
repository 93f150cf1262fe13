"""Write ZIP packages as GB/T 33190 readers want them, reproducibly.

Sizes stand in the local header, there are no data descriptors, names are UTF-8 and say so, times are
fixed, `OFD.xml` comes first: readers that follow local headers and readers that follow the central directory
see the same files. An entry that is carried over from another package keeps its compressed octets.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from isal import isal_zlib

ROOT_FILE: Final = "OFD.xml"
STORED: Final = 0
DEFLATED: Final = 8
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_UTF8_FLAG: Final = 0x800
_VERSION: Final = 20
_DENSE: Final = (".png", ".jpg", "/SignedValue.dat")
"""Ends of names of what compressing takes next to nothing off: pictures, and values that hold a seal's."""
_DATE: Final = (44 << 9) | (1 << 5) | 1  # 2024-01-01; the same content makes the same octets.


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedEntry:
    """One file as it lies in a ZIP: compressed octets, method, checksum and size of the plain octets.

    `packed` may be a view of the container that it was read from.
    """

    name: str
    method: int
    crc: int
    size: int
    packed: bytes | memoryview = field(repr=False)


def pack_entry(name: str, content: bytes, *, is_kept: bool = False) -> PackedEntry:
    """Compress one file; what does not shrink is stored.

    With `is_kept` it is compressed as far as can be, which takes its time, once for many packages; else a few
    hundredths less, in a sixth of zlib's time at its middle level, and what is dense by nature not at all.
    """
    if is_kept:
        compressor = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = compressor.compress(content) + compressor.flush()
    elif name.endswith(_DENSE):
        packed = content
    else:
        packed = isal_zlib.compress(content, isal_zlib.ISAL_DEFAULT_COMPRESSION, -zlib.MAX_WBITS)
    shrinks = len(packed) < len(content)
    return PackedEntry(
        name=name,
        method=DEFLATED if shrinks else STORED,
        crc=isal_zlib.crc32(content),
        size=len(content),
        packed=packed if shrinks else content,
    )


def write_zip(entries: Iterable[PackedEntry]) -> bytes:
    """Write entries in their order, but OFD.xml first. Names are the caller's care: unique and relative."""
    ordered = sorted(entries, key=lambda entry: entry.name != ROOT_FILE)
    pieces: list[bytes | memoryview] = []
    directory, at = bytearray(), 0
    for entry in ordered:
        name = entry.name.encode()
        facts = (_UTF8_FLAG, entry.method, 0, _DATE, entry.crc, len(entry.packed), entry.size, len(name), 0)
        directory += _CENTRAL.pack(b"PK\x01\x02", _VERSION, _VERSION, *facts, 0, 0, 0, 0, at) + name
        pieces += _LOCAL.pack(b"PK\x03\x04", _VERSION, *facts), name, entry.packed
        at += _LOCAL.size + len(name) + len(entry.packed)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(ordered), len(ordered), len(directory), at, 0)
    return b"".join((*pieces, directory, end))
