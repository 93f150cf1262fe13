"""What stands on a page: texts, paths and pictures, in millimetres from the top left corner of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from certs.ofd.fonts import FontFace

Colour = tuple[int, int, int]
Command = tuple[str | float, ...]
"""One step of a path: ("M", x, y), ("L", x, y), ("B", x1, y1, x2, y2, x, y) or ("C",) to close."""

BLACK: Final[Colour] = (0, 0, 0)
_ARC: Final = 0.5522847498
"""How far the handles of a quarter circle reach, as a share of its radius."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of text, begun by the pen at `x` on `baseline`; `spacing` follows each character."""

    text: str
    x: float
    baseline: float
    size: float
    face: FontFace
    colour: Colour = BLACK
    spacing: float = 0.0

    @property
    def advances(self) -> list[float]:
        """How far each character moves the pen."""
        advances = self.face.advances(self.text, self.size)
        return [advance + self.spacing for advance in advances] if self.spacing else advances


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Lines and curves; a colour of None leaves out the stroke or the filling."""

    commands: tuple[Command, ...]
    stroke: Colour | None = None
    fill: Colour | None = None
    line_width: float = 0.353
    even_odd: bool = False
    alpha: int = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A PNG or JPEG picture in a box."""

    data: bytes = field(repr=False)
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PreparedPath:
    """A path that was written once and is drawn on many pages: its XML from behind the ID."""

    rest: str = field(repr=False)


PageObject = Text | Path | PreparedPath | Picture


def rectangle(x: float, y: float, width: float, height: float) -> tuple[Command, ...]:
    """Outline a rectangle."""
    return (
        ("M", x, y),
        ("L", x + width, y),
        ("L", x + width, y + height),
        ("L", x, y + height),
        ("C",),
    )


def circle(x: float, y: float, radius: float) -> tuple[Command, ...]:
    """Outline a circle by four curves."""
    reach = radius * _ARC
    return (
        ("M", x + radius, y),
        ("B", x + radius, y + reach, x + reach, y + radius, x, y + radius),
        ("B", x - reach, y + radius, x - radius, y + reach, x - radius, y),
        ("B", x - radius, y - reach, x - reach, y - radius, x, y - radius),
        ("B", x + reach, y - radius, x + radius, y - reach, x + radius, y),
        ("C",),
    )


def bounds_of(commands: Iterable[Command]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of all points of a path, handles included."""
    xs: list[float] = []
    ys: list[float] = []
    for command in commands:
        values = [float(value) for value in command[1:]]
        xs += values[0::2]
        ys += values[1::2]
    return min(xs), min(ys), max(xs), max(ys)
