"""Turn colours of OFD into paints of SVG: plain ones, and shadings along an axis or round a centre (8.3)."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.render.canvas import Canvas
from certs.ofd.render.resources import Resources
from certs.ofd.render.values import format_number, read_number, read_numbers
from certs.ofd.xml_reader import text_of

_MAX_SEGMENTS: Final = 64
_SPREADS: Final = {"Repeat": "repeat", "Reflect": "reflect"}


def write_paint(name: str, colour: Element | None, canvas: Canvas, resources: Resources) -> str:
    """Write the attributes that paint with a colour; `name` is `fill` or `stroke`, no colour means black."""
    if colour is None:
        return f' {name}="#000"'
    for kind, writer in (("AxialShd", _write_axial), ("RadialShd", _write_radial)):
        shading = colour.find(kind)
        if shading is not None:
            return f' {name}="url(#{writer(shading, canvas, resources)})"' + _opacity(name, colour)
    if colour.find("Pattern") is not None or any(child.tag.endswith("GouraudShd") for child in colour):
        canvas.note("a pattern or mesh shading was drawn as plain grey")
        return f' {name}="#999"'
    return f' {name}="{read_colour(colour, resources)}"' + _opacity(name, colour)


def _opacity(name: str, colour: Element) -> str:
    alpha = min(max(read_number(colour.get("Alpha"), 255), 0), 255)
    return "" if alpha == 255 else f' {name}-opacity="{format_number(alpha / 255)}"'


def read_colour(colour: Element, resources: Resources) -> str:
    """Read a plain colour as #rrggbb: RGB, grey or CMYK, by its colour space or number of values."""
    space = resources.get(colour.get("ColorSpace", ""))
    kind = space.element.get("Type", "RGB").upper() if space is not None else ""
    bits = read_number(space.element.get("BitsPerComponent"), 8) if space is not None else 8
    values = _read_components(colour, space.element if space is not None else None)
    top = float(2 ** min(max(bits, 1), 16) - 1)
    shares = [min(max(value / top, 0.0), 1.0) for value in values]
    if kind == "GRAY" or (not kind and len(shares) == 1):
        shares = shares[:1] * 3
    elif kind == "CMYK" or len(shares) == 4:
        cyan, magenta, yellow, black = (*shares, 0.0, 0.0, 0.0, 0.0)[:4]
        shares = [(1 - ink) * (1 - black) for ink in (cyan, magenta, yellow)]
    if len(shares) < 3:
        shares = [0.0, 0.0, 0.0]
    return "#" + "".join(f"{round(share * 255):02x}" for share in shares[:3])


def _read_components(colour: Element, space: Element | None) -> list[float]:
    written = colour.get("Value")
    index = int(read_number(colour.get("Index"), -1))
    if written is None and space is not None and index >= 0:
        entries = space.findall("Palette/CV")
        written = text_of(entries[index]) if index < len(entries) else None
    if written and "#" in written:
        parts = [part.strip("#") for part in written.split()]
        return [float(int(part, 16)) if _is_hex(part) else 0.0 for part in parts]
    return read_numbers(written)


def _is_hex(part: str) -> bool:
    return 0 < len(part) <= 4 and all(each in "0123456789abcdefABCDEF" for each in part)


def _write_axial(shading: Element, canvas: Canvas, resources: Resources) -> str:
    x1, y1, x2, y2 = (*_point(shading, "StartPoint"), *_point(shading, "EndPoint"))
    place = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
    return _define_gradient("linearGradient", place, shading, canvas, resources)


def _write_radial(shading: Element, canvas: Canvas, resources: Resources) -> str:
    fx, fy = _point(shading, "StartPoint")
    cx, cy = _point(shading, "EndPoint")
    radius = format_number(max(read_number(shading.get("EndRadius"), 1), 0.001))
    place = f'fx="{fx}" fy="{fy}" cx="{cx}" cy="{cy}" r="{radius}"'
    return _define_gradient("radialGradient", place, shading, canvas, resources)


def _define_gradient(element: str, place: str, shading: Element, canvas: Canvas, resources: Resources) -> str:
    spread = _SPREADS.get(shading.get("MapType", ""), "pad")
    segments = shading.findall("Segment")[:_MAX_SEGMENTS]
    stops = []
    for number, segment in enumerate(segments):
        colour = segment.find("Color")
        default = number / max(len(segments) - 1, 1)
        offset = min(max(read_number(segment.get("Position"), default), 0), 1)
        value = "#000" if colour is None else read_colour(colour, resources)
        stops.append(f'<stop offset="{format_number(offset)}" stop-color="{value}"/>')
    content = f'gradientUnits="userSpaceOnUse" spreadMethod="{spread}" {place}>{"".join(stops)}'
    return canvas.define(f"{element} {content}", content, element=element)


def _point(shading: Element, name: str) -> tuple[str, str]:
    values = [*read_numbers(shading.get(name)), 0.0, 0.0]
    return format_number(values[0]), format_number(values[1])
