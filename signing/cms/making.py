"""Make signed data: DER throughout, attributes sorted, parameters absent, DER signatures.

Source: GB/T 35275-2017 8, RFC 5652 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from signing import der, oids, sm3
from signing.cms.model import Attribute
from signing.cms.verifying import require_no_attributes
from signing.errors import EncodeError
from signing.signer import Signer
from signing.x509.algorithms import SM3, AlgorithmIdentifier
from signing.x509.certificate import Certificate


def build_signed_data(
    content: bytes,
    *,
    signer: Signer,
    certificate: Certificate,
    signing_time: datetime | None = None,
    with_attributes: bool = True,
    detached: bool = False,
    chain: Sequence[Certificate] = (),
) -> bytes:
    """Sign `content` after GB/T 35275 and return the ContentInfo.

    With attributes: contentType, messageDigest and, where given, signingTime are signed. Without: the
    content itself is (`signing_time` must then be None). `detached` leaves the content out. `chain` is
    written after the signer's certificate. Raises EncodeError when key and certificate do not belong
    together.
    """
    if signing_time is not None and not with_attributes:
        message = "a signing time needs signed attributes"
        raise EncodeError(message)
    attributes = None
    if with_attributes:
        times = (
            () if signing_time is None else (Attribute(oids.ATTR_SIGNING_TIME, (der.time(signing_time),)),)
        )
        attributes = basic_attributes(oids.GM_DATA, sm3.digest(content)) + times
    return build_message(
        type_oid=oids.GM_SIGNED_DATA,
        version=1,
        content_type=oids.GM_DATA,
        content=None if detached else content,
        certificates=(certificate, *chain),
        signature_algorithm=AlgorithmIdentifier(oids.SM2_SIGNATURE),
        attributes=attributes,
        signer=signer,
        message_bytes=content,
    )


def basic_attributes(content_type: str, digest: bytes) -> tuple[Attribute, ...]:
    """Build the attributes contentType and messageDigest."""
    return (
        Attribute(oids.ATTR_CONTENT_TYPE, (der.oid(content_type),)),
        Attribute(oids.ATTR_MESSAGE_DIGEST, (der.octet_string(digest),)),
    )


def build_message(
    *,
    type_oid: str,
    version: int,
    content_type: str,
    content: bytes | None,
    certificates: Sequence[Certificate],
    with_certificates: bool = True,
    signature_algorithm: AlgorithmIdentifier,
    attributes: Sequence[Attribute] | None,
    signer: Signer,
    message_bytes: bytes,
) -> bytes:
    """Sign and assemble a signed-data message; `certificates` begins with the signer's own, and is
    written only `with_certificates`.

    The signature is over the attributes, in DER order, where there are any, else over `message_bytes`.
    Raises EvidenceRefused rather than sign, as content, what reads as another message's attributes.
    """
    own = certificates[0]
    if own.public_key != signer.public_key:
        message = "the signer's certificate and key do not belong together"
        raise EncodeError(message)
    block = b""
    if attributes is None:
        require_no_attributes(message_bytes)
    else:
        message_bytes = der.set_of(*(attribute.der for attribute in attributes))
        block = der.implicit(0, message_bytes)
    info = der.sequence(
        der.integer(1),
        der.sequence(own.issuer.der, der.integer(own.serial)),
        SM3.der,
        block,
        signature_algorithm.der,
        der.octet_string(signer.sign(message_bytes)),
    )
    inner = der.explicit(0, der.octet_string(content)) if content is not None else b""
    written = der.set_of(*(certificate.der for certificate in dict.fromkeys(certificates)))
    signed = der.sequence(
        der.integer(version),
        der.set_of(SM3.der),
        der.sequence(der.oid(content_type), inner),
        der.implicit(0, written) if with_certificates else b"",
        der.set_of(info),
    )
    return der.sequence(der.oid(type_oid), der.explicit(0, signed))
