"""Read and verify time-stamp tokens.

Source: RFC 3161 2.4.2 and 4, RFC 5816, RFC 5035 (ESS), GB/T 20520.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signing import cms, der, oids, sm3
from signing.cms import SignedData
from signing.der import Node, Tag
from signing.errors import DecodeError, EvidenceRefused
from signing.timestamp.request import MessageImprint
from signing.timestamp.response import TimeStampResponse
from signing.x509.algorithms import AlgorithmIdentifier
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList
from signing.x509.extensions import Extension, parse_extensions
from signing.x509.ocsp import OcspResponse
from signing.x509.path import TSA_POLICY, PathPolicy, PathReport, verify_path

MAX_TOKEN_BYTES: Final = 1024 * 1024
MAX_SERIAL_BYTES: Final = 21
_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    oids.SM3: sm3.digest,
    oids.SHA256: lambda data: hashlib.sha256(data).digest(),
    oids.SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TstInfo:
    """What a token states. `accuracy` is None where the authority states none."""

    der: bytes
    policy: str
    imprint: MessageImprint
    serial: int
    generated_at: datetime
    accuracy: timedelta | None = None
    ordering: bool = False
    nonce: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> TstInfo:
        """Read a TSTInfo; raise DecodeError, also for a critical extension."""
        reader = der.parse_der(data).expect(Tag.SEQUENCE, "TSTInfo").reader("TSTInfo")
        if der.read_integer(reader.any(), "TSTInfo.version", max_bytes=1) != 1:
            message = "a time stamp must be of version 1"
            raise DecodeError(message)
        policy = der.read_oid(reader.any(), "TSTInfo.policy")
        imprint = MessageImprint.from_node(reader.any())
        serial = der.read_integer(reader.any(), "TSTInfo.serialNumber", max_bytes=MAX_SERIAL_BYTES)
        moment = der.read_time(reader.take(Tag.GENERALIZED_TIME, "genTime"), "genTime", fraction=True)
        accuracy = reader.optional(Tag.SEQUENCE)
        ordering = reader.optional(Tag.BOOLEAN)
        nonce = reader.optional(Tag.INTEGER)
        reader.optional(der.context(0))
        extensions = reader.optional(der.context(1))
        reader.finish()
        _refuse_critical(extensions)
        return cls(
            der=bytes(data),
            policy=policy,
            imprint=imprint,
            serial=serial,
            generated_at=moment,
            accuracy=_read_accuracy(accuracy) if accuracy else None,
            ordering=der.read_boolean(ordering, "ordering") if ordering else False,
            nonce=der.read_integer(nonce, "nonce", max_bytes=64) if nonce else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStampToken:
    """A token: what it states, and the signed data around it. Nothing has been verified."""

    info: TstInfo
    signed: SignedData

    @classmethod
    def parse(cls, data: bytes) -> TimeStampToken:
        """Read a ContentInfo, or a whole TimeStampResp that grants one; raise DecodeError.

        The signed data may bear the OID of GB/T 35275; the content must be a TSTInfo with one signer.
        """
        if len(data) > MAX_TOKEN_BYTES:
            message = f"a time-stamp token has at most {MAX_TOKEN_BYTES} octets"
            raise DecodeError(message)
        signed = cms.signed_data_from_node(_unwrap(der.parse_der(data)))
        if signed.content_type != oids.CT_TST_INFO or signed.content is None:
            message = "the content of the token is not a time stamp"
            raise DecodeError(message)
        if len(signed.signers) != 1 or signed.signers[0].attributes is None:
            message = "a time-stamp token must have one signer, with signed attributes"
            raise DecodeError(message)
        return cls(info=TstInfo.parse(signed.content), signed=signed)

    @property
    def der(self) -> bytes:
        """The token's ContentInfo, without a response around it."""
        return self.signed.der


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedTimeStamp:
    """A token that verified: what it states, who signed it, and the path to the trusted root."""

    info: TstInfo
    authority: Certificate
    path: PathReport


def verify_token_signature(token: TimeStampToken, *, certificates: Sequence[Certificate] = ()) -> Certificate:
    """Verify the token's own signature and return its authority's certificate, whose trust is not judged.

    1. The certificate is found by issuer and serial number, in the token or among `certificates`.
    2. contentType is TSTInfo, messageDigest is SM3 of it, the signature verifies over the attributes.
    3. The ESS attribute is there and names this certificate first.

    Raises EvidenceRefused, SignatureInvalid, KeyUnusable or DecodeError.
    """
    verified = cms.verify_signed_data(token.signed, certificates=certificates)[0]
    _require_ess(verified.info, verified.certificate)
    return verified.certificate


