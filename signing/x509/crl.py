"""Certificate revocation lists: whole lists of one issuer; delta and indirect lists are not used.

Source: RFC 5280 5.1–5.3, GM/T 0015 annex (CRL profile).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from signing import der, oids
from signing.der import Node, Tag
from signing.errors import DecodeError, EvidenceRefused
from signing.signer import Signer
from signing.x509 import extensions as ext
from signing.x509 import pem
from signing.x509.algorithms import (
    SM2_WITH_SM3,
    AlgorithmIdentifier,
    build_signed,
    parse_signed,
    require_same_algorithm,
)
from signing.x509.certificate import Certificate, verify_signed
from signing.x509.errors import IssuanceRefused
from signing.x509.extensions import AuthorityKeyIdentifier, Extension, KeyUsage
from signing.x509.names import Name

MAX_CRL_BYTES: Final = 64 * 1024 * 1024
_MIN_ENTRY_BYTES: Final = 20
_MAX_SERIAL_BYTES: Final = 64
_TIMES: Final = (Tag.UTC_TIME, Tag.GENERALIZED_TIME)


class RevocationReason(IntEnum):
    """Why a certificate was revoked (RFC 5280 5.3.1)."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    REMOVE_FROM_CRL = 8
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedEntry:
    """One revoked certificate. `reason` is None where the list gives none."""

    serial: int
    revoked_at: datetime
    reason: RevocationReason | None = None
    invalid_since_at: datetime | None = None

    @classmethod
    def from_node(cls, node: Node) -> RevokedEntry:
        """Read an entry of revokedCertificates; raise DecodeError."""
        what = "revokedCertificate"
        reader = node.expect(Tag.SEQUENCE, what).reader(what)
        serial = der.read_integer(reader.any(), what, max_bytes=_MAX_SERIAL_BYTES)
        revoked_at = der.read_time(reader.any(), what)
        extensions = ext.parse_extensions(reader.last()) if reader.remaining else ()
        values = {extension.oid: extension.value for extension in extensions}
        known = {oids.EXT_REASON_CODE, oids.EXT_INVALIDITY_DATE}
        if any(extension.critical and extension.oid not in known for extension in extensions):
            message = f"{what}: a critical extension that is not understood"
            raise DecodeError(message)
        invalid = values.get(oids.EXT_INVALIDITY_DATE)
        return cls(
            serial=serial,
            revoked_at=revoked_at,
            reason=read_reason(der.parse_der(values[oids.EXT_REASON_CODE]))
            if oids.EXT_REASON_CODE in values
            else None,
            invalid_since_at=der.read_time(der.parse_der(invalid), what) if invalid else None,
        )

    @property
    def der(self) -> bytes:
        """The entry as DER; the reason `unspecified` is left out (RFC 5280 5.3.1)."""
        extensions = []
        if self.reason:
            extensions.append(Extension(oids.EXT_REASON_CODE, False, der.enumerated(self.reason)))
        if self.invalid_since_at is not None:
            value = der.generalized_time(self.invalid_since_at)
            extensions.append(Extension(oids.EXT_INVALIDITY_DATE, False, value))
        tail = ext.build_extensions(extensions) if extensions else b""
        return der.sequence(der.integer(self.serial), der.time(self.revoked_at), tail)


def read_reason(node: Node, *, tag: int = Tag.ENUMERATED) -> RevocationReason:
    """Read a CRLReason; raise DecodeError for an undefined one."""
    try:
        return RevocationReason(der.read_integer(node, "reasonCode", max_bytes=1, tag=tag))
    except ValueError as error:
        message = "reasonCode: not a defined reason"
        raise DecodeError(message) from error


