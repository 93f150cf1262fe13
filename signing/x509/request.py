"""Certificate requests (PKCS#10).

Source: RFC 2986, RFC 2985 5.4.2 (extensionRequest).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from signing import der, oids
from signing.der import Node, Tag
from signing.errors import DecodeError, KeyUnusable
from signing.signer import Signer
from signing.sm2 import PublicKey
from signing.x509 import pem
from signing.x509.algorithms import AlgorithmIdentifier, build_signed, parse_signed
from signing.x509.certificate import MAX_CERTIFICATE_BYTES, read_public_key, verify_signed
from signing.x509.extensions import Extension, build_extensions, parse_extensions
from signing.x509.names import Name

_LABELS: Final = (pem.CERTIFICATE_REQUEST, "NEW CERTIFICATE REQUEST")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A request for a certificate. Its signature has not been checked: see `verify`."""

    der: bytes
    info: bytes
    subject: Name
    public_key: PublicKey | None
    extensions: tuple[Extension, ...]
    signature_algorithm: AlgorithmIdentifier
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> CertificateRequest:
        """Read a request from DER or PEM; raise DecodeError."""
        octets = pem.der_or_pem(data, *_LABELS)
        if len(octets) > MAX_CERTIFICATE_BYTES:
            message = f"a certificate request has at most {MAX_CERTIFICATE_BYTES} octets"
            raise DecodeError(message)
        what = "CertificationRequest"
        parts = parse_signed(der.parse_der(octets), what)
        reader = parts.body.reader("CertificationRequestInfo")
        if der.read_integer(reader.any(), "version", max_bytes=1) != 0:
            message = "a certificate request must be of version 0"
            raise DecodeError(message)
        subject = Name.from_node(reader.any())
        _, public_key = read_public_key(reader.take(Tag.SEQUENCE, "subjectPKInfo"))
        attributes = reader.optional(der.context(0))
        reader.finish()
        return cls(
            der=octets,
            info=parts.body.raw,
            subject=subject,
            public_key=public_key,
            extensions=_requested_extensions(attributes) if attributes else (),
            signature_algorithm=parts.algorithm,
            signature=parts.signature,
        )

    @property
    def pem(self) -> str:
        """The request in PEM armour."""
        return pem.build_pem(pem.CERTIFICATE_REQUEST, self.der)

    def require_key(self) -> PublicKey:
        """Return the SM2 key; raise KeyUnusable where the request holds another kind."""
        if self.public_key is None:
            message = "the certificate request does not hold an SM2 key"
            raise KeyUnusable(message)
        return self.public_key

    def verify(self) -> None:
        """Verify that the maker holds the private key; raise SignatureInvalid or KeyUnusable."""
        verify_signed(self.require_key(), self.signature_algorithm, self.signature, self.info)


def build_request(
    subject: Name, signer: Signer, *, extensions: Iterable[Extension] = ()
) -> CertificateRequest:
    """Make a certificate request signed with the key it asks a certificate for."""
    wanted = build_extensions(extensions)
    attributes = b""
    if der.parse_der(wanted).content:
        attributes = der.sequence(der.oid(oids.ATTR_EXTENSION_REQUEST), der.set_of(wanted))
    info = der.sequence(
        der.integer(0), subject.der, signer.public_key.spki, der.encode(der.context(0), attributes)
    )
    return CertificateRequest.parse(build_signed(info, signer.sign(info)))


def _requested_extensions(attributes: Node) -> tuple[Extension, ...]:
    for attribute in attributes.children(limit=64):
        reader = attribute.expect(Tag.SEQUENCE, "attribute").reader("attribute")
        kind = der.read_oid(reader.any(), "attribute.type")
        values = reader.last().expect(Tag.SET, "attribute.values")
        if kind == oids.ATTR_EXTENSION_REQUEST:
            return parse_extensions(values.only_child("extensionRequest"))
    return ()
