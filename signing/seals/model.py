"""Values of electronic seals and seal signatures, as read from their octets.

A value holds what was written, not what it means: whether a seal may be trusted is found by `assess`.
Octets that were signed travel along as they were received, because a genuine seal need not survive
re-encoding (explicit defaults, unsorted sets).
Source: GM/T 0031-2014 6.1, GB/T 38540-2020 6, GM/T 0031-2025 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

HEADER_MARK: Final = "ES"


class SealVersion(IntEnum):
    """The standard that a seal or seal signature is shaped after."""

    V1 = 1
    V4 = 4
    V5 = 5


class CertListType(IntEnum):
    """What the list of signers holds."""

    CERTIFICATES = 1
    DIGESTS = 2


class PictureType(StrEnum):
    """Kinds of seal picture that are known here; others are read and reported, never written."""

    PNG = "PNG"
    GIF = "GIF"
    BMP = "BMP"
    JPG = "JPG"
    SVG = "SVG"
    OFD = "OFD"


class TimeSource(StrEnum):
    """Who says when a seal signature was made."""

    CLAIMED = "claimed"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealHeader:
    """Mark (`ES`), version number as written, and the vendor that made the seal."""

    mark: str
    version: int
    vendor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDigest:
    """The digest of one signer's certificate; the standard does not fix what `type` says."""

    type: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SealProperty:
    """What the seal is for: kind (an open number), name, who may sign with it, and when.

    Exactly one of `certificates` (DER, or whatever octets the entry holds) and `digests` is filled, as
    `list_type` says. V1 has certificates only.
    """

    type: int
    name: str
    list_type: CertListType
    certificates: tuple[bytes, ...]
    digests: tuple[CertificateDigest, ...]
    created_at: datetime
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SealPicture:
    """The picture: kind as written, file octets, and its size on paper in whole millimetres."""

    type: str
    data: bytes = field(repr=False)
    width_mm: int
    height_mm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealExtension:
    """One extension of a seal or of a seal signature."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One electronic seal.

    `der` is the whole seal; `signed_der` are the octets under the maker's signature (V4, V5: the seal
    info; V1: a SEQUENCE of seal info, maker certificate and algorithm). `signature` is the value without
    the BIT STRING's first octet. `timestamp` is the token over `signature` (V5 only).
    """

    version: SealVersion
    header: SealHeader
    seal_id: str
    property: SealProperty
    picture: SealPicture
    extensions: tuple[SealExtension, ...]
    maker_certificate: bytes = field(repr=False)
    algorithm: str
    signature: bytes = field(repr=False)
    timestamp: bytes | None = field(repr=False)
    der: bytes = field(repr=False)
    signed_der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSignature:
    """One seal signature: a seal set on data by a signer.

    `signed_der` (TBS_Sign) are the octets under the signer's signature. `claimed_at` is the signer's own
    time; in V1 a time-stamp token (`time_token`) may stand in its place, and `claimed_at` is None.
    `timestamp` is the token over `signature` (V4, V5).
    """

    version: SealVersion
    tbs_version: int
    seal: Seal
    claimed_at: datetime | None
    time_token: bytes | None = field(repr=False)
    data_hash: bytes
    property_info: str
    extensions: tuple[SealExtension, ...]
    signer_certificate: bytes = field(repr=False)
    algorithm: str
    signature: bytes = field(repr=False)
    timestamp: bytes | None = field(repr=False)
    der: bytes = field(repr=False)
    signed_der: bytes = field(repr=False)