def verify_time_stamp(
    data: bytes,
    *,
    digest: bytes,
    roots: Sequence[Certificate],
    intermediates: Sequence[Certificate] = (),
    crls: Sequence[bytes | RevocationList] = (),
    ocsp_responses: Sequence[bytes | OcspResponse] = (),
    nonce: int | None = None,
    policies: Collection[str] | None = None,
    path_policy: PathPolicy = TSA_POLICY,
) -> VerifiedTimeStamp:
    """Verify a token (or a response holding one) over the SM3 `digest`, completely.

    1. The token reads strictly and its own signature verifies (`verify_token_signature`).
    2. The imprint is SM3 and equals `digest`; the nonce equals `nonce` where one was sent.
    3. The policy is one of `policies` where these are given.
    4. The authority's certificate is for time stamping alone, critically so, and leads to one of `roots`
       at the time stamped, unrevoked.

    Raises DecodeError, EvidenceRefused, SignatureInvalid or KeyUnusable.
    Source: RFC 3161 2.2 and 2.3, GB/T 20520.
    """
    token = TimeStampToken.parse(data)
    info = token.info
    authority = verify_token_signature(token, certificates=intermediates)
    if not info.imprint.is_sm3 or not hmac.compare_digest(info.imprint.digest, digest):
        message = "the time stamp is over other data"
        raise EvidenceRefused(message)
    if nonce is not None and info.nonce != nonce:
        message = "the time stamp does not carry the nonce of the request"
        raise EvidenceRefused(message)
    if policies is not None and info.policy not in policies:
        message = f"the time stamp's policy {info.policy} is not an accepted one"
        raise EvidenceRefused(message)
    path = verify_path(
        authority,
        roots=roots,
        at=info.generated_at,
        intermediates=(*intermediates, *token.signed.certificates),
        crls=crls,
        ocsp_responses=ocsp_responses,
        policy=path_policy,
    )
    return VerifiedTimeStamp(info=info, authority=authority, path=path)


def _unwrap(node: Node) -> Node:
    """Take the token out of a TimeStampResp, which begins with a SEQUENCE where a token has an OID."""
    children = node.expect(Tag.SEQUENCE, "time-stamp token").children(limit=2)
    if not children or children[0].tag != Tag.SEQUENCE:
        return node
    response = TimeStampResponse.from_node(node)
    if response.token is None:
        message = f"the time-stamp response holds no token: {response.status.name.lower()}"
        raise DecodeError(message)
    return children[1]


def _refuse_critical(block: Node | None) -> None:
    extensions: tuple[Extension, ...] = ()
    if block is not None:
        extensions = parse_extensions(der.parse_der(bytes((Tag.SEQUENCE,)) + block.raw[1:]))
    if any(extension.critical for extension in extensions):
        message = "the time stamp has a critical extension that is not understood"
        raise DecodeError(message)


def _read_accuracy(node: Node) -> timedelta:
    reader = node.reader("accuracy")
    seconds = reader.optional(Tag.INTEGER)
    millis = reader.optional(der.context(0, constructed=False))
    micros = reader.optional(der.context(1, constructed=False))
    reader.finish()
    values = [
        der.read_integer(part, "accuracy", max_bytes=4, tag=part.tag) if part else 0
        for part in (seconds, millis, micros)
    ]
    if min(values) < 0 or max(values[1:]) > 999:
        message = "accuracy: out of range"
        raise DecodeError(message)
    return timedelta(seconds=values[0], milliseconds=values[1], microseconds=values[2])


def _require_ess(signer: cms.SignerInfo, certificate: Certificate) -> None:
    for oid, default in (
        (oids.ATTR_SIGNING_CERTIFICATE_V2, oids.SHA256),
        (oids.ATTR_SIGNING_CERTIFICATE, oids.SHA1),
    ):
        value = signer.attribute(oid)
        if value is not None:
            _require_named(der.parse_der(value), default, certificate)
            return
    message = "the time-stamp token does not say which certificate signed it (ESS)"
    raise EvidenceRefused(message)


def _require_named(node: Node, default: str, certificate: Certificate) -> None:
    """Refuse unless the first ESSCertID is that of `certificate` (RFC 5035 4 and 5)."""
    listed = node.expect(Tag.SEQUENCE, "SigningCertificate").reader("SigningCertificate")
    first = listed.take(Tag.SEQUENCE, "certs").reader("certs").take(Tag.SEQUENCE, "ESSCertID")
    reader = first.reader("ESSCertID")
    algorithm = reader.optional(Tag.SEQUENCE)
    oid = AlgorithmIdentifier.from_node(algorithm).oid if algorithm else default
    cert_hash = der.read_octet_string(reader.any(), "certHash")
    name = reader.optional(Tag.SEQUENCE)
    reader.finish()
    digest = _HASHES.get(oid)
    if digest is None or not hmac.compare_digest(digest(certificate.der), cert_hash):
        message = "the time-stamp token was signed for another certificate than the one it names"
        raise EvidenceRefused(message)
    if name is not None:
        _require_issuer_serial(name, certificate)


def _require_issuer_serial(node: Node, certificate: Certificate) -> None:
    reader = node.reader("issuerSerial")
    names = reader.take(Tag.SEQUENCE, "issuer").children(limit=4)
    serial = der.read_integer(reader.last(), "serialNumber", max_bytes=64)
    directory = [name.only_child("issuer").raw for name in names if name.tag == der.context(4)]
    if serial != certificate.serial or certificate.issuer.der not in directory:
        message = "the time-stamp token names another certificate by issuer and serial number"
        raise EvidenceRefused(message)
