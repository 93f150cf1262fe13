"""What a template may lay on the page: fixed ornaments and texts, forms, and values of the certificate."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from certs.templates.patterns import Form as ValueForm
from certs.templates.patterns import parse_pattern

Millimetres = Annotated[float, Field(ge=0, le=2000, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=2000, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
Element = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,59}$")]
Colour = Annotated[str, Field(pattern=r"^#[0-9A-F]{6}$")]
Words = Annotated[str, Field(max_length=200)]
BoxSides = tuple[Millimetres, Millimetres, Length, Length]
"""Left, top, width, height."""


class Part(BaseModel):
    """Anything in a template; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(Part):
    """A fixed text. Justified labels are spread over the width of their box, as on printed forms."""

    kind: Literal["label"]
    text: Annotated[str, Field(min_length=1, max_length=500)]
    box: BoxSides
    style: Name
    justify: bool = False


class Rectangle(Part):
    """A rectangle, filled or outlined or both."""

    kind: Literal["rectangle"]
    box: BoxSides
    stroke: Colour | None = None
    fill: Colour | None = None
    line_width: Length = 0.35


class Line(Part):
    """A straight line."""

    kind: Literal["line"]
    start: tuple[Millimetres, Millimetres]
    end: tuple[Millimetres, Millimetres]
    stroke: Colour = "#000000"
    line_width: Length = 0.35


class FrameKind(StrEnum):
    """What runs between the rules of a frame: interlaced waves, a meander (回纹), or nothing."""

    WAVES = "waves"
    FRET = "fret"
    PLAIN = "plain"


class Frame(Part):
    """An ornamental border, `band` wide: rules outside and inside, and a pattern between them."""

    kind: Literal["frame"]
    box: BoxSides
    pattern: FrameKind = FrameKind.WAVES
    band: Length = 9
    stroke: Colour = "#B8860B"
    fill: Colour | None = None


class Guilloche(Part):
    """A pale rosette of fine lines behind the text, against copying."""

    kind: Literal["guilloche"]
    centre: tuple[Millimetres, Millimetres]
    radius: Length
    stroke: Colour = "#F0E4C8"
    line_width: Length = 0.12


class Ripples(Part):
    """A ground of fine waves that drift against each other over a box, against copying."""

    kind: Literal["ripples"]
    box: BoxSides
    stroke: Colour = "#F3EEDD"
    line_width: Length = 0.1
    step: Annotated[float, Field(ge=0.8, le=20)] = 2.4


BackgroundPart = Annotated[
    Label | Rectangle | Line | Frame | Guilloche | Ripples, Field(discriminator="kind")
]


class FieldPart(Part):
    """A value of the certificate, by the short name of its metadata element.

    `format` writes days: `date` 2026年11月24日, `dots` 2026.11.24, `han` 二〇二六年十一月二十四日.
    `pattern` joins several elements, as `{ZZYXQQSRQ|date}至{ZZYXQJZRQ|date|长期}`; what follows the last bar
    stands in for an absent one. `absent` is shown where the certificate lacks the element; a `required`
    element must be there.
    """

    kind: Literal["field"]
    element: Element
    box: BoxSides
    style: Name
    format: ValueForm = ValueForm.TEXT
    pattern: Words | None = None
    prefix: Words = ""
    suffix: Words = ""
    absent: Words = ""
    required: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.pattern is not None and self.element not in parse_pattern(self.pattern).elements:
            msg = f"the pattern must show the element {self.element} itself"
            raise ValueError(msg)
        return self


class Row(Part):
    """One row of a form: a label, and the value beside it. `height` is this row's share of the whole."""

    label: Annotated[str, Field(min_length=1, max_length=40)]
    element: Element
    height: Annotated[float, Field(gt=0, le=100)] = 1
    format: ValueForm = ValueForm.TEXT
    pattern: Words | None = None
    suffix: Words = ""
    absent: Words = ""
    required: bool = False
    style: Name | None = None


class FormLines(StrEnum):
    """How the rows of a form are ruled."""

    GRID = "grid"
    UNDERLINE = "underline"
    NONE = "none"


class FormPart(Part):
    """Rows of labels and values, one under another, at one rhythm; labels are spread to one width."""

    kind: Literal["form"]
    box: BoxSides
    label_width: Length
    gap: Millimetres = 4
    label_style: Name
    value_style: Name
    lines: FormLines = FormLines.NONE
    stroke: Colour = "#8A8A8A"
    line_width: Length = 0.25
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=40)]


class PhotoPart(Part):
    """A photograph, from an item of format `PHOTO`; it is cropped to its place, never stretched."""

    kind: Literal["photo"]
    element: Element
    box: BoxSides
    stroke: Colour | None = None
    required: bool = False


ValuePart = Annotated[FieldPart | FormPart | PhotoPart, Field(discriminator="kind")]
