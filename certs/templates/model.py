"""The template format, version 1: one JSON file lays out one page of a certificate.

Lengths are millimetres from the top left corner of the page. Unknown keys are refused.

    {
      "format": "shuzheng-certificate-template", "version": 1,
      "name": "business-licence", "title": "营业执照",
      "page": {"width": 297, "height": 210},
      "styles": {"label": {"size": 5, "weight": 700}},
      "background": [{"kind": "frame", …}, {"kind": "label", …}],
      "fields":     [{"kind": "field", "element": "CZZT", …}],
      "qr":   {"x": 38, "y": 150, "side": 26},
      "seal": {"x": 225, "y": 158}
    }

`background` does not depend on the certificate; `fields` show metadata elements by their short names of
GB/T 36903 (`CZZT`, `KZ_JYFW`, …), and each is tagged with that name in the file.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from certs.ofd.layout import Align, VerticalAlign

FORMAT: Final = "shuzheng-certificate-template"
VERSION: Final = 1

Millimetres = Annotated[float, Field(ge=0, le=2000, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=2000, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
Element = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,59}$")]
Colour = Annotated[str, Field(pattern=r"^#[0-9A-F]{6}$")]
BoxSides = tuple[Millimetres, Millimetres, Length, Length]
"""Left, top, width, height."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(_Part):
    """The size of the page."""

    width: Length
    height: Length


class Style(_Part):
    """How a text is set. `min_size` is how far it may shrink to fit; without it, it may not shrink."""

    size: Length
    min_size: Length | None = None
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


class Label(_Part):
    """A fixed text. Justified labels are spread over the width of their box, as on printed forms."""

    kind: Literal["label"]
    text: Annotated[str, Field(min_length=1, max_length=500)]
    box: BoxSides
    style: Name
    justify: bool = False


class Rectangle(_Part):
    """A rectangle, filled or outlined or both."""

    kind: Literal["rectangle"]
    box: BoxSides
    stroke: Colour | None = None
    fill: Colour | None = None
    line_width: Length = 0.35


class Line(_Part):
    """A straight line."""

    kind: Literal["line"]
    start: tuple[Millimetres, Millimetres]
    end: tuple[Millimetres, Millimetres]
    stroke: Colour = "#000000"
    line_width: Length = 0.35


class Frame(_Part):
    """An ornamental border: two rules and, between them, a band of interlaced waves with corner rosettes."""

    kind: Literal["frame"]
    box: BoxSides
    band: Length = 9
    stroke: Colour = "#B8860B"
    fill: Colour | None = None


class Guilloche(_Part):
    """A pale rosette of fine lines behind the text, against copying."""

    kind: Literal["guilloche"]
    centre: tuple[Millimetres, Millimetres]
    radius: Length
    stroke: Colour = "#F0E4C8"
    line_width: Length = 0.12


BackgroundPart = Annotated[Label | Rectangle | Line | Frame | Guilloche, Field(discriminator="kind")]


class FieldPart(_Part):
    """A metadata element on the face of the certificate.

    `format` writes dates as `2026年11月24日`; `absent` is shown where the certificate lacks the element. A
    `required` element must be there.
    """

    kind: Literal["field"]
    element: Element
    box: BoxSides
    style: Name
    format: Literal["text", "date"] = "text"
    prefix: Annotated[str, Field(max_length=100)] = ""
    suffix: Annotated[str, Field(max_length=100)] = ""
    absent: Annotated[str, Field(max_length=100)] = ""
    required: bool = False


class QrPlace(_Part):
    """Where the QR code stands: a square of `side`."""

    x: Millimetres
    y: Millimetres
    side: Length


class SealPlace(_Part):
    """Where the middle of the seal lies."""

    x: Millimetres
    y: Millimetres


class Template(_Part):
    """A whole template."""

    format: Literal["shuzheng-certificate-template"]
    version: Literal[1]
    name: Name
    title: Annotated[str, Field(min_length=1, max_length=100)]
    page: Page
    styles: dict[Name, Style]
    background: tuple[BackgroundPart, ...]
    fields: tuple[FieldPart, ...]
    qr: QrPlace | None = None
    seal: SealPlace

    @model_validator(mode="after")
    def _check(self) -> Self:
        for part in (*self.background, *self.fields):
            if isinstance(part, Label | FieldPart) and part.style not in self.styles:
                msg = f"the style {part.style} is not defined"
                raise ValueError(msg)
            if isinstance(part, Label | FieldPart | Rectangle | Frame):
                x, y, width, height = part.box
                if x + width > self.page.width or y + height > self.page.height:
                    msg = f"a {part.kind} reaches over the edge of the page"
                    raise ValueError(msg)
        return self
