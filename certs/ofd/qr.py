"""Draw a QR code (GB/T 18284) as one path, sharp at every size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zxingcpp

from certs.ofd.errors import TextOverflow
from certs.ofd.objects import PreparedPath
from certs.ofd.xml_writer import element, numbers

Modules = npt.NDArray[np.uint8]

QUIET_MODULES: Final = 2
MIN_MODULE_MM: Final = 0.25
"""Smaller modules are not read reliably off a screen or a print."""

_RECTANGLE: Final = "M %d %d L %d %d L %d %d L %d %d C"


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
    data = " ".join(map(_RECTANGLE.__mod__, _corners(rows)))
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
    try:
        code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    except ValueError:
        return np.empty((0, 0), dtype=np.uint8)
    picture: Any = code.to_image(scale=1, add_quiet_zones=False)  # a buffer, which its stub does not say
    return np.asarray(picture)


def _corners(rows: Modules) -> Iterator[tuple[int, ...]]:
    """Yield the corners of every run of dark modules, clockwise from the upper left, in modules."""
    framed = np.pad((rows == 0).astype(np.int8), ((0, 0), (QUIET_MODULES, 1)))
    tops, edges = np.nonzero(np.diff(framed, axis=1))
    top, left, right = tops[0::2] + QUIET_MODULES, edges[0::2] + 1, edges[1::2] + 1
    corners = (left, top, right, top, right, top + 1, left, top + 1)
    return zip(*(corner.tolist() for corner in corners), strict=True)