@dataclass(frozen=True, slots=True)
class CrlScope:
    """What the critical extension issuingDistributionPoint limits a list to."""

    urls: tuple[str, ...] = ()
    user_certificates_only: bool = False
    ca_certificates_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RevocationList:
    """A CRL. Its signature has not been checked: see `verify_issued_by`.

    Entries are indexed by serial when the list is read and decoded when they are asked for, so that a
    long list costs little.
    """

    der: bytes
    tbs: bytes
    issuer: Name
    this_update: datetime
    next_update: datetime | None
    number: int | None
    authority_key_identifier: AuthorityKeyIdentifier | None
    scope: CrlScope | None
    unusable_because: str | None
    extensions: tuple[Extension, ...]
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    offsets: dict[bytes, int] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> RevocationList:
        """Read a CRL from DER or PEM; raise DecodeError."""
        octets = pem.der_or_pem(data, pem.CRL)
        if len(octets) > MAX_CRL_BYTES:
            message = f"a CRL has at most {MAX_CRL_BYTES} octets"
            raise DecodeError(message)
        what = "CertificateList"
        parts = parse_signed(der.parse_der(octets), what)
        reader = parts.body.reader("TBSCertList")
        version = reader.optional(Tag.INTEGER)
        if version and der.read_integer(version, "version", max_bytes=1) != 1:
            message = "a CRL must be of version 2"
            raise DecodeError(message)
        require_same_algorithm(reader.any(), parts.algorithm, what)
        issuer = Name.from_node(reader.any())
        this_update = der.read_time(reader.any(), "thisUpdate")
        next_update = reader.optional(*_TIMES)
        entries = reader.optional(Tag.SEQUENCE)
        block = reader.optional(der.context(0))
        reader.finish()
        extensions = ext.parse_extensions(block.only_child("crlExtensions")) if block else ()
        values = {extension.oid: extension.value for extension in extensions}
        number = values.get(oids.EXT_CRL_NUMBER)
        key = values.get(oids.EXT_AUTHORITY_KEY_IDENTIFIER)
        scope, unusable = _read_scope(extensions)
        return cls(
            der=octets,
            tbs=parts.body.raw,
            issuer=issuer,
            this_update=this_update,
            next_update=der.read_time(next_update, "nextUpdate") if next_update else None,
            number=der.read_integer(der.parse_der(number), "cRLNumber", max_bytes=21) if number else None,
            authority_key_identifier=ext.parse_authority_key_identifier(key) if key else None,
            scope=scope,
            unusable_because=unusable,
            extensions=extensions,
            signature_algorithm=parts.algorithm,
            signature=parts.signature,
            offsets=_index_entries(entries) if entries else {},
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def __bool__(self) -> bool:
        return True

    @property
    def pem(self) -> str:
        """The list in PEM armour."""
        return pem.build_pem(pem.CRL, self.der)

    def find(self, serial: int) -> RevokedEntry | None:
        """Return the entry for `serial`, or None; raise DecodeError for a malformed entry."""
        offset = self.offsets.get(der.parse_der(der.integer(serial)).content)
        return None if offset is None else self._entry_at(offset)

    def entries(self) -> Iterator[RevokedEntry]:
        """Yield every entry in the order of the list."""
        return (self._entry_at(offset) for offset in self.offsets.values())

    def _entry_at(self, offset: int) -> RevokedEntry:
        return RevokedEntry.from_node(der.element_at(self.der, offset))

    def verify_issued_by(self, issuer: Certificate) -> None:
        """Verify that `issuer` signed this list and may sign lists.

        Raises EvidenceRefused (another name, no cRLSign), SignatureInvalid or KeyUnusable.
        """
        if self.issuer.der != issuer.subject.der:
            message = "the revocation list is another issuer's"
            raise EvidenceRefused(message)
        if issuer.key_usage is not None and KeyUsage.CRL_SIGN not in issuer.key_usage:
            message = "the issuer's certificate does not allow it to sign revocation lists"
            raise EvidenceRefused(message)
        verify_signed(issuer.require_key(), self.signature_algorithm, self.signature, self.tbs)


def build_crl(
    issuer: Certificate,
    signer: Signer,
    *,
    entries: Iterable[RevokedEntry],
    this_update: datetime,
    next_update: datetime,
    number: int,
) -> bytes:
    """Make a version 2 CRL of `issuer` and return its DER.

    Entries are written in the order given. Raises IssuanceRefused when `issuer` may not sign lists, holds
    another key, a serial comes twice, or the period is empty.
    """
    if issuer.public_key is None or issuer.public_key.point != signer.public_key.point:
        message = "the issuer's certificate and key do not belong together"
        raise IssuanceRefused(message)
    if KeyUsage.CRL_SIGN not in (issuer.key_usage or ()) or issuer.subject_key_identifier is None:
        message = "the issuer's certificate does not allow it to sign revocation lists"
        raise IssuanceRefused(message)
    if next_update <= this_update or number < 0:
        message = "nextUpdate must come after thisUpdate, and the CRL number must not be negative"
        raise IssuanceRefused(message)
    listed = tuple(entries)
    if len({entry.serial for entry in listed}) != len(listed):
        message = "a serial number comes twice"
        raise IssuanceRefused(message)
    extensions = (
        ext.authority_key_identifier(issuer.subject_key_identifier),
        Extension(oids.EXT_CRL_NUMBER, False, der.integer(number)),
    )
    tbs = der.sequence(
        der.integer(1),
        SM2_WITH_SM3.der,
        issuer.subject.der,
        der.time(this_update),
        der.time(next_update),
        der.sequence(*(entry.der for entry in listed)) if listed else b"",
        der.explicit(0, ext.build_extensions(extensions)),
    )
    return build_signed(tbs, signer.sign(tbs))


def _index_entries(entries: Node) -> dict[bytes, int]:
    """Map the octets of each serial to the place of its entry, checking the outline of each."""
    source, end = entries.source, entries.end
    position = entries.start + entries.header_len
    offsets: dict[bytes, int] = {}
    while position < end:
        start, stop = _entry_bounds(source, position, end)
        size = source[start + 1]
        serial = source[start + 2 : start + 2 + size]
        if source[start] != Tag.INTEGER or not 1 <= size <= _MAX_SERIAL_BYTES or start + 2 + size >= stop:
            message = f"revokedCertificates: no serial number at octet {start}"
            raise DecodeError(message)
        if size > 1 and (serial[0], serial[1] & 0x80) in ((0x00, 0x00), (0xFF, 0x80)):
            message = f"revokedCertificates: the serial number at octet {start} is not in its shortest form"
            raise DecodeError(message)
        if serial in offsets:
            message = "revokedCertificates: a serial number comes twice"
            raise DecodeError(message)
        offsets[serial] = position
        position = stop
    return offsets


def _entry_bounds(source: bytes, position: int, end: int) -> tuple[int, int]:
    """Return where the content of the entry at `position` begins and ends."""
    if (
        end - position >= _MIN_ENTRY_BYTES
        and source[position] == Tag.SEQUENCE
        and source[position + 1] < 0x80
    ):
        start, stop = position + 2, position + 2 + source[position + 1]
    else:
        node = der.element_at(source, position, end=end)
        node.expect(Tag.SEQUENCE, "revokedCertificates")
        start, stop = node.start + node.header_len, node.end
    if stop > end or stop - start < _MIN_ENTRY_BYTES - 2:
        message = f"revokedCertificates: no entry at octet {position}"
        raise DecodeError(message)
    return start, stop


def _read_scope(extensions: tuple[Extension, ...]) -> tuple[CrlScope | None, str | None]:
    """Read the scope of a list, and why the list cannot be used if that is so."""
    understood = {oids.EXT_CRL_NUMBER, oids.EXT_AUTHORITY_KEY_IDENTIFIER, oids.EXT_ISSUING_DISTRIBUTION_POINT}
    scope: CrlScope | None = None
    unusable: str | None = None
    for extension in extensions:
        if extension.oid == oids.EXT_ISSUING_DISTRIBUTION_POINT:
            scope, unusable = _read_distribution_point(extension.value)
        elif extension.oid == oids.EXT_DELTA_CRL_INDICATOR:
            unusable = "it is a delta list"
        elif extension.critical and extension.oid not in understood:
            unusable = f"its critical extension {extension.oid} is not understood"
    return scope, unusable


def _read_distribution_point(value: bytes) -> tuple[CrlScope, str | None]:
    what = "issuingDistributionPoint"
    urls: tuple[str, ...] = ()
    flags: dict[int, bool] = {}
    unusable: str | None = None
    for node in der.parse_der(value).expect(Tag.SEQUENCE, what).children(limit=6):
        number = node.tag & 0x1F
        if node.tag == der.context(0):
            urls = tuple(ext.read_distribution_point_name(node))
        elif node.tag == der.context(3, constructed=False):
            unusable = "it covers some reasons only"
        elif number in (1, 2, 4, 5) and node.tag == der.context(number, constructed=False):
            flags[number] = node.content == b"\xff"
        else:
            message = f"{what}: unknown field"
            raise DecodeError(message)
    if flags.get(4) or flags.get(5):
        unusable = "it is an indirect list or one of attribute certificates"
    scope = CrlScope(
        urls, user_certificates_only=flags.get(1, False), ca_certificates_only=flags.get(2, False)
    )
    return scope, unusable
