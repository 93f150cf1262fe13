"""Read time-stamp tokens and verify their own signature.

Read: a ContentInfo of signed data (PKCS#7 or GB/T 35275), or a whole TimeStampResp around one. Exactly one
signer, named by issuer and serial; the signature is SM2 with SM3 over the attributes as they stand,
re-tagged from [0] to SET, never re-sorted.
Source: RFC 3161 2.4.2, RFC 5652 5, RFC 5035 (ESS), GB/T 20520.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing import oids, sm3
from signing.der import (
    Node,
    Tag,
    context,
    parse_der,
    read_integer,
    read_octet_string,
    read_oid,
    read_time,
)
from signing.errors import DecodeError, EvidenceRefused, SignatureInvalid
from signing.seals.values import verify_value
from signing.x509.certificate import Certificate

MAX_TOKEN_BYTES: Final = 64 * 1024
MAX_CERTIFICATES: Final = 16
_CONTENT_TYPES: Final = frozenset({oids.CMS_SIGNED_DATA, oids.GM_SIGNED_DATA})
_DIGESTS: Final = frozenset({oids.SM3, oids.SM3_UNKEYED})
_SIGNATURES: Final = frozenset({oids.SM2_WITH_SM3, oids.SM2_SIGNATURE})
_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    oids.SM3: sm3.digest,
    oids.SHA256: lambda data: hashlib.sha256(data).digest(),
    oids.SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StampInfo:
    """What a token states (TSTInfo), as signed in `der`."""

    der: bytes
    policy: str
    digest_oid: str
    imprint: bytes
    serial: int
    stamped_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A time-stamp token. Its signature has not been checked: see `verify_token`."""

    info: StampInfo
    certificates: tuple[Certificate, ...]
    issuer: bytes
    serial: int
    attributes: dict[str, Node]
    signed_der: bytes
    signature: bytes


def parse_token(data: bytes) -> Token:
    """Read a token; raise DecodeError."""
    if len(data) > MAX_TOKEN_BYTES:
        message = f"a time-stamp token has at most {MAX_TOKEN_BYTES} octets"
        raise DecodeError(message)
    content = _unwrap(parse_der(data)).reader("ContentInfo", limit=2)
    if read_oid(content.any(), "contentType") not in _CONTENT_TYPES:
        message = "the time-stamp token is not signed data"
        raise DecodeError(message)
    signed = content.last().expect(context(0), "content").only_child("content")
    reader = signed.expect(Tag.SEQUENCE, "SignedData").reader("SignedData", limit=6)
    read_integer(reader.any(), "SignedData.version", max_bytes=1)
    reader.take(Tag.SET, "digestAlgorithms")
    info = _read_content(reader.take(Tag.SEQUENCE, "encapContentInfo"))
    block = reader.optional(context(0))
    reader.optional(context(1))
    signers = reader.take(Tag.SET, "signerInfos")
    reader.finish()
    signer = signers.only_child("a time-stamp token's signerInfos")
    certificates = block.children(limit=MAX_CERTIFICATES) if block else ()
    return _read_signer(signer, info, tuple(Certificate.from_node(each) for each in certificates))


def verify_token(token: Token) -> Certificate:
    """Verify a token's signature and return the certificate of its signer, whose trust is not judged.

    1. The signer's certificate is the one in the token that issuer and serial name.
    2. The attributes name the content type TSTInfo and hold the digest of the content.
    3. ESS, where present, names this certificate.
    4. The signature over the attributes verifies.

    Raises EvidenceRefused, SignatureInvalid or DecodeError.
    """
    certificate = next((each for each in token.certificates if _is_named(each, token)), None)
    if certificate is None or certificate.public_key is None:
        message = "the time-stamp token does not hold its signer's SM2 certificate"
        raise EvidenceRefused(message)
    if read_oid(_value(token, oids.ATTR_CONTENT_TYPE)) != oids.CT_TST_INFO:
        message = "the signed content type is not that of a time stamp"
        raise EvidenceRefused(message)
    if read_octet_string(_value(token, oids.ATTR_MESSAGE_DIGEST)) != sm3.digest(token.info.der):
        message = "the signed digest is not that of the time stamp's content"
        raise SignatureInvalid(message)
    _require_ess(token, certificate)
    verify_value(certificate.public_key, token.signature, token.signed_der)
    return certificate


def _unwrap(node: Node) -> Node:
    """Take the token out of a TimeStampResp, which begins with a SEQUENCE, not with an OID."""
    parts = node.expect(Tag.SEQUENCE, "time-stamp token").children(limit=2)
    if len(parts) == 2 and parts[0].tag == Tag.SEQUENCE:
        return parts[1].expect(Tag.SEQUENCE, "timeStampToken")
    return node


