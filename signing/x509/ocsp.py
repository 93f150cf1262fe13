"""OCSP requests and responses: reading, making requests, verifying responses.

CertIDs are read with SM3, SHA-1 or SHA-256 and written with SM3 unless SHA-1 is asked for.

Source: RFC 6960 4.1–4.2, RFC 9654 (nonce), RFC 5019.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from signing import der, oids, sm3
from signing.der import Node, Tag
from signing.errors import DecodeError, EncodeError, EvidenceRefused
from signing.x509 import extensions as ext
from signing.x509.algorithms import AlgorithmIdentifier, read_signed
from signing.x509.certificate import Certificate, verify_signed
from signing.x509.crl import RevocationReason, read_reason
from signing.x509.extensions import Extension, KeyUsage
from signing.x509.names import Name

MAX_OCSP_BYTES: Final = 1024 * 1024
MAX_NONCE_BYTES: Final = 128
MAX_CERT_IDS: Final = 256

_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    oids.SM3: sm3.digest,
    oids.SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    oids.SHA256: lambda data: hashlib.sha256(data).digest(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertId:
    """Names one certificate by hashes of its issuer's name and key, and its serial number.

    `raw` holds the octets of a CertID that was read: a response repeats them as they stand.
    """

    hash_oid: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    raw: bytes

    @classmethod
    def build(cls, serial: int, issuer: Certificate, *, hash_oid: str = oids.SM3) -> CertId:
        """Name the certificate `serial` of `issuer`; raise EncodeError for a hash that is not offered."""
        digest = _HASHES.get(hash_oid)
        if digest is None:
            message = f"no CertID can be made with the hash {hash_oid}"
            raise EncodeError(message)
        name_hash, key_hash = digest(issuer.subject.der), digest(issuer.key_bits)
        # SHA-1 identifiers carry NULL, as every client in the field sends them.
        parameters = der.null() if hash_oid == oids.SHA1 else None
        raw = der.sequence(
            AlgorithmIdentifier(hash_oid, parameters).der,
            der.octet_string(name_hash),
            der.octet_string(key_hash),
            der.integer(serial),
        )
        return cls(
            hash_oid=hash_oid, issuer_name_hash=name_hash, issuer_key_hash=key_hash, serial=serial, raw=raw
        )

    @classmethod
    def from_node(cls, node: Node) -> CertId:
        """Read a CertID; raise DecodeError."""
        reader = node.expect(Tag.SEQUENCE, "CertID").reader("CertID")
        algorithm = AlgorithmIdentifier.from_node(reader.any(), "CertID.hashAlgorithm")
        return cls(
            hash_oid=algorithm.oid,
            issuer_name_hash=der.read_octet_string(reader.any(), "CertID.issuerNameHash"),
            issuer_key_hash=der.read_octet_string(reader.any(), "CertID.issuerKeyHash"),
            serial=der.read_integer(reader.last(), "CertID.serialNumber", max_bytes=64),
            raw=node.raw,
        )

    def is_of(self, issuer: Certificate) -> bool:
        """Tell whether this names a certificate of `issuer`; an unknown hash names none."""
        digest = _HASHES.get(self.hash_oid)
        return digest is not None and (
            digest(issuer.subject.der) == self.issuer_name_hash
            and digest(issuer.key_bits) == self.issuer_key_hash
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspRequest:
    """What a client asks: about which certificates, and with which nonce."""

    cert_ids: tuple[CertId, ...]
    nonce: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> OcspRequest:
        """Read an OCSPRequest; a requestor's name and signature are passed over; raise DecodeError."""
        _require_size(data)
        reader = der.parse_der(data).expect(Tag.SEQUENCE, "OCSPRequest").reader("OCSPRequest")
        body = reader.take(Tag.SEQUENCE, "tbsRequest").reader("tbsRequest")
        reader.optional(der.context(0))
        reader.finish()
        _read_version(body.optional(der.context(0)))
        body.optional(der.context(1))
        requests = body.take(Tag.SEQUENCE, "requestList").children(limit=MAX_CERT_IDS)
        block = body.optional(der.context(2))
        body.finish()
        if not requests:
            message = "the OCSP request asks about no certificate"
            raise DecodeError(message)
        return cls(cert_ids=tuple(_read_request(node) for node in requests), nonce=_read_nonce(block))

    @property
    def der(self) -> bytes:
        """The request as DER."""
        requests = der.sequence(*(der.sequence(cert_id.raw) for cert_id in self.cert_ids))
        nonce = [build_nonce(self.nonce)] if self.nonce is not None else []
        block = der.explicit(2, ext.build_extensions(nonce)) if nonce else b""
        return der.sequence(der.sequence(requests, block))


class OcspResponseStatus(IntEnum):
    """Whether a response answers at all (RFC 6960 4.2.1)."""

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


