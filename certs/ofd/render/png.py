"""Turn a rendered page into a PNG, by resvg: no system fonts, no files, no network; every glyph is a path."""

from __future__ import annotations

from typing import Final

import resvg_py

from certs.ofd.errors import PageTooComplex
from certs.ofd.render.model import RenderedPage
from core.errors import BadInput

MIN_WIDTH_PX: Final = 16
MAX_WIDTH_PX: Final = 4096
MAX_PIXELS: Final = 24_000_000
DEFAULT_DPI: Final = 150
MM_PER_INCH: Final = 25.4


def rasterise(page: RenderedPage, *, width_px: int | None = None) -> bytes:
    """Draw a page as PNG, `width_px` wide; 150 dots per inch without it.

    Blocks for as long as drawing takes. Raises BadInput for widths outside 16 to 4096, PageTooComplex for
    pages so long that the picture would have over 24 million pixels.
    """
    if width_px is None:
        width_px = min(max(round(page.width_mm / MM_PER_INCH * DEFAULT_DPI), MIN_WIDTH_PX), MAX_WIDTH_PX)
    if not MIN_WIDTH_PX <= width_px <= MAX_WIDTH_PX:
        msg = f"a picture of a page is {MIN_WIDTH_PX} to {MAX_WIDTH_PX} pixels wide"
        raise BadInput(msg)
    if width_px * width_px * page.height_mm / page.width_mm > MAX_PIXELS:
        msg = "a picture of that page would have too many pixels; ask for a narrower one"
        raise PageTooComplex(msg)
    try:
        return resvg_py.svg_to_bytes(
            svg_string=page.svg, width=width_px, dpi=DEFAULT_DPI, skip_system_fonts=True
        )
    except ValueError as error:
        msg = "the page cannot be drawn as a picture"
        raise PageTooComplex(msg) from error
