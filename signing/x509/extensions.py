"""Certificate extensions: read with tolerance, written strictly.

Tolerated when reading, because real CAs write them: an explicit `critical FALSE`, an explicit
`cA FALSE`, key usage with trailing zero bits.

Source: RFC 5280 4.2, RFC 6960 4.2.2.2.1, GM/T 0015 5.2.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from signing import der, oids
from signing.der import Node, Tag
from signing.errors import DecodeError
from signing.x509.names import Name

_URI: Final = der.context(6, constructed=False)
_KEY_IDENTIFIER: Final = der.context(0, constructed=False)


class KeyUsage(IntEnum):
    """The bits of keyUsage (RFC 5280 4.2.1.3)."""

    DIGITAL_SIGNATURE = 0
    NON_REPUDIATION = 1
    KEY_ENCIPHERMENT = 2
    DATA_ENCIPHERMENT = 3
    KEY_AGREEMENT = 4
    KEY_CERT_SIGN = 5
    CRL_SIGN = 6
    ENCIPHER_ONLY = 7
    DECIPHER_ONLY = 8


SIGNING_USAGE: Final = frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION})
ENCIPHERMENT_USAGE: Final = frozenset(
    {
        KeyUsage.KEY_ENCIPHERMENT,
        KeyUsage.DATA_ENCIPHERMENT,
        KeyUsage.ENCIPHER_ONLY,
        KeyUsage.DECIPHER_ONLY,
    }
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: its OID, whether it is critical, and the DER inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes

    @classmethod
    def from_node(cls, node: Node) -> Extension:
        """Read an Extension; raise DecodeError."""
        reader = node.expect(Tag.SEQUENCE, "Extension").reader("Extension")
        oid = der.read_oid(reader.any(), "Extension.extnID")
        flag = reader.optional(Tag.BOOLEAN)
        critical = der.read_boolean(flag, "Extension.critical") if flag else False
        return cls(oid, critical, der.read_octet_string(reader.last(), "Extension.extnValue"))

    @property
    def der(self) -> bytes:
        """The extension as DER (`critical` only when true)."""
        flag = der.boolean(True) if self.critical else b""
        return der.sequence(der.oid(self.oid), flag, der.octet_string(self.value))


def parse_extensions(node: Node) -> tuple[Extension, ...]:
    """Read Extensions; an extension that comes twice, or an empty list, is refused (RFC 5280 4.2)."""
    found = tuple(
        Extension.from_node(child) for child in node.expect(Tag.SEQUENCE, "Extensions").children(limit=128)
    )
    if not found or len({extension.oid for extension in found}) != len(found):
        message = "Extensions: empty, or one of them comes twice"
        raise DecodeError(message)
    return found


def build_extensions(extensions: Iterable[Extension]) -> bytes:
    """Write Extensions."""
    return der.sequence(*(extension.der for extension in extensions))


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """Whether the subject is a CA, and how many CA certificates may follow below it."""

    ca: bool = False
    path_length: int | None = None


def parse_basic_constraints(value: bytes) -> BasicConstraints:
    """Read BasicConstraints (RFC 5280 4.2.1.9); an explicit `cA FALSE` is accepted."""
    reader = der.parse_der(value).expect(Tag.SEQUENCE, "basicConstraints").reader("basicConstraints")
    flag = reader.optional(Tag.BOOLEAN)
    length = reader.optional(Tag.INTEGER)
    reader.finish()
    path_length = der.read_integer(length, "pathLenConstraint", max_bytes=2) if length else None
    if path_length is not None and path_length < 0:
        message = "basicConstraints: a negative path length"
        raise DecodeError(message)
    return BasicConstraints(der.read_boolean(flag, "cA") if flag else False, path_length)


def basic_constraints(constraints: BasicConstraints, *, critical: bool) -> Extension:
    """Write BasicConstraints."""
    flag = der.boolean(True) if constraints.ca else b""
    length = b"" if constraints.path_length is None else der.integer(constraints.path_length)
    return Extension(oids.EXT_BASIC_CONSTRAINTS, critical, der.sequence(flag, length))


def parse_key_usage(value: bytes) -> frozenset[KeyUsage]:
    """Read KeyUsage; bits that the standard does not define are dropped."""
    bits = der.read_named_bits(der.parse_der(value), "keyUsage")
    return frozenset(KeyUsage(bit) for bit in bits if bit <= KeyUsage.DECIPHER_ONLY)


def key_usage(usages: Iterable[KeyUsage]) -> Extension:
    """Write KeyUsage, critical."""
    return Extension(oids.EXT_KEY_USAGE, True, der.named_bits(usages))


def parse_extended_key_usage(value: bytes) -> tuple[str, ...]:
    """Read ExtKeyUsageSyntax as OIDs."""
    node = der.parse_der(value).expect(Tag.SEQUENCE, "extKeyUsage")
    purposes = tuple(der.read_oid(child, "extKeyUsage") for child in node.children(limit=64))
    if not purposes:
        message = "extKeyUsage: empty"
        raise DecodeError(message)
    return purposes


def extended_key_usage(purposes: Iterable[str], *, critical: bool) -> Extension:
    """Write ExtKeyUsageSyntax."""
    value = der.sequence(*(der.oid(purpose) for purpose in purposes))
    return Extension(oids.EXT_EXTENDED_KEY_USAGE, critical, value)


def parse_subject_key_identifier(value: bytes) -> bytes:
    """Read SubjectKeyIdentifier."""
    return der.read_octet_string(der.parse_der(value), "subjectKeyIdentifier")


def subject_key_identifier(identifier: bytes) -> Extension:
    """Write SubjectKeyIdentifier."""
    return Extension(oids.EXT_SUBJECT_KEY_IDENTIFIER, False, der.octet_string(identifier))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityKeyIdentifier:
    """How the issuer's key is told from its others: by key identifier, by issuer and serial, or both."""

    key_identifier: bytes | None = None
    issuer: Name | None = None
    serial: int | None = None


