"""Certificates, read from their original octets.

Reading is tolerant of what real CAs write (NULL parameters, explicit defaults, padded key usage, old
string types); judging a certificate is the work of `signing.x509.path`.

Source: RFC 5280 4.1, GM/T 0015 5.2, GM/T 0009 (default distinguishing identifier).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from signing import der, oids, sm3
from signing.der import Node, Tag
from signing.errors import DecodeError, KeyUnusable, SignatureInvalid
from signing.sm2 import PublicKey
from signing.x509 import extensions as ext
from signing.x509 import pem
from signing.x509.algorithms import AlgorithmIdentifier, parse_signed, require_same_algorithm
from signing.x509.extensions import AuthorityKeyIdentifier, BasicConstraints, Extension, KeyUsage
from signing.x509.names import Name

MAX_CERTIFICATE_BYTES: Final = 256 * 1024
MAX_SERIAL_BYTES: Final = 20

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """A certificate. Two are equal when their octets are.

    `public_key` is None where the key is not an SM2 key; such a certificate can be shown, not used.
    `key_usage`, `extended_key_usage`, `basic_constraints` and the key identifiers are None where the
    extension is absent.
    """

    der: bytes
    tbs: bytes
    version: int
    serial: int
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    issuer: Name
    subject: Name
    not_before: datetime
    not_after: datetime
    spki: bytes
    key_bits: bytes
    public_key: PublicKey | None
    extensions: tuple[Extension, ...]
    basic_constraints: BasicConstraints | None
    key_usage: frozenset[KeyUsage] | None
    extended_key_usage: tuple[str, ...] | None
    subject_key_identifier: bytes | None
    authority_key_identifier: AuthorityKeyIdentifier | None
    policies: tuple[str, ...]
    crl_urls: tuple[str, ...]
    ocsp_urls: tuple[str, ...]
    issuer_urls: tuple[str, ...]

    @classmethod
    def parse(cls, data: bytes) -> Certificate:
        """Read a certificate from DER or from the first PEM block; raise DecodeError."""
        octets = pem.der_or_pem(data, pem.CERTIFICATE)
        if len(octets) > MAX_CERTIFICATE_BYTES:
            message = f"a certificate has at most {MAX_CERTIFICATE_BYTES} octets"
            raise DecodeError(message)
        return cls.from_node(der.parse_der(octets))

    @classmethod
    def from_node(cls, node: Node) -> Certificate:
        """Read a certificate that is part of a larger structure; raise DecodeError."""
        what = "Certificate"
        parts = parse_signed(node, what)
        reader = parts.body.reader("TBSCertificate")
        version = _read_version(reader.optional(der.context(0)))
        serial = der.read_integer(reader.any(), "serialNumber", max_bytes=64)
        require_same_algorithm(reader.any(), parts.algorithm, what)
        issuer = Name.from_node(reader.any())
        not_before, not_after = _read_validity(reader.take(Tag.SEQUENCE, "validity"))
        subject = Name.from_node(reader.any())
        spki = reader.take(Tag.SEQUENCE, "subjectPublicKeyInfo")
        key_bits, public_key = read_public_key(spki)
        reader.optional(der.context(1, constructed=False))
        reader.optional(der.context(2, constructed=False))
        block = reader.optional(der.context(3))
        reader.finish()
        extensions = ext.parse_extensions(block.only_child("extensions")) if block else ()
        values = {extension.oid: extension.value for extension in extensions}
        find = partial(_find, values)
        access = find(oids.EXT_AUTHORITY_INFO_ACCESS, ext.parse_authority_info_access) or ()
        return cls(
            der=node.raw,
            tbs=parts.body.raw,
            version=version,
            serial=serial,
            signature_algorithm=parts.algorithm,
            signature=parts.signature,
            issuer=issuer,
            subject=subject,
            not_before=not_before,
            not_after=not_after,
            spki=spki.raw,
            key_bits=key_bits,
            public_key=public_key,
            extensions=extensions,
            basic_constraints=find(oids.EXT_BASIC_CONSTRAINTS, ext.parse_basic_constraints),
            key_usage=find(oids.EXT_KEY_USAGE, ext.parse_key_usage),
            extended_key_usage=find(oids.EXT_EXTENDED_KEY_USAGE, ext.parse_extended_key_usage),
            subject_key_identifier=find(oids.EXT_SUBJECT_KEY_IDENTIFIER, ext.parse_subject_key_identifier),
            authority_key_identifier=find(
                oids.EXT_AUTHORITY_KEY_IDENTIFIER, ext.parse_authority_key_identifier
            ),
            policies=find(oids.EXT_CERTIFICATE_POLICIES, ext.parse_certificate_policies) or (),
            crl_urls=find(oids.EXT_CRL_DISTRIBUTION_POINTS, ext.parse_crl_distribution_points) or (),
            ocsp_urls=tuple(url for method, url in access if method == oids.AD_OCSP),
            issuer_urls=tuple(url for method, url in access if method == oids.AD_CA_ISSUERS),
        )

    def __eq__(self, other: object) -> bool:
        return self.der == other.der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.subject} serial {self.serial:x}>"

    @property
    def pem(self) -> str:
        """The certificate in PEM armour."""
        return pem.build_pem(pem.CERTIFICATE, self.der)

    @property
    def fingerprint(self) -> bytes:
        """SM3 of the certificate's octets."""
        return sm3.digest(self.der)

    @property
    def is_ca(self) -> bool:
        """Tell whether basicConstraints says CA."""
        return self.basic_constraints is not None and self.basic_constraints.ca

    @property
    def is_self_issued(self) -> bool:
        """Tell whether issuer and subject are the same name."""
        return self.issuer.der == self.subject.der

    @property
    def critical_oids(self) -> frozenset[str]:
        """The OIDs of the extensions marked critical."""
        return frozenset(extension.oid for extension in self.extensions if extension.critical)

    def extension(self, oid: str) -> Extension | None:
        """Return the extension `oid`, or None."""
        return next((extension for extension in self.extensions if extension.oid == oid), None)

    def is_valid_at(self, at: datetime) -> bool:
        """Tell whether `at` lies within the validity period (both ends included)."""
        return self.not_before <= at <= self.not_after

    def require_key(self) -> PublicKey:
        """Return the SM2 key; raise KeyUnusable where the certificate holds another kind."""
        if self.public_key is None:
            message = "the certificate does not hold an SM2 key"
            raise KeyUnusable(message)
        return self.public_key

    def verify_issued_by(self, issuer: Certificate) -> None:
        """Verify this certificate's signature with `issuer`'s key, and nothing else.

        Raises SignatureInvalid for a wrong signature or another algorithm than SM2 with SM3, KeyUnusable
        when the issuer's key is not SM2.
        """
        verify_signed(issuer.require_key(), self.signature_algorithm, self.signature, self.tbs)


