"""What rendering takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from core.errors import BadInput

MAX_WATERMARK_CHARACTERS: Final = 120
MAX_WATERMARK_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A text that is repeated over the whole page, slanting: who may use the copy, for what, until when.

    Up to three lines. `opacity` is 0.05 to 0.6. Raises BadInput.
    """

    text: str
    size_mm: float = 5.2
    opacity: float = 0.16
    angle: float = -30.0
    colour: tuple[int, int, int] = (90, 90, 90)

    def __post_init__(self) -> None:
        lines = self.text.split("\n")
        fits = 0 < len(self.text) <= MAX_WATERMARK_CHARACTERS and len(lines) <= MAX_WATERMARK_LINES
        if not (fits and all(line.strip() and line.isprintable() for line in lines)):
            msg = f"a watermark has up to {MAX_WATERMARK_LINES} lines, {MAX_WATERMARK_CHARACTERS} characters"
            raise BadInput(msg)
        if not (2 <= self.size_mm <= 40 and 0.05 <= self.opacity <= 0.6 and abs(self.angle) <= 90):
            msg = "a watermark is 2 to 40 mm high, of opacity 0.05 to 0.6, and turned by at most 90 degrees"
            raise BadInput(msg)

    @property
    def lines(self) -> list[str]:
        """The lines of the text."""
        return [line.strip() for line in self.text.split("\n")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPage:
    """One page as SVG: its size in millimetres, and notes on everything that was left out or replaced."""

    svg: str = field(repr=False)
    width_mm: float
    height_mm: float
    notes: tuple[str, ...]
