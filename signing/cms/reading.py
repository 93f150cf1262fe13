"""Read signed data; nothing is verified here.

Read with tolerance: parameters absent or NULL, either OID for `data`, attributes in any order, signatures
as raw r ‖ s (told apart by `signature_is_raw`).
Source: GB/T 35275-2017 8, RFC 5652 5.
"""

from __future__ import annotations

from typing import Final

from signing import der
from signing.cms.model import SIGNED_DATA_OIDS, Attribute, SignedData, SignerInfo
from signing.der import Node, Reader, Tag
from signing.errors import DecodeError
from signing.x509.algorithms import AlgorithmIdentifier
from signing.x509.certificate import Certificate
from signing.x509.names import Name

MAX_SIGNED_DATA_BYTES: Final = 64 * 1024 * 1024
_MAX_CERTIFICATES: Final = 64
_MAX_SIGNERS: Final = 64


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
        attributes=read_attributes(block) if block else None,
        signed_bytes=bytes((Tag.SET,)) + block.raw[1:] if block else None,
        signature_algorithm=signature_algorithm,
        signature=signature,
        unsigned_attributes=read_attributes(unsigned) if unsigned else (),
    )


def _read_issuer_and_serial(node: Node) -> tuple[Name, int]:
    reader = node.reader("issuerAndSerialNumber")
    issuer = Name.from_node(reader.any())
    return issuer, der.read_integer(reader.last(), "serialNumber", max_bytes=64)


def read_attributes(block: Node) -> tuple[Attribute, ...]:
    """Read a SET OF Attribute, however it is tagged: at least one, none of them twice; raise DecodeError."""
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
