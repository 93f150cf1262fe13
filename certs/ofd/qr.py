"""Draw a QR code (GB/T 18284) as one path, sharp at every size."""

from __future__ import annotations

from typing import Final

import segno

from certs.ofd.errors import TextOverflow
from certs.ofd.objects import Command, Path, rectangle

QUIET_MODULES: Final = 2
MIN_MODULE_MM: Final = 0.25
"""Smaller modules are not read reliably off a screen or a print."""


def build_qr(payload: str, *, x: float, y: float, side: float) -> Path:
    """Draw `payload` into a square of `side` millimetres, error correction M.

    A quiet zone of two modules is kept inside the square; whoever places it leaves it white. Raises
    TextOverflow where the payload is too long for a code of that size.
    """
    try:
        rows = tuple(segno.make_qr(payload, error="m", boost_error=False).matrix)
    except segno.DataOverflowError:
        rows = ()
    module = side / (len(rows) + 2 * QUIET_MODULES)
    if not rows or module < MIN_MODULE_MM:
        msg = f"the text of the QR code is too long for a square of {side:g} mm"
        raise TextOverflow(msg)
    commands: list[Command] = []
    for row, cells in enumerate(rows):
        for start, length in _runs(cells):
            left, top = x + (start + QUIET_MODULES) * module, y + (row + QUIET_MODULES) * module
            commands += rectangle(left, top, length * module, module)
    return Path(commands=tuple(commands), fill=(0, 0, 0))


def _runs(cells: bytearray) -> list[tuple[int, int]]:
    """Return start and length of every run of dark modules in a row."""
    runs: list[tuple[int, int]] = []
    for column, dark in enumerate(cells):
        if not dark:
            continue
        if runs and sum(runs[-1]) == column:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((column, 1))
    return runs
