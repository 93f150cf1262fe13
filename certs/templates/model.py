"""The template format, version 1: one JSON file lays out one page of a certificate.

`docs/templates.md` describes it for those who write one. Lengths are millimetres from the top left corner of
the page. Unknown keys are refused, and everything that is wrong is said at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from certs.ofd.font_search import FontKind
from certs.ofd.layout import Align, VerticalAlign
from certs.templates.parts import (
    BackgroundPart,
    Colour,
    FieldPart,
    FormPart,
    Label,
    Length,
    Line,
    Millimetres,
    Name,
    Part,
    PhotoPart,
    ValuePart,
)
from certs.templates.patterns import parse_pattern

FORMAT: Final = "shuzheng-certificate-template"
VERSION: Final = 1


class Page(Part):
    """The size of the page."""

    width: Length
    height: Length


class Style(Part):
    """How a text is set. `min_size` is how far it may shrink to fit; without it, it may not shrink."""

    size: Length
    min_size: Length | None = None
    font: FontKind = FontKind.SONG
    weight: Literal[400, 700] = 400
    colour: Colour = "#000000"
    leading: Annotated[float, Field(ge=1, le=4)] = 1.45
    spacing: Annotated[float, Field(ge=0, le=50)] = 0
    align: Align = Align.LEFT
    vertical: VerticalAlign = VerticalAlign.MIDDLE

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_size is not None and self.min_size > self.size:
            msg = "min_size must not be above size"
            raise ValueError(msg)
        return self


class QrPlace(Part):
    """Where the QR code stands: a square of `side`."""

    x: Millimetres
    y: Millimetres
    side: Length


class SealPlace(Part):
    """Where the middle of the seal lies."""

    x: Millimetres
    y: Millimetres


class Template(Part):
    """A whole template. `background` does not depend on the certificate; `fields` show its values."""

    format: Literal["shuzheng-certificate-template"]
    version: Literal[1]
    name: Name
    title: Annotated[str, Field(min_length=1, max_length=100)]
    page: Page
    styles: dict[Name, Style]
    background: Annotated[tuple[BackgroundPart, ...], Field(max_length=500)]
    fields: Annotated[tuple[ValuePart, ...], Field(max_length=200)]
    qr: QrPlace | None = None
    seal: SealPlace

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self._find_styles(), *self._find_overhang()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _find_styles(self) -> Iterator[str]:
        for place, part in self._places():
            for style in _styles_of(part):
                if style not in self.styles:
                    yield f"{place}: the style {style} is not defined"

    def _find_overhang(self) -> Iterator[str]:
        """Name what reaches over the edge of the page."""
        boxes = [(place, getattr(part, "box", None)) for place, part in self._places()]
        if self.qr is not None:
            boxes.append(("qr", (self.qr.x, self.qr.y, self.qr.side, self.qr.side)))
        boxes.append(("seal", (self.seal.x, self.seal.y, 0.0, 0.0)))
        for place, part in self._places():
            if isinstance(part, Line):
                boxes += [(place, (*point, 0.0, 0.0)) for point in (part.start, part.end)]
        for place, box in boxes:
            if box is not None and (box[0] + box[2] > self.page.width or box[1] + box[3] > self.page.height):
                yield f"{place}: reaches over the edge of the page"

    def _places(self) -> Iterator[tuple[str, Any]]:
        for name, parts in (("background", self.background), ("fields", self.fields)):
            for number, part in enumerate(parts):
                yield f"{name}/{number}", part

    def __hash__(self) -> int:
        """Hash by name; templates of one name are told apart by comparing them."""
        return hash((self.name, self.title))

    @property
    def elements(self) -> dict[str, bool]:
        """The metadata elements that the face shows, and whether each is required."""
        found: dict[str, bool] = {}
        for part in self.fields:
            rows = part.rows if isinstance(part, FormPart) else (part,)
            for row in rows:
                found[row.element] = found.get(row.element, False) or row.required
                pattern = None if isinstance(row, PhotoPart) else row.pattern
                for element in parse_pattern(pattern).elements if pattern else ():
                    found.setdefault(element, False)
        return found


def _styles_of(part: object) -> list[str]:
    match part:
        case Label() | FieldPart():
            return [part.style]
        case FormPart():
            own = [row.style for row in part.rows if row.style is not None]
            return [part.label_style, part.value_style, *own]
        case _:
            return []
