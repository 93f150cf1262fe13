"""Draw the round seal of an organisation (公章) from its name, as a PNG.

A red ring, a five-pointed star in the middle, the name along the upper arc from left to right, and a line
of text below the star where one is wanted: the customary form of 国发〔1999〕25号. The background is
transparent. The same name, size and font make the same octets.
"""

from __future__ import annotations

from io import BytesIO
from math import cos, pi, radians, sin
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from certs.graded_picture import write_graded_png
from certs.ofd.errors import TextOverflow
from certs.ofd.font_search import FontShelf
from certs.ofd.fonts import BOLD, FontFace, require_glyphs
from core.errors import BadInput

RED: Final = (213, 24, 30)
DOTS_PER_INCH: Final = 300
DOTS_PER_MM: Final = DOTS_PER_INCH / 25.4
MIN_SIDE_MM: Final = 20
MAX_SIDE_MM: Final = 80
MAX_CHARACTERS: Final = 40
_OVERSAMPLING: Final = 3
_MARGIN: Final = 0.008
"""Blank left around the ring; all measures here are shares of the side."""
_RING: Final = 0.029
_STAR: Final = 0.15
_TEXT_GAP: Final = 0.028
_WIDEST_ARC: Final = 262.0
"""Degrees that the name may cover; the rest stays open at the foot."""
_ROOMY_STEP: Final = 24.0
"""Degrees from one character to the next where the name is short."""


def draw_seal_picture(name: str, side_mm: int, *, fonts: FontShelf, line: str = "") -> bytes:
    """Draw a seal of `side_mm` millimetres across, at 300 dots per inch.

    Raises BadInput for sides outside 20 to 80 mm or an empty name, TextOverflow for a name over 40 characters
    or a line that does not fit below the star, GlyphMissing.
    """
    name = "".join(name.split())
    if not MIN_SIDE_MM <= side_mm <= MAX_SIDE_MM or not name:
        msg = f"a seal has a name and is {MIN_SIDE_MM} to {MAX_SIDE_MM} mm across"
        raise BadInput(msg)
    if len(name) > MAX_CHARACTERS:
        msg = f"a drawn seal holds a name of at most {MAX_CHARACTERS} characters; give a picture instead"
        raise TextOverflow(msg)
    face = fonts.face(BOLD)
    require_glyphs(face, name + line, pointer="/name")
    side = round(side_mm * DOTS_PER_MM)
    mask = Image.new("L", (side * _OVERSAMPLING, side * _OVERSAMPLING), 0)
    _draw_ring(mask)
    _draw_star(mask)
    _draw_name(mask, name, face)
    if line:
        _draw_line(mask, line, face)
    # Every signature holds the whole seal, and a file holds it twice: few octets matter.
    return write_graded_png(mask.reduce(_OVERSAMPLING), RED, dots_per_inch=DOTS_PER_INCH)


def _draw_ring(mask: Image.Image) -> None:
    side = mask.width
    margin = side * _MARGIN
    box = (margin, margin, side - margin, side - margin)
    ImageDraw.Draw(mask).ellipse(box, outline=255, width=round(side * _RING))


def _draw_star(mask: Image.Image) -> None:
    side = mask.width
    inner = _STAR * sin(pi / 10) / sin(3 * pi / 10)
    corners = [
        (
            side * (0.5 + (inner if number % 2 else _STAR) * sin(number * pi / 5)),
            side * (0.5 - (inner if number % 2 else _STAR) * cos(number * pi / 5)),
        )
        for number in range(10)
    ]
    ImageDraw.Draw(mask).polygon(corners, fill=255)


def _draw_name(mask: Image.Image, name: str, face: FontFace) -> None:
    """Set the name along the arc; long names get narrower characters, never lower ones."""
    side = mask.width
    step = min(_ROOMY_STEP, _WIDEST_ARC / max(len(name) - 1, 1))
    height = side * 0.142
    middle = side * (0.5 - _MARGIN - _RING - _TEXT_GAP) - height / 2
    width = min(height * 0.86, 2 * middle * sin(radians(step) / 2) * 0.93)
    start = -step * (len(name) - 1) / 2
    font = _open(face, name, size=round(height))
    for number, character in enumerate(name):
        angle = start + step * number
        glyph = _draw_character(font, character, width=round(width), height=round(height))
        turned = glyph.rotate(-angle, Image.Resampling.BICUBIC, expand=True)
        x = side / 2 + middle * sin(radians(angle)) - turned.width / 2
        y = side / 2 - middle * cos(radians(angle)) - turned.height / 2
        mask.paste(255, (round(x), round(y)), turned)


def _draw_character(font: ImageFont.FreeTypeFont, character: str, *, width: int, height: int) -> Image.Image:
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    glyph = Image.new("L", (height, height), 0)
    x = (height - (right - left)) / 2 - left
    ascent = height * 0.86
    y = ascent if bottom - top > height * 0.5 else height / 2 - (top + bottom) / 2
    ImageDraw.Draw(glyph).text((x, y), character, fill=255, font=font, anchor="ls")
    return glyph.resize((width, height), Image.Resampling.LANCZOS)


def _draw_line(mask: Image.Image, line: str, face: FontFace) -> None:
    side = mask.width
    size = round(side * 0.085)
    font = _open(face, line, size=size)
    if font.getlength(line) > side * 0.6:
        msg = "the line below the star is too long for the seal"
        raise TextOverflow(msg)
    ImageDraw.Draw(mask).text((side / 2, side * 0.735), line, fill=255, font=font, anchor="mm")


def _open(face: FontFace, characters: str, *, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(face.subset(characters)), size, layout_engine=ImageFont.Layout.BASIC)
