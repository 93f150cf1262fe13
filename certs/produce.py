"""Produce certificate files: lay out from the type's template, then set the seal."""

from __future__ import annotations

from certs.issue.model import china_day
from certs.issue.service import Produce, ProducedFile, Production
from certs.ofd.font_search import FontShelf
from certs.ofd.sign import Stamp, sign_package
from certs.templates import Template, load_template, render_certificate
from core.errors import BadInput


def build_producer(fonts: FontShelf) -> Produce:
    """Build what `IssueService` calls; it blocks, and is safe to call from several threads.

    The seal is signed with the time of the production; the file is left open for further signatures.
    """

    def produce(production: Production) -> ProducedFile:
        template = _template_of(production)
        unsigned = render_certificate(
            template,
            metadata=production.metadata,
            qr_payload=production.qr_payload,
            created_on=china_day(production.sealed_at),
            fonts=fonts,
            photos=_find_photos(production),
        )
        signer = production.seal.signer

        def sign(data_hash: bytes, property_info: str) -> bytes:
            return signer.sign(
                data_hash=data_hash, property_info=property_info, signed_at=production.sealed_at
            )

        signed = sign_package(
            unsigned,
            seal_der=production.seal.seal.der,
            stamps=[_place_seal(template, production)],
            sign=sign,
            signed_at=production.sealed_at,
        )
        return ProducedFile(data=signed.data, sealed_sm3=signed.description_sm3)

    return produce


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


def _place_seal(template: Template, production: Production) -> Stamp:
    """Centre the seal on its place; a seal that would reach over the edge is moved inwards."""
    width, height = production.seal.seal.picture_width_mm, production.seal.seal.picture_height_mm
    x = min(max(template.seal.x - width / 2, 0), max(template.page.width - width, 0))
    y = min(max(template.seal.y - height / 2, 0), max(template.page.height - height, 0))
    return Stamp(page=0, x=x, y=y, width=width, height=height)