class CertStatus(StrEnum):
    """What a responder or a list says of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleResponse:
    """What a responder says about one certificate."""

    cert_id: CertId
    status: CertStatus
    this_update: datetime
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspResponse:
    """A response. Its signature has not been checked: see `verify`.

    Everything but `der` and `status` is empty unless the status is successful.
    """

    der: bytes
    status: OcspResponseStatus
    tbs: bytes = b""
    responder_name: Name | None = None
    responder_key_hash: bytes | None = None
    produced_at: datetime | None = None
    responses: tuple[SingleResponse, ...] = ()
    nonce: bytes | None = None
    certificates: tuple[Certificate, ...] = ()
    signature_algorithm: AlgorithmIdentifier | None = None
    signature: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> OcspResponse:
        """Read an OCSPResponse that holds a BasicOCSPResponse, or an error status; raise DecodeError."""
        _require_size(data)
        what = "OCSPResponse"
        reader = der.parse_der(data).expect(Tag.SEQUENCE, what).reader(what)
        status = _read_status(reader.any())
        wrapped = reader.optional(der.context(0))
        reader.finish()
        if (wrapped is None) == (status is OcspResponseStatus.SUCCESSFUL):
            message = f"{what}: status and body contradict each other"
            raise DecodeError(message)
        return _parse_basic(bytes(data), wrapped) if wrapped else cls(der=bytes(data), status=status)

    def find(self, serial: int, issuer: Certificate) -> SingleResponse | None:
        """Return what is said about the certificate `serial` of `issuer`, or None."""
        return next(
            (one for one in self.responses if one.cert_id.serial == serial and one.cert_id.is_of(issuer)),
            None,
        )

    def verify(self, *, issuer: Certificate, nonce: bytes | None = None) -> Certificate:
        """Verify that `issuer`, or a responder that `issuer` delegated, signed this response.

        1. The response is successful, and its nonce is `nonce` where one is given.
        2. The responder's certificate is the issuer's, or one in the response that the issuer itself
           signed, for OCSP signing (extended key usage), valid when the response was produced.
        3. The signature verifies with that certificate's key.

        Returns the responder's certificate. Whether it was revoked is not looked at. Raises
        EvidenceRefused, SignatureInvalid or KeyUnusable. Source: RFC 6960 3.2, 4.2.2.2.
        """
        if self.status is not OcspResponseStatus.SUCCESSFUL or self.signature_algorithm is None:
            message = f"the OCSP responder answered {self.status.name.lower()}"
            raise EvidenceRefused(message)
        if nonce is not None and self.nonce != nonce:
            message = "the OCSP response does not carry the nonce of the request"
            raise EvidenceRefused(message)
        responder = self._responder(issuer)
        if responder != issuer:
            self._require_delegated(responder, issuer)
        verify_signed(responder.require_key(), self.signature_algorithm, self.signature, self.tbs)
        return responder

    def _responder(self, issuer: Certificate) -> Certificate:
        for certificate in (issuer, *self.certificates):
            if self.responder_name is not None and self.responder_name.der == certificate.subject.der:
                return certificate
            if self.responder_key_hash is not None and self.responder_key_hash in (
                digest(certificate.key_bits) for digest in _HASHES.values()
            ):
                return certificate
        message = "the OCSP response does not hold its responder's certificate"
        raise EvidenceRefused(message)

    def _require_delegated(self, responder: Certificate, issuer: Certificate) -> None:
        if responder.issuer.der != issuer.subject.der:
            message = "the OCSP responder's certificate is not from the issuer it speaks for"
            raise EvidenceRefused(message)
        responder.verify_issued_by(issuer)
        if oids.EKU_OCSP_SIGNING not in (responder.extended_key_usage or ()):
            message = "the OCSP responder's certificate is not for OCSP signing"
            raise EvidenceRefused(message)
        if responder.key_usage is not None and KeyUsage.DIGITAL_SIGNATURE not in responder.key_usage:
            message = "the OCSP responder's certificate is not for signatures"
            raise EvidenceRefused(message)
        if self.produced_at is None or not responder.is_valid_at(self.produced_at):
            message = "the OCSP responder's certificate was not valid when it answered"
            raise EvidenceRefused(message)


def build_ocsp_request(
    *serials: int, issuer: Certificate, nonce: bytes | None = None, hash_oid: str = oids.SM3
) -> bytes:
    """Make an OCSP request about certificates of `issuer` and return its DER."""
    cert_ids = tuple(CertId.build(serial, issuer, hash_oid=hash_oid) for serial in serials)
    return OcspRequest(cert_ids=cert_ids, nonce=nonce).der


def build_nonce(nonce: bytes) -> Extension:
    """Write the nonce extension (RFC 9654 2.1); raise EncodeError unless it has 1 to 128 octets."""
    if not 1 <= len(nonce) <= MAX_NONCE_BYTES:
        message = f"an OCSP nonce has 1 to {MAX_NONCE_BYTES} octets"
        raise EncodeError(message)
    return Extension(oids.OCSP_NONCE, False, der.octet_string(nonce))


def _require_size(data: bytes) -> None:
    if len(data) > MAX_OCSP_BYTES:
        message = f"an OCSP message has at most {MAX_OCSP_BYTES} octets"
        raise DecodeError(message)


def _read_version(node: Node | None) -> None:
    if node is not None and der.read_integer(node.only_child("version"), "version", max_bytes=1) != 0:
        message = "an OCSP message must be of version 1"
        raise DecodeError(message)


def _read_request(node: Node) -> CertId:
    reader = node.expect(Tag.SEQUENCE, "Request").reader("Request")
    cert_id = CertId.from_node(reader.any())
    reader.optional(der.context(0))
    reader.finish()
    return cert_id


def _read_nonce(block: Node | None) -> bytes | None:
    if block is None:
        return None
    for extension in ext.parse_extensions(block.only_child("extensions")):
        if extension.oid == oids.OCSP_NONCE:
            nonce = der.read_octet_string(der.parse_der(extension.value), "nonce")
            if not 1 <= len(nonce) <= MAX_NONCE_BYTES:
                message = f"an OCSP nonce has 1 to {MAX_NONCE_BYTES} octets"
                raise DecodeError(message)
            return nonce
        if extension.critical:
            message = f"the critical OCSP extension {extension.oid} is not understood"
            raise DecodeError(message)
    return None


def _read_status(node: Node) -> OcspResponseStatus:
    try:
        return OcspResponseStatus(der.read_integer(node, "responseStatus", max_bytes=1, tag=Tag.ENUMERATED))
    except ValueError as error:
        message = "responseStatus: not a defined status"
        raise DecodeError(message) from error


def _parse_basic(data: bytes, wrapped: Node) -> OcspResponse:
    reader = wrapped.only_child("responseBytes").expect(Tag.SEQUENCE, "responseBytes").reader("responseBytes")
    if der.read_oid(reader.any(), "responseType") != oids.OCSP_BASIC:
        message = "the OCSP response is not a basic one"
        raise DecodeError(message)
    what = "BasicOCSPResponse"
    basic = (
        der.parse_der(der.read_octet_string(reader.last(), "response"))
        .expect(Tag.SEQUENCE, what)
        .reader(what)
    )
    parts = read_signed(basic, what)
    certificates = _read_certificates(basic.optional(der.context(0)))
    basic.finish()
    body = parts.body.reader("ResponseData")
    _read_version(body.optional(der.context(0)))
    responder_name, responder_key_hash = _read_responder_id(body.any())
    produced_at = der.read_time(body.take(Tag.GENERALIZED_TIME, "producedAt"), "producedAt")
    singles = body.take(Tag.SEQUENCE, "responses").children(limit=MAX_CERT_IDS)
    nonce = _read_nonce(body.optional(der.context(1)))
    body.finish()
    return OcspResponse(
        der=data,
        status=OcspResponseStatus.SUCCESSFUL,
        tbs=parts.body.raw,
        responder_name=responder_name,
        responder_key_hash=responder_key_hash,
        produced_at=produced_at,
        responses=tuple(_read_single(node) for node in singles),
        nonce=nonce,
        certificates=certificates,
        signature_algorithm=parts.algorithm,
        signature=parts.signature,
    )


def _read_certificates(block: Node | None) -> tuple[Certificate, ...]:
    if block is None:
        return ()
    found = block.only_child("certs").expect(Tag.SEQUENCE, "certs").children(limit=16)
    return tuple(Certificate.from_node(node) for node in found)


def _read_responder_id(node: Node) -> tuple[Name | None, bytes | None]:
    child = node.only_child("responderID")
    if node.tag == der.context(1):
        return Name.from_node(child), None
    node.expect(der.context(2), "responderID")
    return None, der.read_octet_string(child, "responderID.byKey")


def _read_single(node: Node) -> SingleResponse:
    what = "SingleResponse"
    reader = node.expect(Tag.SEQUENCE, what).reader(what)
    cert_id = CertId.from_node(reader.any())
    status, revoked_at, reason = _read_cert_status(reader.any())
    this_update = der.read_time(reader.take(Tag.GENERALIZED_TIME, "thisUpdate"), "thisUpdate")
    following = reader.optional(der.context(0))
    block = reader.optional(der.context(1))
    reader.finish()
    if block and any(extension.critical for extension in ext.parse_extensions(block.only_child(what))):
        message = f"{what}: a critical extension that is not understood"
        raise DecodeError(message)
    return SingleResponse(
        cert_id=cert_id,
        status=status,
        this_update=this_update,
        next_update=der.read_time(following.only_child("nextUpdate"), "nextUpdate") if following else None,
        revoked_at=revoked_at,
        reason=reason,
    )


def _read_cert_status(node: Node) -> tuple[CertStatus, datetime | None, RevocationReason | None]:
    if node.tag in (der.context(0, constructed=False), der.context(2, constructed=False)) and not len(node):
        return (CertStatus.UNKNOWN if node.tag & 2 else CertStatus.GOOD), None, None
    reader = node.expect(der.context(1), "certStatus").reader("RevokedInfo")
    revoked_at = der.read_time(reader.any(), "revocationTime")
    reason = reader.optional(der.context(0))
    reader.finish()
    return CertStatus.REVOKED, revoked_at, read_reason(reason.only_child("reason")) if reason else None
