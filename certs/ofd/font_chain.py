"""Several faces as one: text is set in the first, and characters that it lacks in the next that has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from certs.ofd.errors import GlyphMissing
from certs.ofd.fonts import FontFace
from core.errors import FieldError


class FontChain:
    """A face with its stand-ins, in order. Safe to share between threads."""

    def __init__(self, faces: Sequence[FontFace]) -> None:
        self._faces = tuple(dict.fromkeys(faces))
        self._places: dict[str, int] = {}
        self._units: dict[str, float] = {}
        self._firsts: set[str] = set()

    @property
    def first(self) -> FontFace:
        """The face that text is set in where it can be."""
        return self._faces[0]

    def find_missing(self, text: str) -> str:
        """Return the characters of `text` that no face can draw, each once, in order."""
        if self._firsts.issuperset(text):
            return ""
        for face in self._faces:
            text = face.find_missing(text)
        return text

    def advances(self, text: str, size_mm: float) -> list[float]:
        """Return how far each character moves the pen, in millimetres. Raises GlyphMissing."""
        units = self._units
        try:
            return [units[each] * size_mm for each in text]
        except KeyError:
            return [(units[each] if each in units else self._unit_of(each)) * size_mm for each in text]

    def _unit_of(self, character: str) -> float:
        """Measure a character as a share of the em."""
        unit = self._units[character] = self._face_of(character).measure(character, 1.0)
        return unit

    def measure(self, text: str, size_mm: float) -> float:
        """Return the width of a line in millimetres. Raises GlyphMissing."""
        try:
            return sum(map(self._units.__getitem__, text)) * size_mm
        except KeyError:
            return sum(self.advances(text, size_mm))

    def runs(self, text: str) -> list[tuple[FontFace, str]]:
        """Split a text into pieces of one face each. Raises GlyphMissing."""
        if text and self._firsts.issuperset(text):
            return [(self._faces[0], text)]
        pairs = [(self._face_of(each), each) for each in text]
        return [
            (next(face for face, _ in members), "".join(character for _, character in members))
            for _, group in groupby(pairs, key=lambda pair: id(pair[0]))
            for members in [list(group)]
        ]

    def require_glyphs(self, text: str, *, pointer: str) -> None:
        """Raise GlyphMissing, pointing at the field and naming the characters that no face can draw."""
        if missing := self.find_missing(text):
            named = ", ".join(_name(each) for each in missing[:10])
            detail = (
                f"no font of this hub can draw {named}; put a font that has it into the folder named by "
                "SHUZHENG_FONT_FOLDER"
            )
            raise GlyphMissing(detail, errors=(FieldError(pointer=pointer, code="GLYPH", detail=detail),))

    def _face_of(self, character: str) -> FontFace:
        place = self._places.get(character)
        if place is None:
            found = (n for n, face in enumerate(self._faces) if not face.find_missing(character))
            place = self._places[character] = next(found, -1)
            if place == 0:
                self._firsts.add(character)
        return self._faces[max(place, 0)]  # where none has it, the first says so


def _name(character: str) -> str:
    """Name a character, showing it where that is safe: `𠮷 (U+20BB7)`."""
    code = f"U+{ord(character):04X}"
    return f"{character} ({code})" if character.isprintable() and not character.isspace() else code
