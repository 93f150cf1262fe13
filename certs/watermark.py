"""Draw the watermark of an annotated copy: its text, slanted and repeated over the whole page, as PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from certs.graded_picture import OPAQUE, write_graded_png
from certs.ofd.font_search import FontShelf
from certs.ofd.fonts import REGULAR, require_glyphs

DOTS_PER_INCH: Final = 100
DOTS_PER_MM: Final = DOTS_PER_INCH / 25.4
SIZE_MM: Final = 6.0
SLANT_DEGREES: Final = 28
GREY: Final = (90, 90, 90)
OPACITY: Final = 62
MAX_PAGE_MM: Final = 1200.0
COMPRESS_LEVEL: Final = 6


def draw_watermark(text: str, width_mm: float, height_mm: float, *, fonts: FontShelf) -> bytes:
    """Draw `text` over a page at 100 dots per inch on a transparent ground.

    The same text, size and font make the same octets. Raises GlyphMissing.
    """
    face = fonts.face(REGULAR)
    require_glyphs(face, text, pointer="/cause")
    width, height = (round(min(side, MAX_PAGE_MM) * DOTS_PER_MM) for side in (width_mm, height_mm))
    font = ImageFont.truetype(
        BytesIO(face.subset(text)), round(SIZE_MM * DOTS_PER_MM), layout_engine=ImageFont.Layout.BASIC
    )
    words = _write(text, font).rotate(SLANT_DEGREES, Image.Resampling.BICUBIC, expand=True)
    cover = Image.new("L", (width, height), 0)
    for x, y in _middles(width, height, length=font.getlength(text)):
        cover.paste(OPAQUE, (round(x - words.width / 2), round(y - words.height / 2)), words)
    return write_graded_png(
        cover, GREY, dots_per_inch=DOTS_PER_INCH, opacity=OPACITY, compress_level=COMPRESS_LEVEL
    )


def _write(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    left, top, right, bottom = font.getbbox(text)
    words = Image.new("L", (max(round(right - left), 1), max(round(bottom - top), 1)), 0)
    ImageDraw.Draw(words).text((-left, -top), text, fill=OPAQUE, font=font)
    return words


def _middles(width: int, height: int, *, length: float) -> Iterator[tuple[float, float]]:
    """Yield where the middles of the texts lie: rows that are turned about the middle of the page."""
    reach = (width**2 + height**2) ** 0.5
    step_x, step_y = length + SIZE_MM * 3 * DOTS_PER_MM, SIZE_MM * 5 * DOTS_PER_MM
    across, down = math.cos(math.radians(SLANT_DEGREES)), math.sin(math.radians(SLANT_DEGREES))
    for row in range(math.ceil(reach / step_y) + 1):
        y = row * step_y - reach / 2
        for column in range(math.ceil(reach / step_x) + 1):
            x = (column - 0.5 * (row % 2)) * step_x - reach / 2
            yield width / 2 + x * across + y * down, height / 2 - x * down + y * across
