"""Draw the watermark of an annotated copy: its text, slanted and repeated over the whole page, as PNG."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from certs.ofd.font_search import FontShelf
from certs.ofd.fonts import REGULAR, require_glyphs

DOTS_PER_MM: Final = 100 / 25.4
SIZE_MM: Final = 6.0
SLANT_DEGREES: Final = 28
GREY: Final = (90, 90, 90)
ALPHA: Final = 62
MAX_PAGE_MM: Final = 1200.0


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
    reach = round((width**2 + height**2) ** 0.5)
    mask = Image.new("L", (reach, reach), 0)
    pen = ImageDraw.Draw(mask)
    step_x, step_y = font.getlength(text) + SIZE_MM * 3 * DOTS_PER_MM, SIZE_MM * 5 * DOTS_PER_MM
    row, y = 0, 0.0
    while y < reach:
        x = -step_x / 2 * (row % 2)
        while x < reach:
            pen.text((x, y), text, fill=ALPHA, font=font)
            x += step_x
        row, y = row + 1, y + step_y
    turned = mask.rotate(SLANT_DEGREES, Image.Resampling.BICUBIC)
    left, top = (reach - width) // 2, (reach - height) // 2
    picture = Image.new("RGBA", (width, height), (*GREY, 0))
    picture.putalpha(turned.crop((left, top, left + width, top + height)))
    target = BytesIO()
    picture.save(target, "PNG", optimize=False, compress_level=9)
    return target.getvalue()
