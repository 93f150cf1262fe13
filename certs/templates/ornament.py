"""Draw the ornaments of printed certificates: frames of waves or meanders, rosettes, guilloches, ripples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from math import ceil, cos, hypot, pi, sin, tau
from typing import Final

from certs.ofd.objects import Colour, Command, Path, circle, rectangle
from certs.templates.parts import Frame, FrameKind, Guilloche, Ripples

_WAVE_MM: Final = 6.0
_RIPPLE_MM: Final = 17.0
_DRIFT_ROWS: Final = 10
"""After so many rows ripples begin again: blocks that are written alike are packed to next to nothing."""
_HALF_WAVE: Final = 0.3642
"""How far handles reach, as a share of the way, for one curve to be half a wave: a sine to 0.001 of it."""
_QUARTER_WAVE: Final = 0.355
"""The same for petals, of which one curve is a quarter."""
_PETAL_STEPS: Final = 4
_NEAR: Final = 1e-6


def parse_colour(value: str) -> Colour:
    """Read a colour such as #B8860B."""
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def draw_frame(frame: Frame) -> list[Path]:
    """Draw a frame: outer and inner rules, its pattern between them, something fitting in every corner."""
    stroke, band = parse_colour(frame.stroke), frame.band
    paths = []
    if frame.fill is not None:
        outer, inner = rectangle(*frame.box), _turned(*_inset(frame.box, band))
        paths.append(Path(commands=(*outer, *inner), fill=parse_colour(frame.fill), even_odd=True))
    for inset, line in ((0.0, 0.9), (1.1, 0.25), (band - 1.1, 0.25), (band, 0.6)):
        paths.append(Path(commands=rectangle(*_inset(frame.box, inset)), stroke=stroke, line_width=line))
    if frame.pattern is FrameKind.WAVES:
        paths += _draw_waves(frame, stroke)
    elif frame.pattern is FrameKind.FRET:
        paths.append(_draw_fret(frame, stroke))
    return paths


def _turned(x: float, y: float, width: float, height: float) -> tuple[Command, ...]:
    """Outline a rectangle the other way round: readers that know no even-odd rule then see a hole as well."""
    right, foot = x + width, y + height
    return (("M", x, y), ("L", x, foot), ("L", right, foot), ("L", right, y), ("C",))


def _draw_waves(frame: Frame, stroke: Colour) -> list[Path]:
    """Draw three waves along every side, a rosette in every corner; opposite sides are written alike."""
    x, y, width, height = frame.box
    band, half = frame.band, frame.band / 2
    paths = []
    for start, end in _sides(x + half, y + half, width - band, height - band, gap=band * 0.62):
        waves = [_wave(start, end, amplitude=half - 1.6, phase=phase) for phase in (0.0, 1 / 3, 2 / 3)]
        paths.append(Path(commands=tuple(chain(*waves)), stroke=stroke, line_width=0.22))
    for left in (x, x + width - band):
        for top in (y, y + height - band):
            paths += _draw_corner(left + half, top + half, half - 1.3, stroke)
    return paths


_FRET: Final = ((0.0, 1.0), (0.0, 0.0), (0.8, 0.0), (0.8, 0.75), (0.3, 0.75), (0.3, 0.4), (0.52, 0.4))
"""One hook of the meander, as shares of its length and height: in from the foot, round, and to its heart."""


def _draw_fret(frame: Frame, stroke: Colour) -> Path:
    """Draw square hooks along every side, mirrored at its middle, and a square in every corner."""
    x, y, width, height = frame.box
    band = frame.band
    inset, tall = 1.9, band - 3.8
    commands: list[Command] = []
    sides = (
        ((x + band, y + inset), (1.0, 0.0), (0.0, 1.0), width - 2 * band),
        ((x + width - band, y + height - inset), (-1.0, 0.0), (0.0, -1.0), width - 2 * band),
        ((x + inset, y + height - band), (0.0, -1.0), (1.0, 0.0), height - 2 * band),
        ((x + width - inset, y + band), (0.0, 1.0), (-1.0, 0.0), height - 2 * band),
    )
    for start, along, inwards, length in sides:
        hooks = max(2, 2 * round(length / (tall * 1.25) / 2))
        step = length / hooks
        for number in range(hooks):
            is_mirrored = number >= hooks // 2
            for place, (u, v) in enumerate(_FRET):
                share = 1 - u if is_mirrored else u
                far, deep = (number + 0.1 + share * 0.8) * step, v * tall
                point = (
                    start[0] + along[0] * far + inwards[0] * deep,
                    start[1] + along[1] * far + inwards[1] * deep,
                )
                commands.append(("L" if place else "M", *point))
    for left in (x + inset, x + width - band + inset):
        for top in (y + inset, y + height - band + inset):
            for share in (0.0, 0.2, 0.4):
                commands += rectangle(left + tall * share, top + tall * share, *[tall * (1 - 2 * share)] * 2)
    return Path(commands=tuple(commands), stroke=stroke, line_width=0.32)


