"""Make electronic seals.

The maker is refused nothing that a verifier would have to find out later: texts outside ASCII where the
standard wants IA5String, a picture that is not what it says, certificates that may not sign, impossible
periods, a maker's certificate that is not valid or does not lead to a trusted root.
Source: GM/T 0031-2014 6.1, GB/T 38540-2020 6, GM/T 0031-2025 6 (check of the maker before making).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signing import oids, sm3
from signing.findings import refuse_on
from signing.pictures import assess_picture
from signing.seals import encode
from signing.seals.errors import SealRefused
from signing.seals.holders import MAKER, assess_holder, may_sign
from signing.seals.model import (
    HEADER_MARK,
    CertificateDigest,
    CertListType,
    PictureType,
    SealExtension,
    SealHeader,
    SealPicture,
    SealProperty,
    SealVersion,
)
from signing.signer import Signer
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate

TimestampHook = Callable[[bytes], bytes]
"""Obtains a time stamp: takes the SM3 imprint (32 octets), returns the token (DER ContentInfo)."""

MAX_TEXT: Final = 256
MAX_BACKDATING: Final = timedelta(hours=24)
DIGEST_TYPE: Final = "SM3"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOrder:
    """What a new seal is to say.

    `type` is an open number (1 organisation, 2 person; public-security seal classes are in use too).
    `signers` are the certificates that may sign with the seal; a renewed certificate needs a new seal.
    `list_type` chooses whether the seal holds them whole or by SM3 digest (V1: whole only).
    """

    seal_id: str
    vendor_id: str
    name: str
    type: int = 1
    picture: SealPicture
    signers: tuple[Certificate, ...]
    list_type: CertListType = CertListType.CERTIFICATES
    created_at: datetime
    valid_from: datetime
    valid_until: datetime
    extensions: tuple[SealExtension, ...] = ()


def build_seal(
    order: SealOrder,
    *,
    maker: Signer,
    maker_certificate: Certificate,
    trust: TrustPolicy,
    version: SealVersion = SealVersion.V4,
    timestamp: TimestampHook | None = None,
) -> bytes:
    """Make a seal and return its DER.

    `trust` judges the maker's certificate at `order.created_at`; it must hold the maker's root.
    `timestamp` (V5 only) is asked for a token over the seal's signature.
    Raises SealRefused for an order that must not be carried out, EvidenceRefused for a maker that is not
    trusted, EncodeError for values that DER cannot hold.
    """
    _require_order(order, version)
    if timestamp is not None and version is not SealVersion.V5:
        message = "only a V5 seal can carry a time stamp"
        raise SealRefused(message)
    _require_maker(maker, maker_certificate, order.created_at, trust)
    info = encode.encode_info(
        version=version,
        header=SealHeader(mark=HEADER_MARK, version=int(version), vendor_id=order.vendor_id),
        seal_id=order.seal_id,
        prop=_properties(order),
        picture=order.picture,
        extensions=order.extensions,
    )
    certificate, algorithm = maker_certificate.der, oids.SM2_WITH_SM3
    if version is SealVersion.V1:
        value = maker.sign(encode.encode_seal_signed_v1(info, certificate, algorithm))
        return encode.encode_seal_v1(info, certificate, algorithm, value)
    value = maker.sign(info)
    token = timestamp(sm3.digest(value)) if timestamp is not None else None
    return encode.encode_seal_v4(info, certificate, algorithm, value, token)


def _properties(order: SealOrder) -> SealProperty:
    by_digest = order.list_type is CertListType.DIGESTS
    return SealProperty(
        type=order.type,
        name=order.name,
        list_type=order.list_type,
        certificates=() if by_digest else tuple(signer.der for signer in order.signers),
        digests=tuple(CertificateDigest(type=DIGEST_TYPE, value=s.fingerprint) for s in order.signers)
        if by_digest
        else (),
        created_at=order.created_at,
        valid_from=order.valid_from,
        valid_until=order.valid_until,
    )


def _require_order(order: SealOrder, version: SealVersion) -> None:
    _require_text("seal_id", order.seal_id, ascii_only=True)
    _require_text("vendor_id", order.vendor_id, ascii_only=True)
    _require_text("name", order.name, ascii_only=False)
    _require_period(order)
    _require_picture(order.picture)
    _require_signers(order)
    if version is SealVersion.V1 and order.list_type is not CertListType.CERTIFICATES:
        message = "a V1 seal lists its signers by certificate, not by digest"
        raise SealRefused(message)
    require_distinct(order.extensions)


def _require_text(field: str, text: str, *, ascii_only: bool) -> None:
    if not text or len(text) > MAX_TEXT or text != text.strip() or not text.isprintable():
        message = f"{field} must have 1 to {MAX_TEXT} printable characters and no outer blanks"
        raise SealRefused(message)
    if ascii_only and not text.isascii():
        message = f"{field} must be ASCII (IA5String); Chinese belongs into name"
        raise SealRefused(message)


def _require_period(order: SealOrder) -> None:
    times = (order.created_at, order.valid_from, order.valid_until)
    if any(moment.tzinfo is None for moment in times):
        message = "created_at, valid_from and valid_until must carry their time zone"
        raise SealRefused(message)
    if not order.valid_from < order.valid_until:
        message = "the validity of the seal ends before it begins"
        raise SealRefused(message)
    if order.valid_until <= order.created_at:
        message = "the validity of the seal ends before the seal is made"
        raise SealRefused(message)
    if order.valid_from < order.created_at - MAX_BACKDATING:
        message = "the validity of the seal must not begin more than 24 hours before the seal is made"
        raise SealRefused(message)


def _require_picture(picture: SealPicture) -> None:
    if picture.type not in tuple(PictureType):
        message = f"the picture type must be one of {', '.join(PictureType)}"
        raise SealRefused(message)
    report = assess_picture(
        kind=picture.type, data=picture.data, width_mm=picture.width_mm, height_mm=picture.height_mm
    )
    if not report.is_in_order:
        message = f"the picture is refused: {'; '.join(problem.en for problem in report.problems)}"
        raise SealRefused(message)


def _require_signers(order: SealOrder) -> None:
    if not order.signers:
        message = "a seal needs at least one signer certificate"
        raise SealRefused(message)
    if len(set(order.signers)) != len(order.signers):
        message = "a signer certificate comes twice"
        raise SealRefused(message)
    for signer in order.signers:
        if signer.public_key is None or not may_sign(signer):
            message = f"the certificate of {signer.subject} may not sign: it needs an SM2 key for signing"
            raise SealRefused(message)
        if signer.not_after <= order.valid_from or signer.not_before >= order.valid_until:
            message = f"the certificate of {signer.subject} is not valid while the seal is"
            raise SealRefused(message)


def _require_maker(maker: Signer, certificate: Certificate, at: datetime, trust: TrustPolicy) -> None:
    require_own_certificate(maker, certificate, "maker")
    refuse_on(assess_holder(certificate.der, role=MAKER, at=at, trust=trust).findings)


def require_own_certificate(signer: Signer, certificate: Certificate, who: str) -> None:
    """Refuse a signer whose key is not that of the certificate."""
    key = certificate.public_key
    if key is None or key.point != signer.public_key.point:
        message = f"the {who}'s certificate does not hold the {who}'s key"
        raise SealRefused(message)


def require_distinct(items: Sequence[SealExtension]) -> None:
    """Refuse extensions that come twice."""
    if len({each.oid for each in items}) != len(items):
        message = "an extension comes twice"
        raise SealRefused(message)
