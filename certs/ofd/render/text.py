"""Draw TextObjects: every glyph at its place, by the advances that the document states (chapter 11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.render.canvas import Canvas
from certs.ofd.render.glyphs import EmbeddedFont, Outline, StandInFont
from certs.ofd.render.values import format_number, read_deltas, read_number

_TURNS: Final = {
    90: (0.0, 1.0, -1.0, 0.0),
    180: (-1.0, 0.0, 0.0, -1.0),
    270: (0.0, -1.0, 1.0, 0.0),
}
_BMP_END: Final = 0xFFFF
_SLANT: Final = 0.21


class TextDrawer:
    """Draws the glyphs of one TextObject with one font."""

    def __init__(
        self, element: Element, canvas: Canvas, *, embedded: EmbeddedFont | None, standin: StandInFont | None
    ) -> None:
        self._element = element
        self._canvas = canvas
        self._embedded = embedded
        self._standin = standin
        self._size = read_number(element.get("Size"), 3.7)
        self._stretch = read_number(element.get("HScale"), 1.0)
        self._turn = int(read_number(element.get("CharDirection"), 0)) % 360
        self._slants = element.get("Italic", "").lower() == "true" and embedded is None

    def draw(self) -> None:
        """Draw every glyph."""
        x = y = 0.0
        outlines = self._transformed()
        first = 0
        for code in self._element.findall("TextCode"):
            x, y = read_number(code.get("X"), x), read_number(code.get("Y"), y)
            text = (code.text or "").replace("\r", "").replace("\n", "")
            for number, (across, down) in enumerate(_places(code, text)):
                outline, is_given = outlines.get(first + number, (None, False))
                if not is_given:
                    outline = self._find(text[number])
                if outline is not None and outline.data:
                    self._place(outline, x + across, y + down)
            first += len(text)

    def _find(self, character: str) -> Outline | None:
        if character.isspace():
            return None
        for font in (self._embedded, self._standin):
            outline = None if font is None else font.find(character)
            if outline is not None:
                return outline
        self._canvas.note(f"no font has the character U+{ord(character):04X}")
        return None

    def _transformed(self) -> dict[int, tuple[Outline | None, bool]]:
        """Read CGTransform: glyph numbers that stand for characters; the rest of a group shows nothing."""
        found: dict[int, tuple[Outline | None, bool]] = {}
        if self._embedded is None:
            return found
        for each in self._element.findall("CGTransform"):
            start = int(read_number(each.get("CodePosition"), 0))
            count = min(max(int(read_number(each.get("CodeCount"), 1)), 1), 10_000)
            glyphs = (each.findtext("Glyphs") or "").split()[:10_000]
            for number in range(count):
                given = int(read_number(glyphs[number], -1)) if number < len(glyphs) else -1
                found[start + number] = (self._embedded.find_glyph(given), True)
        return found

    def _place(self, outline: Outline, x: float, y: float) -> None:
        scale = self._size / outline.units
        slant = self._size * _SLANT / outline.units if self._slants else 0.0
        matrix = (scale * self._stretch, 0.0, slant, -scale)
        if self._turn in _TURNS:
            a, b, c, d = _TURNS[self._turn]
            matrix = (
                a * matrix[0] + c * matrix[1],
                b * matrix[0] + d * matrix[1],
                a * matrix[2] + c * matrix[3],
                b * matrix[2] + d * matrix[3],
            )
        reference = self._canvas.define(f"glyph {outline.key}", f'd="{outline.data}"')
        factors = [f"{value:.8f}".rstrip("0").rstrip(".") for value in matrix]
        written = " ".join([*factors, format_number(x), format_number(y)])
        self._canvas.draw(f'<use xlink:href="#{reference}" transform="matrix({written})"/>')


def _places(code: Element, text: str) -> Iterator[tuple[float, float]]:
    """Yield where each character stands, from the start of its TextCode.

    Producers count characters outside the BMP as one or as two; both are understood.
    """
    across, down = read_deltas(code.get("DeltaX")), read_deltas(code.get("DeltaY"))
    units = sum(2 if ord(each) > _BMP_END else 1 for each in text)
    counts_units = units > len(text) and max(len(across), len(down)) == units - 1
    x = y = 0.0
    position = 0
    for character in text:
        yield x, y
        for _ in range(2 if counts_units and ord(character) > _BMP_END else 1):
            x += _at(across, position)
            y += _at(down, position)
            position += 1


def _at(deltas: list[float], position: int) -> float:
    if not deltas:
        return 0.0
    return deltas[min(position, len(deltas) - 1)]