def _inset(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return box[0] + by, box[1] + by, box[2] - 2 * by, box[3] - 2 * by


Point = tuple[float, float]


def _sides(x: float, y: float, width: float, height: float, *, gap: float) -> Iterator[tuple[Point, Point]]:
    """The middle lines of the four sides, stopping `gap` short of the corners."""
    yield (x + gap, y), (x + width - gap, y)
    yield (x + gap, y + height), (x + width - gap, y + height)
    yield (x, y + gap), (x, y + height - gap)
    yield (x + width, y + gap), (x + width, y + height - gap)


def _wave(start: Point, end: Point, *, amplitude: float, phase: float) -> list[Command]:
    """Draw half waves of whole lengths, as many as come next to the way; they share what is left of it."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    waves = max(1, round(2 * length / _WAVE_MM)) / 2
    along = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    rest = (length - waves * _WAVE_MM) / 2

    def point(share: float) -> Point:
        far, off = rest + share * waves * _WAVE_MM, amplitude * cos(tau * (phase + waves * share))
        return start[0] + along[0] * far - along[1] * off, start[1] + along[1] * far + along[0] * off

    return _trace(point, _turns(waves, phase), reach=_HALF_WAVE)


def _turns(waves: float, phase: float) -> list[float]:
    """Return where a cosine of so many waves turns, as shares of its way, with both ends."""
    first, last = ceil(2 * phase + 1e-9), ceil(2 * (phase + waves) - 1e-9)
    return [0.0, *((turn / 2 - phase) / waves for turn in range(first, last)), 1.0]


def _draw_corner(x: float, y: float, radius: float, stroke: Colour) -> list[Path]:
    def petal(share: float) -> Point:
        angle = tau * share
        reach = radius * (0.62 + 0.38 * cos(8 * angle))
        return x + reach * cos(angle), y + reach * sin(angle)

    rings = (*circle(x, y, radius), *circle(x, y, radius * 0.24))
    return [
        Path(commands=rings, stroke=stroke, line_width=0.25),
        Path(commands=tuple(_trace(petal, _even(8 * _PETAL_STEPS))), stroke=stroke, line_width=0.22),
    ]


def draw_ripples(part: Ripples) -> list[Path]:
    """Draw rows of fine waves whose phase drifts from row to row, in blocks of rows."""
    x, y, width, height = part.box
    amplitude = part.step * 0.55
    rows = max(1, int((height - 2 * amplitude) / part.step))
    step, waves = (height - 2 * amplitude) / rows, width / _RIPPLE_MM
    blocks: list[list[Command]] = []
    for row in range(rows + 1):
        level = y + amplitude + row * step
        phase = row % _DRIFT_ROWS / _DRIFT_ROWS

        def point(share: float, level: float = level, phase: float = phase) -> Point:
            swell = 0.55 + 0.45 * sin(tau * (share * 1.5 + phase))
            return x + width * share, level + amplitude * swell * cos(tau * (share * waves + phase))

        if row % _DRIFT_ROWS == 0:
            blocks.append([])
        blocks[-1] += _trace(point, _turns(waves, phase), reach=_HALF_WAVE)
    stroke = parse_colour(part.stroke)
    return [Path(commands=tuple(block), stroke=stroke, line_width=part.line_width) for block in blocks]


def draw_guilloche(part: Guilloche) -> Path:
    """Draw a rosette of two families of closed curves that cross each other."""
    commands: list[Command] = []
    for petals, depth, turns in ((11, 0.22, 4), (7, 0.34, 8)):
        for turn in range(turns):
            rosette = _rosette(part, petals=petals, depth=depth, turn=turn * pi / 44)
            commands += _trace(rosette, _even(petals * _PETAL_STEPS))
    return Path(commands=tuple(commands), stroke=parse_colour(part.stroke), line_width=part.line_width)


def _rosette(part: Guilloche, *, petals: int, depth: float, turn: float) -> Callable[[float], Point]:
    x, y = part.centre

    def point(share: float) -> Point:
        angle = tau * share - 2 * turn
        reach = part.radius * (1 - depth + depth * cos(petals * tau * share))
        return x + reach * cos(angle), y + reach * sin(angle)

    return point


def _even(steps: int) -> list[float]:
    return [step / steps for step in range(steps + 1)]


def _trace(
    point: Callable[[float], Point], places: Sequence[float], *, reach: float = _QUARTER_WAVE
) -> list[Command]:
    """Follow a smooth line by cubic curves, which touch it at `places` and run along it there."""
    last, before = point(places[0]), _slope(point, places[0])
    commands: list[Command] = [("M", *last)]
    for start, end in pairwise(places):
        place, slope = point(end), _slope(point, end)
        far = (end - start) * reach
        commands.append(
            (
                "B",
                last[0] + before[0] * far,
                last[1] + before[1] * far,
                place[0] - slope[0] * far,
                place[1] - slope[1] * far,
                *place,
            )
        )
        last, before = place, slope
    return commands


def _slope(point: Callable[[float], Point], share: float) -> Point:
    before, after = point(share - _NEAR), point(share + _NEAR)
    return (after[0] - before[0]) / (2 * _NEAR), (after[1] - before[1]) / (2 * _NEAR)
