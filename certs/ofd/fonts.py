"""Find a Chinese font, measure text with it, and cut out the glyphs that a document shows.

Any outline font will do: TrueType, OpenType with cubic curves, collections, and variable fonts, which are
set to the weight that is asked for. What comes out is always a small static TrueType font.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from fontTools.pens.boundsPen import ControlBoundsPen
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont

from certs.ofd.errors import GlyphMissing
from certs.ofd.truetype import FaceMetrics, GlyphOutline, build_truetype
from core.errors import FieldError

REGULAR: Final = 400
BOLD: Final = 700
NOTDEF: Final = ".notdef"
_CURVE_TOLERANCE: Final = 0.001
"""How far a quadratic may leave the cubic that it replaces, as a share of the em."""
_SIMPLIFIED_MARKS: Final = ("SC", "CN", "GB", "Hans")


class FontFace:
    """One face of a font at one weight. Safe to share between threads."""

    def __init__(self, font: Any, *, weight: int) -> None:
        self._font = font
        self._cmap: dict[int, str] = font.getBestCmap() or {}
        self._location = _locate(font, weight)
        self._glyph_set = font.getGlyphSet(location=self._location)
        self._lock = threading.Lock()
        self._outlines: dict[str, GlyphOutline] = {}
        self._units: dict[str, float] = {}
        self._known: dict[str, GlyphOutline] = {}
        head, hhea = font["head"], font["hhea"]
        self.metrics = FaceMetrics(
            family=_family_of(font),
            weight=weight,
            units_per_em=head.unitsPerEm,
            ascent=hhea.ascent,
            descent=hhea.descent,
        )

    @property
    def family(self) -> str:
        """The font's family name."""
        return self.metrics.family

    @property
    def weight(self) -> int:
        """The weight that was asked for: 400 regular, 700 bold."""
        return self.metrics.weight

    def advances(self, text: str, size_mm: float) -> list[float]:
        """Return how far each character moves the pen, in millimetres. Raises GlyphMissing."""
        units = self._units
        try:
            return [units[each] * size_mm for each in text]
        except KeyError:
            return [(units[each] if each in units else self._unit_of(each)) * size_mm for each in text]

    def _unit_of(self, character: str) -> float:
        """Measure a character as a share of the em."""
        unit = self._units[character] = self._outline_of(character).advance / self.metrics.units_per_em
        return unit

    def measure(self, text: str, size_mm: float) -> float:
        """Return the width of a line in millimetres. Raises GlyphMissing."""
        return sum(self.advances(text, size_mm))

    def find_missing(self, text: str) -> str:
        """Return the characters of `text` that this face cannot draw, each once, in order."""
        if self._known.keys() >= set(text):
            return ""
        return "".join(dict.fromkeys(each for each in text if ord(each) not in self._cmap))

    def subset(self, characters: Iterable[str]) -> bytes:
        """Build a TrueType font of these characters; the same characters give the same octets."""
        known = self._known
        shown = sorted(set(characters))
        try:
            outlines = [known[each] for each in shown]
        except KeyError:
            outlines = [known.get(each) or self._outline_of(each) for each in shown]
        return build_truetype(self.metrics, self._outline(NOTDEF), list(map(ord, shown)), outlines)

    def _outline_of(self, character: str) -> GlyphOutline:
        name = self._cmap.get(ord(character))
        if name is None:
            msg = f"the font {self.family} has no glyph for U+{ord(character):04X}"
            raise GlyphMissing(msg)
        found = self._known[character] = self._outline(name)
        return found

    def _outline(self, name: str) -> GlyphOutline:
        found = self._outlines.get(name)
        if found is None:
            with self._lock:
                found = self._outlines[name] = self._draw(name)
        return found

    def _draw(self, name: str) -> GlyphOutline:
        """Draw one glyph at this weight as a simple TrueType glyph."""
        if name not in self._glyph_set:
            return GlyphOutline(data=b"", advance=self.metrics.units_per_em // 2)
        glyph = self._glyph_set[name]
        recording = DecomposingRecordingPen(self._glyph_set)
        glyph.draw(recording)
        pen = TTGlyphPen(None)
        is_cubic = "glyf" not in self._font
        tolerance = self.metrics.units_per_em * _CURVE_TOLERANCE
        recording.replay(Cu2QuPen(pen, tolerance, reverse_direction=True) if is_cubic else pen)
        outline = pen.glyph()
        advance = round(glyph.width)
        if outline.numberOfContours == 0:
            return GlyphOutline(data=b"", advance=advance)
        outline.recalcBounds(None)
        return GlyphOutline(
            data=outline.compile(None, recalcBBoxes=False),
            advance=advance,
            box=(outline.xMin, outline.yMin, outline.xMax, outline.yMax),
            points=len(outline.coordinates),
            contours=outline.numberOfContours,
        )

    def outline_path(self, character: str) -> str:
        """Return a character's outline as SVG path data in font units, y up. Raises GlyphMissing."""
        name = self._cmap.get(ord(character))
        if name is None:
            msg = f"the font {self.family} has no glyph for U+{ord(character):04X}"
            raise GlyphMissing(msg)
        with self._lock:
            pen = SVGPathPen(self._glyph_set)
            self._glyph_set[name].draw(pen)
        return str(pen.getCommands())

    def centre_of(self, character: str) -> tuple[float, float]:
        """Return the middle of a character's ink as a share of the em, from the pen's place, y up."""
        name = self._cmap.get(ord(character), NOTDEF)
        with self._lock:
            pen = ControlBoundsPen(self._glyph_set)
            self._glyph_set[name].draw(pen)
        left, low, right, high = pen.bounds or (0, 0, 0, 0)
        em = self.metrics.units_per_em
        return (left + right) / 2 / em, (low + high) / 2 / em


def require_glyphs(face: FontFace, text: str, *, pointer: str) -> None:
    """Raise GlyphMissing, pointing at the field, where a face cannot draw all of a text."""
    if missing := face.find_missing(text):
        named = " ".join(f"U+{ord(each):04X}" for each in missing[:10])
        detail = f"the font {face.family} has no glyph for {named}"
        raise GlyphMissing(detail, errors=(FieldError(pointer=pointer, code="GLYPH", detail=detail),))


def open_font(path: Path, *, weight: int) -> FontFace:
    """Open a font file at a weight; of a collection, the face for simplified Chinese.

    Raises OSError or fontTools' TTLibError for files that are no fonts.
    """
    if path.suffix.lower() in {".ttc", ".otc"}:
        fonts = TTCollection(path, lazy=True).fonts
        return FontFace(next(filter(_is_simplified, fonts), fonts[0]), weight=weight)
    return FontFace(TTFont(path, lazy=True), weight=weight)


def _is_simplified(font: Any) -> bool:
    words = _family_of(font).split()
    return any(mark in words for mark in _SIMPLIFIED_MARKS) and "Mono" not in words


def _family_of(font: Any) -> str:
    names = font["name"]
    return str(names.getDebugName(16) or names.getDebugName(1) or "Font")[:100]


def _locate(font: Any, weight: int) -> dict[str, float] | None:
    if "fvar" not in font:
        return None
    axes = {axis.axisTag: axis for axis in font["fvar"].axes}
    axis = axes.get("wght")
    return None if axis is None else {"wght": min(max(weight, axis.minValue), axis.maxValue)}
