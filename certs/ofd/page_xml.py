"""Write page objects as XML (GB/T 33190-2016 chapters 8, 9 and 11)."""

from __future__ import annotations

import functools
from itertools import groupby
from typing import Final

from certs.ofd.objects import Colour, Path, Picture, PreparedPath, Text, bounds_of
from certs.ofd.xml_writer import Attributes, element, number, numbers, text

_BMP_END: Final = "\uffff"


def text_xml(item: Text, *, object_id: int, font_id: int) -> str:
    """Write a TextObject: its box from ascent to descent, the pen on the baseline."""
    return f'<ofd:TextObject ID="{object_id}" Font="{font_id}"{_text_rest(item)}'


@functools.lru_cache(maxsize=4096)
def _text_rest(item: Text) -> str:
    """Write a text but for the numbers that a document gives it; many certificates show the same words."""
    metrics = item.face.metrics
    above = item.size * metrics.ascent / metrics.units_per_em
    below = -item.size * metrics.descent / metrics.units_per_em
    advances = item.advances
    box = numbers((item.x, item.baseline - above, max(sum(advances), 0.1), above + below))
    weight = f' Weight="{item.face.weight}"' if item.face.weight >= 600 else ""
    codes = "".join(_text_codes(item, advances, above))
    colour = _colour("FillColor", item.colour)
    return f' Boundary="{box}" Size="{number(item.size)}"{weight}>{colour}{codes}</ofd:TextObject>'


def _text_codes(item: Text, advances: list[float], baseline: float) -> list[str]:
    """Write one TextCode, or several where characters outside the BMP must stand alone.

    Readers count such characters as one or as two, so none of them may share a list of advances.
    """
    if max(item.text, default="") <= _BMP_END:
        return [_text_code(item.text, advances, 0.0, baseline)]
    codes = []
    x = 0.0
    pairs = list(zip(item.text, advances, strict=True))
    numbered = [(index if pair[0] > _BMP_END else -1, pair) for index, pair in enumerate(pairs)]
    for _, group in groupby(numbered, key=lambda each: each[0]):
        characters, moves = zip(*(pair for _, pair in group), strict=True)
        codes.append(_text_code("".join(characters), list(moves), x, baseline))
        x += sum(moves)
    return codes


def _text_code(characters: str, advances: list[float], x: float, y: float) -> str:
    deltas = _deltas(advances[:-1])
    moves = f' DeltaX="{deltas}"' if deltas else ""
    return f'<ofd:TextCode X="{number(x)}" Y="{number(y)}"{moves}>{text(characters)}</ofd:TextCode>'


def _deltas(advances: list[float]) -> str:
    """Write n-1 advances for n characters; runs of equal ones as `g count value`."""
    count = len(advances)
    if count > 2 and advances.count(advances[0]) == count:
        return f"g {count} {number(advances[0])}"
    parts: list[str] = []
    start = 0
    while start < count:
        advance, end = advances[start], start + 1
        while end < count and advances[end] == advance:
            end += 1
        run, value = end - start, number(advance)
        parts += (f"g {run} {value}",) if run > 2 else (value,) * run
        start = end
    return " ".join(parts)


def path_xml(item: Path | PreparedPath, *, object_id: int) -> str:
    """Write a PathObject; its box holds all points and the width of the line."""
    prepared = prepare_path(item) if isinstance(item, Path) else item
    return f'<ofd:PathObject ID="{object_id}"{prepared.rest}'


def prepare_path(item: Path) -> PreparedPath:
    """Write a path but for its ID, for drawing it again and again."""
    left, top, right, bottom = bounds_of(item.commands)
    margin = item.line_width / 2 if item.stroke is not None else 0.0
    left, top = left - margin, top - margin
    box = (left, top, max(right + margin - left, 0.001), max(bottom + margin - top, 0.001))
    attributes: Attributes = {
        "Boundary": numbers(box),
        "LineWidth": number(item.line_width) if item.stroke is not None else None,
        "Stroke": "true" if item.stroke is not None else "false",
        "Fill": "true" if item.fill is not None else "false",
        "Rule": "Even-Odd" if item.even_odd else None,
        "Alpha": item.alpha if item.alpha != 255 else None,
    }
    written = element(
        "PathObject",
        attributes,
        _colour("StrokeColor", item.stroke),
        _colour("FillColor", item.fill),
        element("AbbreviatedData", None, _path_data(item, left, top)),
    )
    return PreparedPath(written.removeprefix("<ofd:PathObject"))


def _path_data(item: Path, left: float, top: float) -> str:
    """Write the steps of a path, to a hundredth of a millimetre: finer than any printer."""
    parts = []
    for command in item.commands:
        parts.append(str(command[0]))
        for index, value in enumerate(command[1:]):
            shifted = float(value) - (top if index % 2 else left)
            written = f"{shifted:.2f}".rstrip("0").rstrip(".")
            parts.append("0" if written == "-0" else written)
    return " ".join(parts)


def picture_xml(item: Picture, *, object_id: int, resource_id: int) -> str:
    """Write an ImageObject; its CTM stretches the unit square over the box."""
    attributes: Attributes = {
        "ID": object_id,
        "Boundary": numbers((item.x, item.y, item.width, item.height)),
        "ResourceID": resource_id,
        "CTM": numbers((item.width, 0, 0, item.height, 0, 0)),
    }
    return element("ImageObject", attributes)


@functools.lru_cache(maxsize=1024)
def _colour(name: str, colour: Colour | None) -> str:
    return "" if colour is None else element(name, {"Value": " ".join(map(str, colour))})
