"""How an object is drawn: its own attributes over its drawing parameters over those of its layer (8.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.render.resources import Resources
from certs.ofd.render.values import format_number, read_number, read_numbers

_DEFAULT_LINE_MM: Final = 0.353
_MAX_CHAIN: Final = 8
_JOINS: Final = {"Miter": "miter", "Round": "round", "Bevel": "bevel"}
_CAPS: Final = {"Butt": "butt", "Round": "round", "Square": "square"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Lines and colours; a colour of None is left to the kind of object."""

    line_width: float = _DEFAULT_LINE_MM
    join: str = "miter"
    cap: str = "butt"
    miter: float = 4.234
    dashes: tuple[float, ...] = ()
    dash_offset: float = 0.0
    fill: Element | None = field(default=None, repr=False)
    stroke: Element | None = field(default=None, repr=False)

    def stroke_attributes(self) -> str:
        """Write everything about the line but its colour."""
        written = f' stroke-width="{format_number(self.line_width)}"'
        if self.join != "miter":
            written += f' stroke-linejoin="{self.join}"'
        else:
            written += f' stroke-miterlimit="{format_number(max(1.0, self.miter))}"'
        if self.cap != "butt":
            written += f' stroke-linecap="{self.cap}"'
        if self.dashes and all(each >= 0 for each in self.dashes) and sum(self.dashes) > 0:
            written += f' stroke-dasharray="{" ".join(map(format_number, self.dashes))}"'
            written += f' stroke-dashoffset="{format_number(self.dash_offset)}"'
        return written


DEFAULT_STYLE: Final = Style()


def resolve_style(element: Element, inherited: Style, resources: Resources) -> Style:
    """Lay an element's drawing parameters and own attributes over what it inherits."""
    style = inherited
    for parameter in reversed(_parameters(element.get("DrawParam"), resources)):
        style = _overlay(parameter, style)
    return _overlay(element, style)


def _parameters(reference: str | None, resources: Resources) -> list[Element]:
    """Follow a reference and the `Relative` of each parameter; nearest first."""
    chain: list[Element] = []
    while reference and reference in resources and len(chain) < _MAX_CHAIN:
        element = resources[reference].element
        if element.tag != "DrawParam" or element in chain:
            break
        chain.append(element)
        reference = element.get("Relative")
    return chain


def _overlay(element: Element, style: Style) -> Style:
    fill, stroke = element.find("FillColor"), element.find("StrokeColor")
    dashes = element.get("DashPattern")
    return replace(
        style,
        line_width=max(0.0, read_number(element.get("LineWidth"), style.line_width)),
        join=_JOINS.get(element.get("Join", ""), style.join),
        cap=_CAPS.get(element.get("Cap", ""), style.cap),
        miter=read_number(element.get("MiterLimit"), style.miter),
        dashes=style.dashes if dashes is None else tuple(read_numbers(dashes)[:32]),
        dash_offset=read_number(element.get("DashOffset"), style.dash_offset),
        fill=style.fill if fill is None else fill,
        stroke=style.stroke if stroke is None else stroke,
    )