def _read_content(node: Node) -> StampInfo:
    reader = node.reader("encapContentInfo", limit=2)
    if read_oid(reader.any(), "eContentType") != oids.CT_TST_INFO:
        message = "the content of the time-stamp token is not a time stamp"
        raise DecodeError(message)
    octets = read_octet_string(reader.last().expect(context(0), "eContent").only_child("eContent"))
    what = "TSTInfo"
    fields = parse_der(octets).expect(Tag.SEQUENCE, what).reader(what, limit=10)
    read_integer(fields.any(), "TSTInfo.version", max_bytes=1)
    policy = read_oid(fields.any(), "TSTInfo.policy")
    imprint = fields.take(Tag.SEQUENCE, "messageImprint").reader("messageImprint", limit=2)
    digest_oid = _read_algorithm(imprint.any())
    return StampInfo(
        der=octets,
        policy=policy,
        digest_oid=digest_oid,
        imprint=read_octet_string(imprint.last(), "hashedMessage"),
        serial=read_integer(fields.any(), "TSTInfo.serialNumber", max_bytes=21),
        stamped_at=read_time(fields.take(Tag.GENERALIZED_TIME, "genTime"), "genTime", fraction=True),
    )


def _read_signer(node: Node, info: StampInfo, certificates: tuple[Certificate, ...]) -> Token:
    reader = node.expect(Tag.SEQUENCE, "SignerInfo").reader("SignerInfo", limit=7)
    read_integer(reader.any(), "SignerInfo.version", max_bytes=1)
    name = reader.take(Tag.SEQUENCE, "issuerAndSerialNumber").reader("issuerAndSerialNumber", limit=2)
    issuer, serial = name.any().raw, read_integer(name.last(), "serialNumber")
    digest = _read_algorithm(reader.any())
    attributes = reader.take(context(0), "signedAttrs")
    algorithm = _read_algorithm(reader.any())
    if digest not in _DIGESTS or algorithm not in _SIGNATURES:
        message = f"the algorithms {digest} and {algorithm} of the time stamp are not SM3 and SM2"
        raise DecodeError(message)
    signature = read_octet_string(reader.any(), "signature")
    reader.optional(context(1))
    reader.finish()
    return Token(
        info=info,
        certificates=certificates,
        issuer=issuer,
        serial=serial,
        attributes=_read_attributes(attributes),
        signed_der=bytes((Tag.SET,)) + attributes.raw[1:],
        signature=signature,
    )


def _read_attributes(node: Node) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for child in node.children(limit=32):
        reader = child.expect(Tag.SEQUENCE, "Attribute").reader("Attribute", limit=2)
        oid = read_oid(reader.any(), "attrType")
        if oid in found:
            message = f"the attribute {oid} comes twice"
            raise DecodeError(message)
        found[oid] = reader.last().expect(Tag.SET, "attrValues")
    return found


def _read_algorithm(node: Node) -> str:
    parts = node.expect(Tag.SEQUENCE, "AlgorithmIdentifier").children(limit=2)
    if not parts or (len(parts) == 2 and parts[1].tag != Tag.NULL):
        message = "an AlgorithmIdentifier with unexpected parameters"
        raise DecodeError(message)
    return read_oid(parts[0])


def _is_named(certificate: Certificate, token: Token) -> bool:
    return certificate.serial == token.serial and certificate.issuer.der == token.issuer


def _value(token: Token, oid: str) -> Node:
    values = token.attributes.get(oid)
    if values is None:
        message = f"the time-stamp token lacks the attribute {oid}"
        raise DecodeError(message)
    return values.only_child("attrValues")


def _require_ess(token: Token, certificate: Certificate) -> None:
    """Refuse a token whose ESS attribute names another certificate first than its signer's."""
    for oid, default in (
        (oids.ATTR_SIGNING_CERTIFICATE_V2, oids.SHA256),
        (oids.ATTR_SIGNING_CERTIFICATE, oids.SHA1),
    ):
        if oid not in token.attributes:
            continue
        listed = _value(token, oid).expect(Tag.SEQUENCE, "SigningCertificate").children(limit=2)
        first = listed[0].expect(Tag.SEQUENCE, "certs").children(limit=MAX_CERTIFICATES) if listed else ()
        if not first:
            message = "SigningCertificate: empty"
            raise DecodeError(message)
        reader = first[0].expect(Tag.SEQUENCE, "ESSCertID").reader("ESSCertID", limit=3)
        algorithm = reader.optional(Tag.SEQUENCE)
        digest = _HASHES.get(_read_algorithm(algorithm) if algorithm else default)
        if digest is None or read_octet_string(reader.any(), "certHash") != digest(certificate.der):
            message = "the time-stamp token was signed for another certificate than the one it holds"
            raise EvidenceRefused(message)
