"""Lay a certificate out: template, metadata and QR payload become an unsigned OFD file."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from certs.ofd.blank import Blank
from certs.ofd.errors import TextOverflow
from certs.ofd.font_search import FontShelf
from certs.ofd.layout import Box, TextStyle, fit_text
from certs.ofd.objects import PageObject, Path, Picture, Text, rectangle
from certs.ofd.package import OfdPackage
from certs.ofd.qr import build_qr
from certs.ofd.writer import DocumentBuilder, DocumentFacts, PageLayer
from certs.templates.forms import expand_form
from certs.templates.model import Style, Template
from certs.templates.ornament import draw_frame, draw_guilloche, draw_ripples, parse_colour
from certs.templates.parts import (
    BackgroundPart,
    BoxSides,
    FieldPart,
    FormPart,
    Frame,
    Guilloche,
    Label,
    Line,
    PhotoPart,
    Rectangle,
    Ripples,
    ValuePart,
)
from certs.templates.patterns import parse_pattern, write_value
from certs.templates.photo import prepare_photo
from core.errors import FieldError, SchemaViolation
from signing import sm3

IDENTIFIER: Final = "ZZBS"
ISSUER: Final = "ZZBFJG"
NAME: Final = "ZZMC"


def render_certificate(
    template: Template,
    *,
    metadata: Mapping[str, str],
    qr_payload: str,
    created_on: date,
    fonts: FontShelf,
    photos: Mapping[str, str] | None = None,
) -> bytes:
    """Lay out one certificate and return the octets of the unsigned package; see `lay_out_certificate`."""
    package = lay_out_certificate(
        template,
        metadata=metadata,
        qr_payload=qr_payload,
        created_on=created_on,
        fonts=fonts,
        photos=photos,
    )
    return package.with_files({})


def lay_out_certificate(
    template: Template,
    *,
    metadata: Mapping[str, str],
    qr_payload: str,
    created_on: date,
    fonts: FontShelf,
    photos: Mapping[str, str] | None = None,
) -> OfdPackage:
    """Lay out one certificate: the unsigned package, in memory; the same input gives the same octets.

    `metadata` are the elements of GB/T 36903 by short name; they go into DocInfo as they are and, where the
    template shows them, onto the page. `photos` are base64 of photographs, likewise by short name; they go
    onto the page only. Raises TextOverflow, GlyphMissing or SchemaViolation, each pointing at the element
    (`/metadata/KZ_JYFW`).
    """
    facts = DocumentFacts(
        document_id=_document_id(template, metadata),
        title=metadata.get(NAME, template.title),
        author=metadata.get(ISSUER, ""),
        created_on=created_on,
        metadata=metadata,
    )
    size = template.page.width, template.page.height
    builder = DocumentBuilder(facts, page_size=size, blank=_build_blank(template, fonts))
    page = builder.add_page()
    face = _Face(page=page, template=template, fonts=fonts, metadata=metadata, photos=photos or {})
    for part in template.fields:
        face.draw(part)
    if template.qr is not None:
        place = template.qr
        page.add(Path(commands=rectangle(place.x, place.y, place.side, place.side), fill=(255, 255, 255)))
        page.add(build_qr(qr_payload, x=place.x, y=place.y, side=place.side), tag=IDENTIFIER)
    return builder.build_package()


def _document_id(template: Template, metadata: Mapping[str, str]) -> str:
    """Derive the DocID, so that the same certificate gets the same one."""
    facts = "\n".join([template.name, *(f"{name}={value}" for name, value in sorted(metadata.items()))])
    return sm3.digest(facts.encode())[:16].hex()


@functools.lru_cache(maxsize=64)
def _build_blank(template: Template, fonts: FontShelf) -> Blank:
    """Draw everything that does not depend on the certificate, forms' labels and rules included.

    Ornaments are most of a page; they are drawn once for all certificates of a template.
    """
    facts = DocumentFacts(document_id="0" * 32, title=template.title, created_on=date.min)
    builder = DocumentBuilder(facts, page_size=(template.page.width, template.page.height))
    background = builder.add_background()
    drawn = [item for part in template.background for item in _draw_background(part, template, fonts)]
    for form in template.fields:
        if isinstance(form, FormPart):
            for part in expand_form(form):
                if not isinstance(part, FieldPart):
                    drawn += _draw_background(part, template, fonts)
    for item in drawn:
        background.add(item)
    return builder.freeze()


def _draw_background(part: BackgroundPart, template: Template, fonts: FontShelf) -> Sequence[PageObject]:
    match part:
        case Label():
            return _draw_label(part, template, fonts)
        case Frame():
            return draw_frame(part)
        case Guilloche():
            return [draw_guilloche(part)]
        case Ripples():
            return draw_ripples(part)
        case Rectangle():
            stroke = None if part.stroke is None else parse_colour(part.stroke)
            fill = None if part.fill is None else parse_colour(part.fill)
            box = rectangle(*part.box)
            return [Path(commands=box, stroke=stroke, fill=fill, line_width=part.line_width)]
        case Line():
            commands = (("M", *part.start), ("L", *part.end))
            return [Path(commands=commands, stroke=parse_colour(part.stroke), line_width=part.line_width)]


def _draw_label(part: Label, template: Template, fonts: FontShelf) -> Sequence[Text]:
    style = template.styles[part.style]
    if part.justify and len(part.text) > 1:
        natural = fonts.chain(style.weight, style.font).measure(part.text, style.size)
        spacing = max(0.0, (part.box[2] - natural) / (len(part.text) - 1))
        style = style.model_copy(update={"spacing": spacing})
    return _set_text(part.text, part.box, style, fonts, subject=f"the label {part.text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Face:
    """Draws the values of one certificate onto its page."""

    page: PageLayer
    template: Template
    fonts: FontShelf
    metadata: Mapping[str, str]
    photos: Mapping[str, str]

    def draw(self, part: ValuePart) -> None:
        match part:
            case FieldPart():
                self._draw_field(part)
            case FormPart():
                for each in expand_form(part):
                    if isinstance(each, FieldPart):
                        self._draw_field(each)
            case PhotoPart():
                self._draw_photo(part)

    def _draw_field(self, part: FieldPart) -> None:
        pointer = f"/metadata/{part.element}"
        self._require(part.element, self.metadata, is_required=part.required)
        written = self._write(part)
        if not written:
            return
        style = self.template.styles[part.style]
        self.fonts.chain(style.weight, style.font).require_glyphs(written.replace("\n", ""), pointer=pointer)
        try:
            texts = _set_text(written, part.box, style, self.fonts, subject=part.element)
        except TextOverflow as error:
            found = FieldError(pointer=pointer, code="OVERFLOW", detail=error.detail)
            raise TextOverflow(error.detail, errors=(found,)) from error
        elements = (part.element,) if part.pattern is None else parse_pattern(part.pattern).elements
        for text in texts:
            self.page.add(text, tags=elements)

    def _write(self, part: FieldPart) -> str:
        """Write the text of a field; empty where there is nothing to show."""
        value = self.metadata.get(part.element, "")
        if not value:
            return part.absent
        if part.pattern is not None:
            return part.prefix + parse_pattern(part.pattern).fill(self.metadata) + part.suffix
        return part.prefix + write_value(value, part.format) + part.suffix

    def _draw_photo(self, part: PhotoPart) -> None:
        self._require(part.element, self.photos, is_required=part.required)
        x, y, width, height = part.box
        encoded = self.photos.get(part.element)
        if encoded:
            pointer = f"/metadata/{part.element}"
            data = prepare_photo(encoded, width_mm=width, height_mm=height, pointer=pointer)
            self.page.add(Picture(data=data, x=x, y=y, width=width, height=height), tags=(part.element,))
        if part.stroke is not None:
            stroke = parse_colour(part.stroke)
            self.page.add(Path(commands=rectangle(*part.box), stroke=stroke, line_width=0.25))

    def _require(self, element: str, values: Mapping[str, str], *, is_required: bool) -> None:
        if is_required and not values.get(element):
            detail = f"the certificate shows {element}, so it must have a value"
            found = FieldError(pointer=f"/metadata/{element}", code="REQUIRED", detail=detail)
            raise SchemaViolation(detail, errors=(found,))


@functools.lru_cache(maxsize=4096)
def _set_text(text: str, box: BoxSides, style: Style, fonts: FontShelf, *, subject: str) -> tuple[Text, ...]:
    """Fit a text into its box; a line in which fonts change becomes several objects.

    What was set is kept: offices, types and days come again and again.
    """
    chain = fonts.chain(style.weight, style.font)
    fitted = fit_text(
        text,
        Box(x=box[0], y=box[1], width=box[2], height=box[3]),
        TextStyle(
            font=chain,
            size=style.size,
            min_size=style.min_size or style.size,
            leading=style.leading,
            spacing=style.spacing,
            align=style.align,
            vertical=style.vertical,
        ),
        subject=subject,
    )
    texts = []
    for line in fitted.lines:
        x = line.x
        for face, piece in chain.runs(line.text):
            item = Text(
                text=piece,
                x=x,
                baseline=line.baseline,
                size=fitted.size,
                face=face,
                colour=parse_colour(style.colour),
                spacing=style.spacing,
            )
            texts.append(item)
            x += sum(item.advances)
    return tuple(texts)
