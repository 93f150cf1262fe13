"""Signed data as values.

Source: GB/T 35275-2017 8, RFC 5652 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing import der, oids
from signing.errors import DecodeError
from signing.sm2 import parse_signature
from signing.x509.algorithms import AlgorithmIdentifier
from signing.x509.certificate import Certificate
from signing.x509.names import Name

RAW_SIGNATURE_BYTES: Final = 64
DATA_OIDS: Final = frozenset({oids.GM_DATA, oids.CMS_DATA})
SIGNED_DATA_OIDS: Final = frozenset({oids.GM_SIGNED_DATA, oids.CMS_SIGNED_DATA})


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
