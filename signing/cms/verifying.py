"""Verify signed data: the signatures, and nothing about the certificates' trust.

Source: GB/T 35275-2017 8, RFC 5652 5.4 and 5.6.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from signing import der, oids, sm3
from signing.cms.model import DATA_OIDS, SignedData, SignerInfo, VerifiedSigner
from signing.cms.reading import read_attributes
from signing.errors import DecodeError, EvidenceRefused, SignatureInvalid
from signing.sm2 import raw_to_der
from signing.x509.certificate import Certificate

_SIGNATURE_OIDS: Final = frozenset({oids.SM2_SIGNATURE, oids.SM2_WITH_SM3})
_BINDING: Final = frozenset({oids.ATTR_CONTENT_TYPE, oids.ATTR_MESSAGE_DIGEST})


def verify_signed_data(
    signed: SignedData,
    *,
    content: bytes | None = None,
    digest: bytes | None = None,
    certificates: Sequence[Certificate] = (),
    accept_raw: bool = True,
) -> tuple[VerifiedSigner, ...]:
    """Verify every signature of `signed`, and nothing about the certificates' trust.

    `content` is what was signed where the message does not hold it (and must equal it where it does).
    `digest` may stand for it where every signer has attributes. `certificates` are searched after those
    of the message. Per signer:

    1. The certificate is found by issuer and serial number.
    2. The algorithms are SM3 and SM2 (301.1 or 501), parameters absent or NULL.
    3. With attributes: contentType agrees (the two OIDs for `data` count as one), messageDigest is SM3 of
       the content, and the signature is over the attributes as they stand, re-tagged as a SET.
    4. Without: the signature is over the content itself, which must not read as signed attributes (a
       signature over attributes would otherwise be one over their octets as content).

    A raw r ‖ s signature is refused unless `accept_raw`. Raises EvidenceRefused or SignatureInvalid;
    DecodeError for malformed attributes; KeyUnusable where a certificate holds no SM2 key.
    Source: GB/T 35275-2017 8, RFC 5652 5.4 and 5.6.
    """
    octets = _content_to_verify(signed, content)
    if not signed.signers:
        message = "the signed data holds no signature"
        raise EvidenceRefused(message)
    return tuple(
        _verify_signer(
            signed, signer, content=octets, digest=digest, certificates=certificates, accept_raw=accept_raw
        )
        for signer in signed.signers
    )


def _content_to_verify(signed: SignedData, content: bytes | None) -> bytes | None:
    if signed.content is not None and content is not None and signed.content != content:
        message = "the content inside the signed data is not the content given"
        raise EvidenceRefused(message)
    return content if signed.content is None else signed.content


def _verify_signer(
    signed: SignedData,
    signer: SignerInfo,
    *,
    content: bytes | None,
    digest: bytes | None,
    certificates: Sequence[Certificate],
    accept_raw: bool,
) -> VerifiedSigner:
    certificate = signed.find_certificate(signer, certificates)
    if certificate is None:
        message = "the signer's certificate, by issuer and serial number, is not at hand"
        raise EvidenceRefused(message)
    _require_algorithms(signer)
    if signer.signed_bytes is not None:
        _require_attributes(signed, signer, content, digest)
        message_bytes = signer.signed_bytes
    elif content is not None:
        require_no_attributes(content)
        message_bytes = content
    else:
        message = "the signed content is neither in the message nor given"
        raise EvidenceRefused(message)
    if signer.signature_is_raw and not accept_raw:
        message = "the signature is raw r and s, not DER"
        raise EvidenceRefused(message)
    signature = raw_to_der(signer.signature) if signer.signature_is_raw else signer.signature
    certificate.require_key().verify(signature, message_bytes)
    return VerifiedSigner(info=signer, certificate=certificate)


def _require_algorithms(signer: SignerInfo) -> None:
    algorithm = signer.signature_algorithm
    if not signer.digest_algorithm.is_sm3() or algorithm.oid not in _SIGNATURE_OIDS or not algorithm.bare:
        message = f"the algorithms {signer.digest_algorithm.oid} and {algorithm.oid} are not SM3 and SM2"
        raise EvidenceRefused(message)


def _require_attributes(
    signed: SignedData, signer: SignerInfo, content: bytes | None, digest: bytes | None
) -> None:
    wanted = digest if content is None else sm3.digest(content)
    if wanted is None or (digest is not None and digest != wanted):
        message = "the signed content is neither in the message nor given, or its digest is another"
        raise EvidenceRefused(message)
    kind, imprint = signer.attribute(oids.ATTR_CONTENT_TYPE), signer.attribute(oids.ATTR_MESSAGE_DIGEST)
    if kind is None or imprint is None:
        message = "the signed attributes lack contentType or messageDigest"
        raise EvidenceRefused(message)
    stated = der.read_oid(der.parse_der(kind), "contentType")
    if stated != signed.content_type and not {stated, signed.content_type} <= DATA_OIDS:
        message = "the signed content type is not that of the content"
        raise EvidenceRefused(message)
    if not hmac.compare_digest(der.read_octet_string(der.parse_der(imprint), "messageDigest"), wanted):
        message = "the signed digest is not that of the content"
        raise SignatureInvalid(message)


def require_no_attributes(content: bytes) -> None:
    """Raise EvidenceRefused where `content` reads as the SET of signed attributes of another message."""
    try:
        found = read_attributes(der.parse_der(content).expect(der.Tag.SET, "attributes"))
    except DecodeError:
        return
    if {attribute.oid for attribute in found} >= _BINDING:
        message = "the content without signed attributes is itself a set of signed attributes"
        raise EvidenceRefused(message)
