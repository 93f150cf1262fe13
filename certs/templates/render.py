"""Lay a certificate out: template, metadata and QR payload become an unsigned OFD file."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from certs.ofd.blank import Blank
from certs.ofd.font_search import FontShelf
from certs.ofd.objects import PageObject, Path, Picture, PreparedPath, Text, rectangle
from certs.ofd.package import OfdPackage
from certs.ofd.page_xml import prepare_path
from certs.ofd.qr import build_qr
from certs.ofd.writer import DocumentBuilder, DocumentFacts, PageLayer
from certs.templates.fields import Field, Setting, set_text
from certs.templates.forms import expand_form
from certs.templates.model import QrPlace, Template
from certs.templates.ornament import draw_frame, draw_guilloche, draw_ripples, parse_colour
from certs.templates.parts import (
    BackgroundPart,
    FieldPart,
    FormPart,
    Frame,
    Guilloche,
    Label,
    Line,
    PhotoPart,
    Rectangle,
    Ripples,
)
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
    face = _Face(page=page, metadata=metadata, photos=photos or {})
    for part in _read_fields(template, fonts):
        if isinstance(part, Field):
            face.draw_field(part)
        else:
            face.draw_photo(part)
    if template.qr is not None:
        place = template.qr
        page.add(_draw_ground(place))
        page.add(build_qr(qr_payload, x=place.x, y=place.y, side=place.side), tag=IDENTIFIER)
    return builder.build_package()


@functools.lru_cache(maxsize=64)
def _read_fields(template: Template, fonts: FontShelf) -> tuple[Field | PhotoPart, ...]:
    """Read what a template shows of a certificate, forms row by row, once for all certificates."""
    found: list[Field | PhotoPart] = []
    for part in template.fields:
        if isinstance(part, PhotoPart):
            found.append(part)
            continue
        rows = expand_form(part) if isinstance(part, FormPart) else (part,)
        found += [Field.read(each, template, fonts) for each in rows if isinstance(each, FieldPart)]
    return tuple(found)


@functools.lru_cache(maxsize=64)
def _draw_ground(place: QrPlace) -> PreparedPath:
    """Draw the white that a QR code stands on."""
    square = rectangle(place.x, place.y, place.side, place.side)
    return prepare_path(Path(commands=square, fill=(255, 255, 255)))


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
    return set_text(part.text, Setting.read(part.box, style, fonts), subject=f"the label {part.text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Face:
    """Draws the values of one certificate onto its page."""

    page: PageLayer
    metadata: Mapping[str, str]
    photos: Mapping[str, str]

    def draw_field(self, field: Field) -> None:
        """Draw a value; nothing where there is none to show."""
        _require(field, self.metadata)
        written = field.write(self.metadata)
        if written:
            for text in field.set_text(written):
                self.page.add(text, tags=field.elements)

    def draw_photo(self, part: PhotoPart) -> None:
        """Draw a photograph and its frame."""
        _require(part, self.photos)
        x, y, width, height = part.box
        encoded = self.photos.get(part.element)
        if encoded:
            pointer = f"/metadata/{part.element}"
            data = prepare_photo(encoded, width_mm=width, height_mm=height, pointer=pointer)
            self.page.add(Picture(data=data, x=x, y=y, width=width, height=height), tags=(part.element,))
        if part.stroke is not None:
            stroke = parse_colour(part.stroke)
            self.page.add(Path(commands=rectangle(*part.box), stroke=stroke, line_width=0.25))


def _require(part: Field | PhotoPart, values: Mapping[str, str]) -> None:
    if part.required and not values.get(part.element):
        detail = f"the certificate shows {part.element}, so it must have a value"
        found = FieldError(pointer=f"/metadata/{part.element}", code="REQUIRED", detail=detail)
        raise SchemaViolation(detail, errors=(found,))
