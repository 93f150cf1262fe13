"""Draw a QR code (GB/T 18284) as a picture of two colours, eight points to a module: sharp on any printer.

A path of its modules would be twenty times as many octets, to be compressed, digested, sealed and read in
every certificate.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zxingcpp
from isal import isal_zlib

from certs.ofd.errors import TextOverflow
from certs.ofd.objects import Picture

Modules = npt.NDArray[np.uint8]

QUIET_MODULES: Final = 2
POINTS: Final = 8
"""Points along the side of a module, which makes a module an octet: 0 where it is dark, 255 where light."""
MIN_MODULE_MM: Final = 0.25
"""Smaller modules are not read reliably off a screen or a print."""

_MASK: Final = 0
"""Which of the eight masks lies over the code; readers are told by the code itself.

GB/T 18284 lets the encoder try all of them against large plain areas. What stands in a face's code is a
proof, random octets, which no mask makes plainer than another; trying takes six times as long as encoding.
This one, a chequer, is laid quickest.
"""
_MASKED_CHARACTERS: Final = 200
"""Shorter texts may be plain; for them the masks are tried."""


def build_qr(payload: str, *, x: float, y: float, side: float) -> Picture:
    """Draw `payload` into a square of `side` millimetres, error correction M.

    A quiet zone of two modules is kept inside the square; whoever places it leaves more of it white. Raises
    TextOverflow where the payload is too long for a code of that size.
    """
    rows = _encode(payload)
    if not len(rows) or side / (len(rows) + 2 * QUIET_MODULES) < MIN_MODULE_MM:
        msg = f"the text of the QR code is too long for a square of {side:g} mm"
        raise TextOverflow(msg)
    return Picture(data=_write_png(rows), x=x, y=y, width=side, height=side)


def _encode(payload: str) -> Modules:
    """Encode a text: 0 where a module is dark. Empty where no code holds so much."""
    mask = {"data_mask": _MASK} if len(payload) > _MASKED_CHARACTERS else {}
    try:
        code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M", **mask)
    except ValueError:
        return np.empty((0, 0), dtype=np.uint8)
    picture: Any = code.to_image(scale=1, add_quiet_zones=False)  # a buffer, which its stub does not say
    return np.asarray(picture)


def _write_png(rows: Modules) -> bytes:
    """Write a PNG (ISO/IEC 15948) of one bit a point; each row of modules is one line and repeats of it."""
    side = len(rows) + 2 * QUIET_MODULES
    lines = np.zeros((side, POINTS, side + 1), dtype=np.uint8)
    lines[:, 0, 1:] = 255
    lines[QUIET_MODULES:-QUIET_MODULES, 0, 1 + QUIET_MODULES : -QUIET_MODULES] = rows
    lines[:, 1:, 0] = _UP
    header = struct.pack(">2I5B", side * POINTS, side * POINTS, 1, 0, 0, 0, 0)
    packed = isal_zlib.compress(lines.tobytes(), isal_zlib.ISAL_DEFAULT_COMPRESSION, zlib.MAX_WBITS)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


_UP: Final = 2
"""The filter that writes a line as what differs from the line above."""
