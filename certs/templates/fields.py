"""The fields of a template as they are drawn: read once, for all certificates that it lays out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from certs.ofd.errors import TextOverflow
from certs.ofd.font_search import FontShelf
from certs.ofd.layout import Box, TextStyle, fit_text
from certs.ofd.objects import Colour, Text
from certs.templates.model import Style, Template
from certs.templates.ornament import parse_colour
from certs.templates.parts import BoxSides, FieldPart
from certs.templates.patterns import Form, Pattern, parse_pattern, write_value
from core.errors import FieldError

KEPT_TEXTS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Where a text is set, and how. Two settings are the same only where they are one object."""

    box: Box
    style: TextStyle
    colour: Colour

    @classmethod
    def read(cls, box: BoxSides, style: Style, fonts: FontShelf) -> Self:
        """Read a box and a style of a template."""
        return cls(
            box=Box(x=box[0], y=box[1], width=box[2], height=box[3]),
            style=TextStyle(
                font=fonts.chain(style.weight, style.font),
                size=style.size,
                min_size=style.min_size or style.size,
                leading=style.leading,
                spacing=style.spacing,
                align=style.align,
                vertical=style.vertical,
            ),
            colour=parse_colour(style.colour),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A value of the certificate: which element, how it is written, and where it is set.

    `elements` are all that it shows, for the tags; see `FieldPart` for the rest.
    """

    element: str
    elements: tuple[str, ...]
    required: bool
    form: Form
    pattern: Pattern | None
    prefix: str
    suffix: str
    absent: str
    setting: Setting

    @classmethod
    def read(cls, part: FieldPart, template: Template, fonts: FontShelf) -> Self:
        """Read a field of a template."""
        pattern = None if part.pattern is None else parse_pattern(part.pattern)
        return cls(
            element=part.element,
            elements=(part.element,) if pattern is None else pattern.elements,
            required=part.required,
            form=part.format,
            pattern=pattern,
            prefix=part.prefix,
            suffix=part.suffix,
            absent=part.absent,
            setting=Setting.read(part.box, template.styles[part.style], fonts),
        )

    def write(self, metadata: Mapping[str, str]) -> str:
        """Write the text of the field; empty where there is nothing to show."""
        value = metadata.get(self.element, "")
        if not value:
            return self.absent
        if self.pattern is not None:
            return self.prefix + self.pattern.fill(metadata) + self.suffix
        return self.prefix + write_value(value, self.form) + self.suffix

    def set_text(self, written: str) -> tuple[Text, ...]:
        """Set a text where the field stands.

        Raises GlyphMissing and TextOverflow, pointing at the element.
        """
        return _set_field(self, written)


@functools.lru_cache(maxsize=KEPT_TEXTS)
def _set_field(field: Field, written: str) -> tuple[Text, ...]:
    """Set a text. What was set is kept: offices, types and days come again and again."""
    pointer = f"/metadata/{field.element}"
    field.setting.style.font.require_glyphs(written.replace("\n", ""), pointer=pointer)
    try:
        return set_text(written, field.setting, subject=field.element)
    except TextOverflow as error:
        found = FieldError(pointer=pointer, code="OVERFLOW", detail=error.detail)
        raise TextOverflow(error.detail, errors=(found,)) from error


def set_text(text: str, setting: Setting, *, subject: str) -> tuple[Text, ...]:
    """Fit a text into its box; a line in which fonts change becomes several objects.

    Raises TextOverflow, which names `subject`, and GlyphMissing.
    """
    style = setting.style
    fitted = fit_text(text, setting.box, style, subject=subject)
    texts = []
    for line in fitted.lines:
        x = line.x
        runs = style.font.runs(line.text)
        for face, piece in runs:
            item = Text(
                text=piece,
                x=x,
                baseline=line.baseline,
                size=fitted.size,
                face=face,
                colour=setting.colour,
                spacing=style.spacing,
            )
            texts.append(item)
            if len(runs) > 1:
                x += sum(item.advances)
    return tuple(texts)
