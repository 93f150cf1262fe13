"""Draw a QR code (GB/T 18284) as one path, sharp at every size."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zxingcpp

from certs.ofd.errors import TextOverflow
from certs.ofd.objects import PreparedPath
from certs.ofd.xml_writer import element, numbers

Modules = npt.NDArray[np.uint8]

QUIET_MODULES: Final = 2
_RUN: Final = 256
"""More than the modules of any row."""
MIN_MODULE_MM: Final = 0.25
"""Smaller modules are not read reliably off a screen or a print."""

_MASK: Final = 3
"""Which of the eight masks lies over the code; readers are told by the code itself.

GB/T 18284 lets the encoder try all of them against large plain areas. What stands in a face's code is a
proof, random octets, which no mask makes plainer than another; trying takes ten times as long as encoding.
"""
_MASKED_CHARACTERS: Final = 200
"""Shorter texts may be plain; for them the masks are tried."""


def build_qr(payload: str, *, x: float, y: float, side: float) -> PreparedPath:
    """Draw `payload` into a square of `side` millimetres, error correction M.

    A quiet zone of two modules is kept inside the square; whoever places it leaves it white. The path counts
    in modules, and its CTM makes millimetres of them. Raises TextOverflow where the payload is too long for a
    code of that size.
    """
    rows = _encode(payload)
    module = side / (len(rows) + 2 * QUIET_MODULES)
    if not len(rows) or module < MIN_MODULE_MM:
        msg = f"the text of the QR code is too long for a square of {side:g} mm"
        raise TextOverflow(msg)
    data = _write_path(rows)
    written = element(
        "PathObject",
        {
            "Boundary": numbers((x, y, side, side)),
            "CTM": f"{module:.6f} 0 0 {module:.6f} 0 0",
            "Stroke": "false",
            "Fill": "true",
        },
        element("FillColor", {"Value": "0 0 0"}),
        element("AbbreviatedData", None, data),
    )
    return PreparedPath(written.removeprefix("<ofd:PathObject"))


def _encode(payload: str) -> Modules:
    """Encode a text: 0 where a module is dark. Empty where no code holds so much."""
    mask = {"data_mask": _MASK} if len(payload) > _MASKED_CHARACTERS else {}
    try:
        code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M", **mask)
    except ValueError:
        return np.empty((0, 0), dtype=np.uint8)
    picture: Any = code.to_image(scale=1, add_quiet_zones=False)  # a buffer, which its stub does not say
    return np.asarray(picture)


def _write_path(rows: Modules) -> str:
    """Write every run of dark modules as a rectangle, clockwise from the upper left, in modules."""
    side = len(rows)
    framed = np.zeros((side, side + 2), dtype=np.bool_)  # a light module before each row and behind it
    framed[:, 1:-1] = rows == 0
    flat = framed.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    places = edges[0::2] * _RUN + (edges[1::2] - edges[0::2])
    return " ".join(map(_rectangles_of(side).__getitem__, places.tolist()))


class _Rectangles(dict[int, str]):
    """Rectangles of codes of one size by where their runs begin and how long they are; kept once written."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def __missing__(self, place: int) -> str:
        at, length = divmod(place, _RUN)
        row, column = divmod(at, self._side + 2)
        top, left = row + QUIET_MODULES, column + QUIET_MODULES
        right, foot = left + length, top + 1
        written = self[place] = f"M {left} {top} L {right} {top} L {right} {foot} L {left} {foot} C"
        return written


@functools.lru_cache(maxsize=40)
def _rectangles_of(side: int) -> _Rectangles:
    return _Rectangles(side)
