"""Signed data after GB/T 35275 (and, in the same shape, RFC 5652): make, read, verify.

Read with tolerance: algorithm 301.1 or 501, parameters absent or NULL, either OID for `data`, attributes
in any order (verified as they stand), signatures as raw r ‖ s (told apart by `signature_is_raw`). Written:
DER throughout, attributes sorted, parameters absent, DER signatures.

Source: GB/T 35275-2017 (PKCS#7 1.5 in shape), RFC 5652 5, GB/T 35276 (signature form).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing import der, oids, sm3
from signing.der import Node, Reader, Tag
from signing.errors import DecodeError, EncodeError, EvidenceRefused, SignatureInvalid
from signing.signer import Signer
from signing.sm2 import parse_signature, raw_to_der
from signing.x509.algorithms import SM3, AlgorithmIdentifier
from signing.x509.certificate import Certificate
from signing.x509.names import Name

MAX_SIGNED_DATA_BYTES: Final = 64 * 1024 * 1024
RAW_SIGNATURE_BYTES: Final = 64
_MAX_CERTIFICATES: Final = 64
_MAX_SIGNERS: Final = 64

DATA_OIDS: Final = frozenset({oids.GM_DATA, oids.CMS_DATA})
SIGNED_DATA_OIDS: Final = frozenset({oids.GM_SIGNED_DATA, oids.CMS_SIGNED_DATA})
_SIGNATURE_OIDS: Final = frozenset({oids.SM2_SIGNATURE, oids.SM2_WITH_SM3})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its type and its values, each as DER."""

    oid: str
    values: tuple[bytes, ...]

    @property
    def der(self) -> bytes:
        """The attribute as DER."""
        return der.sequence(der.oid(self.oid), der.set_of(*self.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """One signature. `signed_bytes` are the attributes' octets as they stand, re-tagged as a SET."""

    version: int
    issuer: Name
    serial: int
    digest_algorithm: AlgorithmIdentifier
    attributes: tuple[Attribute, ...] | None
    signed_bytes: bytes | None
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    unsigned_attributes: tuple[Attribute, ...] = ()

    @property
    def signature_is_raw(self) -> bool:
        """Tell whether the signature is r ‖ s rather than DER (which may, very rarely, be as short)."""
        if len(self.signature) != RAW_SIGNATURE_BYTES:
            return False
        try:
            parse_signature(self.signature)
        except DecodeError:
            return True
        return False

    @property
    def signing_time(self) -> datetime | None:
        """The time the signer claims, or None; raise DecodeError for a malformed one."""
        value = self.attribute(oids.ATTR_SIGNING_TIME)
        return None if value is None else der.read_time(der.parse_der(value), "signingTime")

    def attribute(self, oid: str) -> bytes | None:
        """Return the one value of the signed attribute `oid` as DER, None where absent.

        Raises DecodeError when it has no value or several.
        """
        found = next((attribute for attribute in self.attributes or () if attribute.oid == oid), None)
        if found is None:
            return None
        if len(found.values) != 1:
            message = f"the attribute {oid} must have one value"
            raise DecodeError(message)
        return found.values[0]

    def names(self, certificate: Certificate) -> bool:
        """Tell whether issuer and serial number are those of `certificate`."""
        return self.serial == certificate.serial and self.issuer.der == certificate.issuer.der


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """A signed-data message. Nothing in it has been verified: see `verify_signed_data`."""

    der: bytes
    type_oid: str
    version: int
    content_type: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    crls: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]

    def find_certificate(self, signer: SignerInfo, others: Iterable[Certificate] = ()) -> Certificate | None:
        """Return the signer's certificate, by issuer and serial, from the message or from `others`."""
        return next((each for each in (*self.certificates, *others) if signer.names(each)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSigner:
    """A signature that verified, and the certificate it verified with (whose trust is not judged)."""

    info: SignerInfo
    certificate: Certificate


# ---------------------------------------------------------------------------------------- reading


def parse_signed_data(data: bytes) -> SignedData:
    """Read a ContentInfo that holds signed data; raise DecodeError."""
    if len(data) > MAX_SIGNED_DATA_BYTES:
        message = f"signed data has at most {MAX_SIGNED_DATA_BYTES} octets"
        raise DecodeError(message)
    return signed_data_from_node(der.parse_der(data))


def signed_data_from_node(node: Node) -> SignedData:
    """Read a ContentInfo that is part of a larger structure; raise DecodeError."""
    outer = node.expect(Tag.SEQUENCE, "ContentInfo").reader("ContentInfo")
    type_oid = der.read_oid(outer.any(), "contentType")
    if type_oid not in SIGNED_DATA_OIDS:
        message = f"the content type {type_oid} is not signed data"
        raise DecodeError(message)
    what = "SignedData"
    body = outer.last().expect(der.context(0), what).only_child(what)
    reader = body.expect(Tag.SEQUENCE, what).reader(what)
    version = der.read_integer(reader.any(), "SignedData.version", max_bytes=1)
    for algorithm in reader.take(Tag.SET, "digestAlgorithms").children(limit=16):
        AlgorithmIdentifier.from_node(algorithm, "digestAlgorithms")
    content_type, content = _read_content(reader.take(Tag.SEQUENCE, "contentInfo"))
    certificates = reader.optional(der.context(0))
    crls = reader.optional(der.context(1))
    signers = reader.take(Tag.SET, "signerInfos").children(limit=_MAX_SIGNERS)
    reader.finish()
    return SignedData(
        der=node.raw,
        type_oid=type_oid,
        version=version,
        content_type=content_type,
        content=content,
        certificates=_read_certificates(certificates),
        crls=tuple(child.raw for child in crls.children(limit=_MAX_CERTIFICATES)) if crls else (),
        signers=tuple(_read_signer(signer) for signer in signers),
    )


def _read_content(node: Node) -> tuple[str, bytes | None]:
    reader = node.reader("contentInfo")
    content_type = der.read_oid(reader.any(), "contentInfo.contentType")
    wrapped = reader.optional(der.context(0))
    reader.finish()
    if wrapped is None:
        return content_type, None
    return content_type, der.read_octet_string(wrapped.only_child("content"), "content")


def _read_certificates(block: Node | None) -> tuple[Certificate, ...]:
    """Read the X.509 certificates; the other kinds of the CHOICE bear context tags and are passed over."""
    children = block.children(limit=_MAX_CERTIFICATES) if block else ()
    return tuple(Certificate.from_node(child) for child in children if child.tag == Tag.SEQUENCE)


def _read_signer(node: Node) -> SignerInfo:
    reader = node.expect(Tag.SEQUENCE, "SignerInfo").reader("SignerInfo")
    version = der.read_integer(reader.any(), "SignerInfo.version", max_bytes=1)
    issuer, serial = _read_issuer_and_serial(reader.take(Tag.SEQUENCE, "issuerAndSerialNumber"))
    digest_algorithm = AlgorithmIdentifier.from_node(reader.any(), "digestAlgorithm")
    block = reader.optional(der.context(0))
    signature_algorithm = AlgorithmIdentifier.from_node(reader.any(), "digestEncryptionAlgorithm")
    signature = der.read_octet_string(reader.any(), "encryptedDigest")
    unsigned = reader.optional(der.context(1))
    reader.finish()
    return SignerInfo(
        version=version,
        issuer=issuer,
        serial=serial,
        digest_algorithm=digest_algorithm,
        attributes=_read_attributes(block) if block else None,
        signed_bytes=bytes((Tag.SET,)) + block.raw[1:] if block else None,
        signature_algorithm=signature_algorithm,
        signature=signature,
        unsigned_attributes=_read_attributes(unsigned) if unsigned else (),
    )


def _read_issuer_and_serial(node: Node) -> tuple[Name, int]:
    reader = node.reader("issuerAndSerialNumber")
    issuer = Name.from_node(reader.any())
    return issuer, der.read_integer(reader.last(), "serialNumber", max_bytes=64)


def _read_attributes(block: Node) -> tuple[Attribute, ...]:
    found = tuple(
        _read_attribute(child.expect(Tag.SEQUENCE, "attribute")) for child in block.children(limit=64)
    )
    if not found or len({attribute.oid for attribute in found}) != len(found):
        message = "the attributes are empty, or one of them comes twice"
        raise DecodeError(message)
    return found


def _read_attribute(node: Node) -> Attribute:
    reader: Reader = node.reader("attribute")
    oid = der.read_oid(reader.any(), "attribute.type")
    values = reader.last().expect(Tag.SET, "attribute.values").children(limit=64)
    return Attribute(oid, tuple(value.raw for value in values))


# -------------------------------------------------------------------------------------- verifying


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
    4. Without: the signature is over the content itself.

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


# ----------------------------------------------------------------------------------------- making


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
    """
    own = certificates[0]
    if own.public_key != signer.public_key:
        message = "the signer's certificate and key do not belong together"
        raise EncodeError(message)
    block = b""
    if attributes is not None:
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
