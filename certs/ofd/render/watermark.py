"""Repeat a text over a page, slanting, on top of everything."""

from __future__ import annotations

from math import hypot
from typing import Final

from certs.ofd.font_search import FontShelf
from certs.ofd.fonts import REGULAR, FontFace, require_glyphs
from certs.ofd.render.canvas import Canvas
from certs.ofd.render.model import Watermark
from certs.ofd.render.values import BoxValues, format_number

_GAP_EMS: Final = 4.0
_ROW_EMS: Final = 4.5
_LEADING_EMS: Final = 1.35
_MAX_TILES: Final = 5000


def draw_watermark(canvas: Canvas, watermark: Watermark, page: BoxValues, fonts: FontShelf) -> None:
    """Draw a watermark. Raises GlyphMissing where the font lacks a character of it."""
    face = fonts.face(REGULAR)
    require_glyphs(face, "".join(watermark.lines), pointer="/watermark")
    size = watermark.size_mm
    tile, width = _define_tile(canvas, watermark, face)
    step_x = width + size * _GAP_EMS
    step_y = size * (_ROW_EMS + _LEADING_EMS * (len(watermark.lines) - 1))
    reach = hypot(page[2], page[3]) / 2
    columns, rows = int(reach / step_x) + 2, int(reach / step_y) + 1
    red, green, blue = watermark.colour
    canvas.draw(
        f'<g fill="rgb({red},{green},{blue})" fill-opacity="{format_number(watermark.opacity)}" transform="'
        f"translate({format_number(page[0] + page[2] / 2)} {format_number(page[1] + page[3] / 2)})"
        f' rotate({format_number(watermark.angle)})">'
    )
    for row in range(-rows, rows + 1):
        shift = step_x / 2 if row % 2 else 0.0
        for column in range(-columns, columns + 1):
            x, y = format_number(column * step_x + shift - width / 2), format_number(row * step_y)
            if (2 * rows + 1) * (2 * columns + 1) <= _MAX_TILES:
                canvas.draw(f'<use xlink:href="#{tile}" x="{x}" y="{y}"/>')
    canvas.close()


def _define_tile(canvas: Canvas, watermark: Watermark, face: FontFace) -> tuple[str, float]:
    """Define the text once as outlines, and return the reference and its width in millimetres."""
    scale = watermark.size_mm / face.metrics.units_per_em
    parts, widest = [], 0.0
    for number, line in enumerate(watermark.lines):
        x = 0.0
        for character, advance in zip(line, face.advances(line, watermark.size_mm), strict=True):
            matrix = f"{scale:.8f} 0 0 {-scale:.8f} {format_number(x)} "
            matrix += format_number(number * watermark.size_mm * _LEADING_EMS)
            parts.append(f'<path d="{face.outline_path(character)}" transform="matrix({matrix})"/>')
            x += advance
        widest = max(widest, x)
    return canvas.define("watermark", f">{''.join(parts)}", element="g"), widest