def verify_signed(
    key: PublicKey, algorithm: AlgorithmIdentifier, signature: bytes, signed_bytes: bytes
) -> None:
    """Verify an SM2-with-SM3 signature under the default identifier; raise SignatureInvalid."""
    if not algorithm.is_sm2_with_sm3():
        message = f"the signature algorithm {algorithm.oid} is not SM2 with SM3"
        raise SignatureInvalid(message)
    key.verify(signature, signed_bytes)


def read_public_key(spki: Node) -> tuple[bytes, PublicKey | None]:
    """Read a SubjectPublicKeyInfo as (key bits, SM2 key or None for another kind of key).

    A point that is not on the curve raises DecodeError.
    """
    reader = spki.reader("subjectPublicKeyInfo")
    algorithm = AlgorithmIdentifier.from_node(reader.any(), "subjectPublicKeyInfo.algorithm")
    key_bits = der.read_bit_string(reader.last(), "subjectPublicKey")
    if algorithm.oid != oids.EC_PUBLIC_KEY or algorithm.parameters != der.oid(oids.SM2_CURVE):
        return key_bits, None
    try:
        return key_bits, PublicKey.from_point(key_bits)
    except KeyUnusable as error:
        raise DecodeError(error.detail) from error


def key_identifier(public_key: PublicKey) -> bytes:
    """Derive a key identifier: the leftmost 160 bits of SM3 over the point (as RFC 7093 2, with SM3)."""
    return sm3.digest(public_key.point)[:20]


def _find(values: dict[str, bytes], oid: str, parse: Callable[[bytes], _T]) -> _T | None:
    return parse(values[oid]) if oid in values else None


def _read_version(node: Node | None) -> int:
    if node is None:
        return 1
    version = der.read_integer(node.only_child("version"), "version", max_bytes=1)
    if version not in (0, 1, 2):
        message = f"a certificate of version {version + 1} is unknown"
        raise DecodeError(message)
    return version + 1


def _read_validity(node: Node) -> tuple[datetime, datetime]:
    reader = node.reader("validity")
    not_before = der.read_time(reader.any(), "notBefore")
    return not_before, der.read_time(reader.last(), "notAfter")
