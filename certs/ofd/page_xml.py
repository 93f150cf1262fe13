"""Write page objects as XML (GB/T 33190-2016 chapters 8, 9 and 11)."""

from __future__ import annotations

from itertools import groupby

from certs.ofd.objects import Colour, Path, Picture, PreparedPath, Text, bounds_of
from certs.ofd.xml_writer import Attributes, element, number, numbers, text


def text_xml(item: Text, *, object_id: int, font_id: int) -> str:
    """Write a TextObject: its box from ascent to descent, the pen on the baseline."""
    metrics = item.face.metrics
    above = item.size * metrics.ascent / metrics.units_per_em
    below = -item.size * metrics.descent / metrics.units_per_em
    advances = item.advances
    attributes: Attributes = {
        "ID": object_id,
        "Boundary": numbers((item.x, item.baseline - above, max(sum(advances), 0.1), above + below)),
        "Font": font_id,
        "Size": number(item.size),
        "Weight": item.face.weight if item.face.weight >= 600 else None,
    }
    return element(
        "TextObject", attributes, _colour("FillColor", item.colour), *_text_codes(item, advances, above)
    )


def _text_codes(item: Text, advances: list[float], baseline: float) -> list[str]:
    """Write one TextCode, or several where characters outside the BMP must stand alone.

    Readers count such characters as one or as two, so none of them may share a list of advances.
    """
    codes = []
    x = 0.0
    pairs = list(zip(item.text, advances, strict=True))
    numbered = [(index if ord(pair[0]) > 0xFFFF else -1, pair) for index, pair in enumerate(pairs)]
    for _, group in groupby(numbered, key=lambda each: each[0]):
        members = [pair for _, pair in group]
        attributes: Attributes = {
            "X": number(x),
            "Y": number(baseline),
            "DeltaX": _deltas([m[1] for m in members[:-1]]),
        }
        codes.append(element("TextCode", attributes, text("".join(m[0] for m in members))))
        x += sum(member[1] for member in members)
    return codes


def _deltas(advances: list[float]) -> str | None:
    """Write n-1 advances for n characters; runs of equal ones as `g count value`."""
    if not advances:
        return None
    parts = []
    for value, group in groupby(number(advance) for advance in advances):
        count = len(list(group))
        parts.append(f"g {count} {value}" if count > 2 else " ".join([value] * count))
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


def _colour(name: str, colour: Colour | None) -> str:
    return "" if colour is None else element(name, {"Value": " ".join(map(str, colour))})
