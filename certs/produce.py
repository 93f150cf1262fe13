"""Produce certificate files: lay out from the type's template, then set the seal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from certs.copies.model import Annotate
from certs.issue.production import LayOut, Produce, ProducedFile, Production
from certs.ofd.derive import derive_package
from certs.ofd.font_search import FontShelf
from certs.ofd.package import OfdPackage, parse_box
from certs.ofd.sign import Stamp, sign_opened
from certs.ofd.signatures import read_signature_list
from certs.seals.model import OpenSeal
from certs.templates import Template, lay_out_certificate, load_template
from certs.watermark import draw_watermark
from core.china_time import china_day
from core.errors import BadInput
from signing import sm3
from signing.seals.build import TimestampHook


def build_producer(fonts: FontShelf) -> Produce:
    """Build what `IssueService` calls; it blocks, and is safe to call from several threads.

    The seal is signed with the time of the production; the file is left open for further signatures.
    """

    def produce(production: Production) -> ProducedFile:
        template = _template_of(production)
        stamp = _place_seal(template, production.seal)
        unsigned = _lay_out(production, fonts)
        return _seal(unsigned, stamp, production.seal, production.sealed_at, production.timestamp)

    return produce


def build_layouter(fonts: FontShelf) -> LayOut:
    """Build what a dry run calls: the layout without the seal."""

    def lay_out(production: Production) -> None:
        _lay_out(production, fonts)

    return lay_out


def build_annotator(fonts: FontShelf) -> Annotate:
    """Build what `CopyService` calls: the original's pages under a watermark, sealed where it was sealed."""

    def annotate(
        original: bytes,
        *,
        metadata: Mapping[str, str],
        watermark: str,
        seal: OpenSeal,
        sealed_at: datetime,
    ) -> ProducedFile:
        facts = "\n".join([sm3.digest(original).hex(), *metadata.values()])
        package = OfdPackage.parse(original)
        unsigned = derive_package(
            package,
            document_id=sm3.digest(facts.encode())[:16].hex(),
            metadata=metadata,
            draw_over=lambda width, height: draw_watermark(watermark, width, height, fonts=fonts),
        )
        middle = _middle_of_seal(package)
        width, height = float(seal.seal.picture_width_mm), float(seal.seal.picture_height_mm)
        stamp = Stamp(page=0, x=middle[0] - width / 2, y=middle[1] - height / 2, width=width, height=height)
        return _seal(unsigned, stamp, seal, sealed_at)

    return annotate


def _middle_of_seal(package: OfdPackage) -> tuple[float, float]:
    """Find where the first seal of the original has its middle."""
    listed = read_signature_list(package, package.bodies[0])
    for each in listed.signatures if listed is not None else ():
        for stamp in package.xml(each.path).findall("SignedInfo/StampAnnot"):
            x, y, width, height = parse_box(stamp.get("Boundary", ""))
            return x + width / 2, y + height / 2
    msg = "the original bears no seal, so no copy of it can be sealed"
    raise BadInput(msg)


def _lay_out(production: Production, fonts: FontShelf) -> OfdPackage:
    return lay_out_certificate(
        _template_of(production),
        metadata=production.metadata,
        qr_payload=production.qr_payload,
        created_on=china_day(production.sealed_at),
        fonts=fonts,
        photos=_find_photos(production),
    )


def _seal(
    unsigned: OfdPackage,
    stamp: Stamp,
    seal: OpenSeal,
    sealed_at: datetime,
    timestamp: TimestampHook | None = None,
) -> ProducedFile:
    def sign(data_hash: bytes, property_info: str) -> bytes:
        return seal.signer.sign(
            data_hash=data_hash, property_info=property_info, signed_at=sealed_at, timestamp=timestamp
        )

    signed = sign_opened(unsigned, seal_der=seal.seal.der, stamps=[stamp], sign=sign, signed_at=sealed_at)
    return ProducedFile(data=signed.data, sealed_sm3=signed.description_sm3)


def _template_of(production: Production) -> Template:
    name = production.kind.template
    if name is None:
        msg = "the certificate type has no template, so no file can be made; give the type one"
        raise BadInput(msg)
    return load_template(name)


def _find_photos(production: Production) -> dict[str, str]:
    """Return the photographs of an order by the names of their elements."""
    data = production.order.data
    photos = [item for item in production.kind.items if item.is_photo]
    return {item.metadata_name: data[item.name] for item in photos if data.get(item.name)}


def _place_seal(template: Template, seal: OpenSeal) -> Stamp:
    """Centre the seal on its place; a seal that would reach over the edge is moved inwards."""
    width, height = seal.seal.picture_width_mm, seal.seal.picture_height_mm
    x = min(max(template.seal.x - width / 2, 0), max(template.page.width - width, 0))
    y = min(max(template.seal.y - height / 2, 0), max(template.page.height - height, 0))
    return Stamp(page=0, x=x, y=y, width=width, height=height)
