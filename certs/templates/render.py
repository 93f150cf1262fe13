"""Lay a certificate out: template, metadata and QR payload become an unsigned OFD file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from certs.ofd.errors import TextOverflow
from certs.ofd.font_search import FontShelf
from certs.ofd.fonts import require_glyphs
from certs.ofd.layout import Box, TextStyle, fit_text
from certs.ofd.objects import Path, Text, rectangle
from certs.ofd.qr import build_qr
from certs.ofd.writer import DocumentBuilder, DocumentFacts, PageLayer
from certs.templates.model import (
    BackgroundPart,
    FieldPart,
    Frame,
    Guilloche,
    Label,
    Rectangle,
    Style,
    Template,
)
from certs.templates.ornament import draw_frame, draw_guilloche, parse_colour
from core.errors import FieldError, SchemaViolation
from signing import sm3

IDENTIFIER: Final = "ZZBS"
ISSUER: Final = "ZZBFJG"
_DAY: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[0-9]{6})?")


def render_certificate(
    template: Template,
    *,
    metadata: Mapping[str, str],
    qr_payload: str,
    created_on: date,
    fonts: FontShelf,
) -> bytes:
    """Lay out one certificate and return the unsigned package; the same input gives the same octets.

    `metadata` are the elements of GB/T 36903 by short name; they go into DocInfo as they are and, where the
    template shows them, onto the page. Raises TextOverflow, GlyphMissing or SchemaViolation, each pointing
    at the element (`/metadata/KZ_JYFW`).
    """
    facts = DocumentFacts(
        document_id=_document_id(template, metadata),
        title=template.title,
        author=metadata.get(ISSUER, ""),
        created_on=created_on,
        metadata=metadata,
    )
    builder = DocumentBuilder(facts, page_size=(template.page.width, template.page.height))
    background = builder.add_background()
    for part in template.background:
        _draw_background(background, part, template, fonts)
    page = builder.add_page(background)
    for field in template.fields:
        _draw_field(page, field, template, fonts, metadata)
    if template.qr is not None:
        place = template.qr
        page.add(Path(commands=rectangle(place.x, place.y, place.side, place.side), fill=(255, 255, 255)))
        page.add(build_qr(qr_payload, x=place.x, y=place.y, side=place.side), tag=IDENTIFIER)
    return builder.build()


def _document_id(template: Template, metadata: Mapping[str, str]) -> str:
    """Derive the DocID, so that the same certificate gets the same one."""
    facts = "\n".join([template.name, *(f"{name}={value}" for name, value in sorted(metadata.items()))])
    return sm3.digest(facts.encode())[:16].hex()


def _draw_background(layer: PageLayer, part: BackgroundPart, template: Template, fonts: FontShelf) -> None:
    if isinstance(part, Label):
        _draw_label(layer, part, template, fonts)
    elif isinstance(part, Frame):
        for path in draw_frame(part):
            layer.add(path)
    elif isinstance(part, Guilloche):
        layer.add(draw_guilloche(part))
    elif isinstance(part, Rectangle):
        stroke = None if part.stroke is None else parse_colour(part.stroke)
        fill = None if part.fill is None else parse_colour(part.fill)
        layer.add(Path(commands=rectangle(*part.box), stroke=stroke, fill=fill, line_width=part.line_width))
    else:
        commands = (("M", *part.start), ("L", *part.end))
        layer.add(Path(commands=commands, stroke=parse_colour(part.stroke), line_width=part.line_width))


def _draw_label(layer: PageLayer, part: Label, template: Template, fonts: FontShelf) -> None:
    style = template.styles[part.style]
    if part.justify and len(part.text) > 1:
        natural = fonts.face(style.weight).measure(part.text, style.size)
        spacing = max(0.0, (part.box[2] - natural) / (len(part.text) - 1))
        style = style.model_copy(update={"spacing": spacing})
    _draw_text(layer, part.text, part.box, style, fonts, subject=f"the label {part.text}", tag=None)


def _draw_field(
    layer: PageLayer, part: FieldPart, template: Template, fonts: FontShelf, metadata: Mapping[str, str]
) -> None:
    pointer = f"/metadata/{part.element}"
    value = metadata.get(part.element, "")
    if not value and part.required:
        detail = f"the certificate shows {part.element}, so it must have a value"
        raise SchemaViolation(detail, errors=(FieldError(pointer=pointer, code="REQUIRED", detail=detail),))
    written = f"{part.prefix}{_format(value, part.format)}{part.suffix}" if value else part.absent
    if not written:
        return
    style = template.styles[part.style]
    require_glyphs(fonts.face(style.weight), written.replace("\n", ""), pointer=pointer)
    try:
        _draw_text(layer, written, part.box, style, fonts, subject=part.element, tag=part.element)
    except TextOverflow as error:
        found = FieldError(pointer=pointer, code="OVERFLOW", detail=error.detail)
        raise TextOverflow(error.detail, errors=(found,)) from error


def _draw_text(
    layer: PageLayer,
    text: str,
    box: tuple[float, float, float, float],
    style: Style,
    fonts: FontShelf,
    *,
    subject: str,
    tag: str | None,
) -> None:
    face = fonts.face(style.weight)
    fitted = fit_text(
        text,
        Box(x=box[0], y=box[1], width=box[2], height=box[3]),
        TextStyle(
            face=face,
            size=style.size,
            min_size=style.min_size or style.size,
            leading=style.leading,
            spacing=style.spacing,
            align=style.align,
            vertical=style.vertical,
        ),
        subject=subject,
    )
    for line in fitted.lines:
        if line.text:
            item = Text(
                text=line.text,
                x=line.x,
                baseline=line.baseline,
                size=fitted.size,
                face=face,
                colour=parse_colour(style.colour),
                spacing=style.spacing,
            )
            layer.add(item, tag=tag)


def _format(value: str, form: str) -> str:
    """Write a value as the face shows it; a date as 2026年11月24日, without leading zeros."""
    found = _DAY.fullmatch(value) if form == "date" else None
    if found is None:
        return value
    return f"{found[1]}年{int(found[2]):02d}月{int(found[3]):02d}日"