def parse_authority_key_identifier(value: bytes) -> AuthorityKeyIdentifier:
    """Read AuthorityKeyIdentifier (RFC 5280 4.2.1.1); issuer names other than directory names go."""
    what = "authorityKeyIdentifier"
    reader = der.parse_der(value).expect(Tag.SEQUENCE, what).reader(what)
    key = reader.optional(_KEY_IDENTIFIER)
    names = reader.optional(der.context(1))
    serial = reader.optional(der.context(2, constructed=False))
    reader.finish()
    directory = [name for name in names.children(limit=64) if name.tag == der.context(4)] if names else []
    return AuthorityKeyIdentifier(
        key_identifier=key.content if key else None,
        issuer=Name.from_node(directory[0].only_child(what)) if directory else None,
        serial=der.read_integer(serial, what, tag=serial.tag) if serial else None,
    )


def authority_key_identifier(key_identifier: bytes) -> Extension:
    """Write AuthorityKeyIdentifier with a key identifier alone."""
    value = der.sequence(der.implicit(0, der.octet_string(key_identifier)))
    return Extension(oids.EXT_AUTHORITY_KEY_IDENTIFIER, False, value)


def parse_certificate_policies(value: bytes) -> tuple[str, ...]:
    """Read CertificatePolicies as policy OIDs; qualifiers are not interpreted."""
    policies = der.parse_der(value).expect(Tag.SEQUENCE, "certificatePolicies").children(limit=64)
    return tuple(
        der.read_oid(policy.expect(Tag.SEQUENCE, "certificatePolicies").reader("certificatePolicies").any())
        for policy in policies
    )


def certificate_policies(policies: Iterable[str]) -> Extension:
    """Write CertificatePolicies without qualifiers."""
    value = der.sequence(*(der.sequence(der.oid(policy)) for policy in policies))
    return Extension(oids.EXT_CERTIFICATE_POLICIES, False, value)


def parse_crl_distribution_points(value: bytes) -> tuple[str, ...]:
    """Read the URIs of CRLDistributionPoints that carry a whole CRL of the certificate's own issuer."""
    what = "cRLDistributionPoints"
    urls: list[str] = []
    for point in der.parse_der(value).expect(Tag.SEQUENCE, what).children(limit=64):
        reader = point.expect(Tag.SEQUENCE, what).reader(what)
        name = reader.optional(der.context(0))
        if name is not None and reader.peek() is None:
            urls += read_distribution_point_name(name)
    return tuple(urls)


def read_distribution_point_name(node: Node) -> list[str]:
    """Read the URIs of a DistributionPointName [0]; a name relative to the issuer gives none."""
    what = "distributionPoint"
    name = node.only_child(what)
    if name.tag != der.context(0):
        return []
    return [_read_uri(general) for general in name.children(limit=64) if general.tag == _URI]


def crl_distribution_points(urls: Iterable[str]) -> Extension:
    """Write CRLDistributionPoints: one point that has all `urls` as its names."""
    value = der.sequence(der.sequence(build_distribution_point_name(urls)))
    return Extension(oids.EXT_CRL_DISTRIBUTION_POINTS, False, value)


def build_distribution_point_name(urls: Iterable[str]) -> bytes:
    """Write DistributionPointName [0] { fullName [0] { URI… } }."""
    names = b"".join(der.implicit(6, der.ia5(url)) for url in urls)
    return der.explicit(0, der.encode(der.context(0), names))


def parse_authority_info_access(value: bytes) -> tuple[tuple[str, str], ...]:
    """Read AuthorityInfoAccess as (method OID, URI) pairs; other kinds of name are dropped."""
    what = "authorityInfoAccess"
    found: list[tuple[str, str]] = []
    for description in der.parse_der(value).expect(Tag.SEQUENCE, what).children(limit=64):
        reader = description.expect(Tag.SEQUENCE, what).reader(what)
        method, location = der.read_oid(reader.any(), what), reader.last()
        if location.tag == _URI:
            found.append((method, _read_uri(location)))
    return tuple(found)


def authority_info_access(pairs: Iterable[tuple[str, str]]) -> Extension:
    """Write AuthorityInfoAccess of (method OID, URI) pairs."""
    value = der.sequence(
        *(der.sequence(der.oid(method), der.implicit(6, der.ia5(url))) for method, url in pairs)
    )
    return Extension(oids.EXT_AUTHORITY_INFO_ACCESS, False, value)


def ocsp_no_check() -> Extension:
    """Write id-pkix-ocsp-nocheck: this responder's certificate is not itself checked for revocation."""
    return Extension(oids.OCSP_NO_CHECK, False, der.null())


def _read_uri(node: Node) -> str:
    try:
        return node.content.decode("ascii")
    except UnicodeDecodeError as error:
        message = f"the URI at octet {node.start} is not ASCII"
        raise DecodeError(message) from error
