"""Break text into lines and fit it into boxes, with the real advances of the font.

Chinese is broken between any two characters, save that closing marks never begin a line and opening marks
never end one (GB/T 15834-2011 5.1); runs of Latin letters and digits stay whole where they fit on a line.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from string import ascii_letters, digits
from typing import Final

from certs.ofd.errors import TextOverflow
from certs.ofd.font_chain import FontChain

_CLOSING: Final = frozenset("，。、；：？！）》」』】〕”’…—·％,.;:?!)]}%")
_OPENING: Final = frozenset("（《「『【〔“‘([{")
_JOINED: Final = frozenset(f"{ascii_letters}{digits}@#&+-_/.")
"""Characters of which runs stay whole."""
_STEP: Final = 0.96
"""How much smaller each trial is."""
_SLACK_MM: Final = 1e-6
_ORPHAN_CHARACTERS: Final = 2
_ORPHAN_SHARE: Final = 0.88


class Align(StrEnum):
    """Where a line lies in its box."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


class VerticalAlign(StrEnum):
    """Where a block of lines lies in its box."""

    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


_BEFORE: Final[dict[Align | VerticalAlign, float]] = {
    Align.LEFT: 0.0,
    Align.CENTRE: 0.5,
    Align.RIGHT: 1.0,
    VerticalAlign.TOP: 0.0,
    VerticalAlign.MIDDLE: 0.5,
    VerticalAlign.BOTTOM: 1.0,
}
"""The share of the free room that lies before what is placed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A place on the page, in millimetres."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLine:
    """One line that was placed: pen start and baseline in millimetres."""

    text: str
    x: float
    baseline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedText:
    """A text that was fitted into its box."""

    lines: tuple[FittedLine, ...]
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStyle:
    """How a text is set: sizes in millimetres, `leading` as a multiple of the size.

    `min_size` is how far it may be shrunk to fit. `spacing` is added after each character.
    """

    font: FontChain
    size: float
    min_size: float
    leading: float = 1.4
    spacing: float = 0.0
    align: Align = Align.LEFT
    vertical: VerticalAlign = VerticalAlign.TOP


def fit_text(text: str, box: Box, style: TextStyle, *, subject: str) -> FittedText:
    """Set `text` into `box` at the largest size that fits, from `size` down to `min_size`.

    Line feeds in the text are kept. Raises TextOverflow, which names `subject`, where even the smallest
    size does not fit, and GlyphMissing.
    """
    size = style.size
    while True:
        lines = break_lines(text, width=box.width, size=size, style=style)
        if lines is not None and _block_height(len(lines), size, style) <= box.height + _SLACK_MM:
            lines, size = _avoid_orphan(text, lines, size, box, style)
            return FittedText(lines=_place(lines, box, size, style), size=size)
        if size <= style.min_size:
            msg = (
                f"{subject} is too long for its place on the certificate "
                f"({box.width:g} by {box.height:g} mm, at {style.min_size:g} mm)"
            )
            raise TextOverflow(msg)
        size = max(size * _STEP, style.min_size)


def _avoid_orphan(
    text: str, lines: list[str], size: float, box: Box, style: TextStyle
) -> tuple[list[str], float]:
    """Shrink a little where that keeps one or two characters from standing alone on the last line."""
    least = max(style.min_size, size * _ORPHAN_SHARE)
    trial = size
    while len(lines) > 1 and len(lines[-1]) <= _ORPHAN_CHARACTERS and trial > least:
        trial = max(trial * _STEP, least)
        found = break_lines(text, width=box.width, size=trial, style=style)
        if found is not None and (len(found) < len(lines) or len(found[-1]) > _ORPHAN_CHARACTERS):
            return found, trial
    return lines, size


def break_lines(text: str, *, width: float, size: float, style: TextStyle) -> list[str] | None:
    """Break a text into lines no wider than `width`; None where a single character is wider."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        found = _break_paragraph(paragraph, width, size, style)
        if found is None:
            return None
        lines += found
    return lines


def _break_paragraph(paragraph: str, width: float, size: float, style: TextStyle) -> list[str] | None:
    room = width + _SLACK_MM + style.spacing  # behind the last character of a line there need be none
    if style.font.measure(paragraph, size) + style.spacing * len(paragraph) <= room:
        return [paragraph]
    advances = style.font.advances(paragraph, size)
    if style.spacing:
        advances = [advance + style.spacing for advance in advances]
    if max(advances) > room:
        return None
    reached = [0.0, *accumulate(advances)]
    lines = []
    start = 0
    while start < len(paragraph):
        end = max(bisect_right(reached, reached[start] + room, lo=start) - 1, start + 1)
        if end < len(paragraph):
            end = next((stop for stop in range(end, start, -1) if _may_end(paragraph, stop)), end)
        lines.append(paragraph[start:end].strip(" ") if end < len(paragraph) else paragraph[start:end])
        start = end
    return lines or [""]


def _may_end(paragraph: str, at: int) -> bool:
    """Tell whether a line may end before the character at a place."""
    before, after = paragraph[at - 1], paragraph[at]
    is_within = before in _JOINED and after in _JOINED
    return not (is_within or after in _CLOSING or before in _OPENING)


def _block_height(count: int, size: float, style: TextStyle) -> float:
    return size * (1 + (count - 1) * style.leading)


def _place(lines: list[str], box: Box, size: float, style: TextStyle) -> tuple[FittedLine, ...]:
    """Place lines; a character's body is one em high, with the baseline at 0.88 of it."""
    height = _block_height(len(lines), size, style)
    top = box.y + max(0.0, box.height - height) * _BEFORE[style.vertical]
    before = _BEFORE[style.align]
    placed = []
    for number, line in enumerate(lines):
        width = style.font.measure(line, size) + style.spacing * max(0, len(line) - 1)
        shift = max(0.0, box.width - width) * before
        baseline = top + size * (0.88 + number * style.leading)
        placed.append(FittedLine(text=line, x=box.x + shift, baseline=baseline))
    return tuple(placed)
