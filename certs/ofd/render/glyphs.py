"""Outlines of glyphs: from the font that a document embeds, else from a font of this machine.

Fonts of unknown origin are read by fontTools, in pure Python; whatever it makes of a broken one ends in the
stand-in, never in an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

from certs.ofd.font_search import FontShelf
from certs.ofd.fonts import FontFace
from certs.ofd.render.values import format_number

MAX_FONT_BYTES: Final = 48 * 1024 * 1024
MAX_OUTLINE_CHARACTERS: Final = 200_000
_SYMBOL_BASE: Final = 0xF000
_BOLD_MARKS: Final = ("黑", "bold", "hei", "heavy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One glyph: SVG path data in font units, y up, and how many units make an em."""

    key: str
    data: str = field(repr=False)
    units: int


class EmbeddedFont:
    """A font that a document carries. Build it with `open_embedded`."""

    def __init__(self, font: Any, key: str) -> None:
        self._key = key
        self._units = max(int(font["head"].unitsPerEm), 1)
        self._order: list[str] = font.getGlyphOrder()
        self._glyphs = font.getGlyphSet()
        self._maps = [table.cmap for table in font["cmap"].tables] if "cmap" in font else []

    def find(self, character: str) -> Outline | None:
        """Return the outline of a character; None where the font has none."""
        code = ord(character)
        for offset in (0, _SYMBOL_BASE):
            for table in self._maps:
                name = table.get(code + offset)
                if name is not None:
                    return self._outline(name)
        return None

    def find_glyph(self, number: int) -> Outline | None:
        """Return the outline of a glyph by its number in the font."""
        return self._outline(self._order[number]) if 0 <= number < len(self._order) else None

    def _outline(self, name: str) -> Outline | None:
        try:
            data = _draw(self._glyphs, name)
        except Exception:  # a hostile font may raise anything
            return None
        return Outline(key=f"{self._key} {name}", data=data, units=self._units)


def open_embedded(data: bytes, key: str) -> EmbeddedFont | None:
    """Open an embedded font; None where it cannot be used."""
    if len(data) > MAX_FONT_BYTES:
        return None
    try:
        return EmbeddedFont(TTFont(BytesIO(data), lazy=True, fontNumber=0, checkChecksums=0), key)
    except Exception:  # a hostile font may raise anything
        return None


class StandInFont:
    """Fonts of this machine, for text whose font is not embedded."""

    def __init__(self, fonts: FontShelf, *, is_bold: bool) -> None:
        weight = 700 if is_bold else 400
        self._face: FontFace = fonts.face(weight)
        self._weight = weight

    def find(self, character: str) -> Outline | None:
        """Return the outline of a character; None where the font has none."""
        if self._face.find_missing(character):
            return None
        data = self._face.outline_path(character)
        return Outline(
            key=f"standin {self._weight} {ord(character):x}", data=data, units=self._face.metrics.units_per_em
        )


def looks_bold(name: str) -> bool:
    """Tell from a font's name whether its letters are heavy."""
    return any(mark in name.lower() for mark in _BOLD_MARKS)


def _draw(glyphs: Any, name: str) -> str:
    pen = SVGPathPen(glyphs, ntos=format_number)
    glyphs[name].draw(pen)
    data = str(pen.getCommands())
    return data if len(data) <= MAX_OUTLINE_CHARACTERS else ""
