"""Examine signatures without a seal (Type Sign): GB/T 35275 SignedData, or a bare signature value.

The steps, numbered as in the table of findings:

D1  the octets are whole signed data
D3  the algorithms are SM3 and SM2, and fit the certificate's key
D4  the signature verifies: over the attributes as they stand, or over the content where there are none
D5  what is signed is the SM3 of the description: as the content (32 octets, or their base64), as
    messageDigest, and as both where both are there
E1–E4  the signer's certificate, found by issuer and serial number
G1–G3  a time stamp among the unsigned attributes

A bare value is over the description itself and carries no certificate: it is tried against those at hand.
Source: GM/T 0099-2020 7.2.2, GB/T 35275-2017 8.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Final

from signing import der, oids, sm3
from signing.cms import SignedData, SignerInfo, parse_signed_data
from signing.errors import DecodeError, SignatureInvalid
from signing.findings import Finding, FindingCode, Severity, build_finding
from signing.seals.holders import SIGNER, HolderReport, assess_holder
from signing.seals.model import TimeSource
from signing.seals.stamps import StampReport, assess_stamp
from signing.seals.values import assess_value, verify_value
from signing.sm2 import PublicKey, parse_signature, raw_to_der
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate

SIGNATURE: Final = "signature"
_ALGORITHMS: Final = frozenset({oids.SM2_SIGNATURE, oids.SM2_WITH_SM3})
_STAMP_ATTRIBUTE: Final = "1.2.840.113549.1.9.16.2.14"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalReport:
    """What was found about a signature value without a seal. `algorithm` is None where it is not told."""

    findings: tuple[Finding, ...]
    signer: HolderReport | None = None
    algorithm: str | None = None
    signed_at: datetime | None = None
    time_source: TimeSource | None = None


def assess_digital_signature(
    value: bytes, *, description: bytes, at: datetime, trust: TrustPolicy
) -> DigitalReport:
    """Examine the value of a signature over `description`; never raises on bad evidence."""
    try:
        signed = parse_signed_data(value)
    except DecodeError as error:
        if _is_bare(value):
            return _assess_bare(value, description, at, trust)
        return _refused(FindingCode.SIGNED_VALUE_INVALID, error.detail)
    if len(signed.signers) != 1:
        return _refused(FindingCode.SIGNED_VALUE_INVALID, "there must be one signer")
    return _assess_signer(signed, signed.signers[0], sm3.digest(description), at, trust)


def _refused(
    code: FindingCode, detail: str, *, severity: Severity | None = None, algorithm: str | None = None
) -> DigitalReport:
    finding = build_finding(code, SIGNATURE, severity=severity, zh=detail, en=detail)
    return DigitalReport(findings=(finding,), algorithm=algorithm)


def _assess_signer(
    signed: SignedData, signer: SignerInfo, digest: bytes, at: datetime, trust: TrustPolicy
) -> DigitalReport:
    algorithm = signer.signature_algorithm.oid
    certificate = signed.find_certificate(signer, trust.intermediates)
    if certificate is None:
        detail = "issuer and serial number name no certificate at hand"
        return _refused(FindingCode.SIGNER_CERT_INVALID, detail, algorithm=algorithm)
    try:
        claimed = signer.signing_time
        findings = _assess_content(signed, signer, digest)  # D5
    except DecodeError as error:
        return _refused(FindingCode.SIGNED_VALUE_INVALID, error.detail, algorithm=algorithm)
    findings += _assess_signature(signed, signer, certificate, trust)  # D3, D4
    stamp = _assess_stamps(signer, claimed, trust)  # G1–G3
    signed_at, source = claimed, None if claimed is None else TimeSource.CLAIMED
    if stamp is not None and stamp.is_trusted:
        signed_at, source = stamp.stamped_at, TimeSource.TIMESTAMP
    moment = trust.moment(signing=signed_at or at, now=at)
    holder = assess_holder(certificate.der, role=SIGNER, at=moment, trust=trust)  # E1–E4
    return DigitalReport(
        findings=(
            *findings,
            *holder.findings,
            *_assess_time(signed_at, source, at, trust, stamp),
            *(stamp.findings if stamp is not None else ()),
        ),
        signer=holder,
        algorithm=algorithm,
        signed_at=signed_at,
        time_source=source,
    )


def _assess_content(signed: SignedData, signer: SignerInfo, digest: bytes) -> list[Finding]:
    """D5. Raises DecodeError for malformed attributes."""
    content = signed.content
    right = content is None or content in {digest, base64.b64encode(digest)}
    if signer.attributes is None:
        right = right and content is not None
    else:
        right = right and _attributes_agree(signed, signer, digest)
    return [] if right else [build_finding(FindingCode.DATA_HASH_MISMATCH, SIGNATURE)]


def _attributes_agree(signed: SignedData, signer: SignerInfo, digest: bytes) -> bool:
    kind, imprint = signer.attribute(oids.ATTR_CONTENT_TYPE), signer.attribute(oids.ATTR_MESSAGE_DIGEST)
    if kind is None or imprint is None:
        return False
    stated = {der.read_oid(der.parse_der(kind), "contentType"), signed.content_type}
    wanted = {digest} if signed.content is None else {digest, sm3.digest(signed.content)}
    value = der.read_octet_string(der.parse_der(imprint), "messageDigest")
    same_kind = len(stated) == 1 or stated <= {oids.GM_DATA, oids.CMS_DATA}
    return same_kind and any(compare_digest(value, each) for each in wanted)


def _assess_signature(
    signed: SignedData, signer: SignerInfo, certificate: Certificate, trust: TrustPolicy
) -> list[Finding]:
    """D3, D4."""
    method, key = signer.signature_algorithm, certificate.public_key
    if not (signer.digest_algorithm.is_sm3() and method.oid in _ALGORITHMS and method.bare) or key is None:
        return [build_finding(FindingCode.ALGORITHM_UNSUPPORTED, SIGNATURE, zh=method.oid, en=method.oid)]
    message = signed.content if signer.signed_bytes is None else signer.signed_bytes
    if message is None:
        return [build_finding(FindingCode.SIGNATURE_INVALID, SIGNATURE)]
    invalid = FindingCode.SIGNATURE_INVALID
    return [*assess_value(key, signer.signature, message, subject=SIGNATURE, invalid=invalid, trust=trust)]


def _assess_stamps(signer: SignerInfo, claimed: datetime | None, trust: TrustPolicy) -> StampReport | None:
    token = next(
        (
            each.values[0]
            for each in signer.unsigned_attributes
            if each.oid == _STAMP_ATTRIBUTE and each.values
        ),
        None,
    )
    if token is None:
        return None
    subject = f"{SIGNATURE}.timestamp"
    report = assess_stamp(token, stamped=signer.signature, subject=subject, trust=trust)
    late = claimed is not None and report.stamped_at is not None
    if late and claimed > report.stamped_at + trust.timestamp_skew:  # type: ignore[operator]
        return report.with_finding(build_finding(FindingCode.TIMESTAMP_ORDER, subject))
    return report


def _assess_time(
    signed_at: datetime | None,
    source: TimeSource | None,
    now: datetime,
    trust: TrustPolicy,
    stamp: StampReport | None,
) -> list[Finding]:
    """E3, G1: the time of signing does not lie in the future; who vouches for it; a stamp where asked."""
    subject = f"{SIGNATURE}.time"
    found = []
    if signed_at is not None and signed_at > now + trust.timestamp_skew:
        zh, en = "签名时间在未来", "the time of signing lies in the future"
        found.append(build_finding(FindingCode.SIGNING_TIME_OUTSIDE_CERT, subject, zh=zh, en=en))
    if source is TimeSource.CLAIMED:
        found.append(build_finding(FindingCode.TIME_CLAIMED, subject))
    elif source is None:
        zh, en = "签名未载明时间，按当前时间判断", "it states no time at all and was judged as of now"
        found.append(build_finding(FindingCode.TIME_CLAIMED, subject, zh=zh, en=en))
    if trust.require_timestamp and stamp is None:
        zh, en = "策略要求时间戳，而签名没有时间戳", "the policy asks for a time stamp and there is none"
        found.append(build_finding(FindingCode.TIMESTAMP_INVALID, subject, zh=zh, en=en))
    return found


# ------------------------------------------------------------------------------------ bare values


def _is_bare(value: bytes) -> bool:
    try:
        parse_signature(value if len(value) != 64 else raw_to_der(value))
    except DecodeError:
        return False
    return True


def _assess_bare(value: bytes, description: bytes, at: datetime, trust: TrustPolicy) -> DigitalReport:
    """Try the certificates at hand: the value does not say whose it is."""
    for certificate in _with_keys(trust.intermediates):
        assert certificate.public_key is not None
        if _verifies(certificate.public_key, value, description):
            holder = assess_holder(
                certificate.der, role=SIGNER, at=trust.moment(signing=at, now=at), trust=trust
            )
            findings = (*holder.findings, *_assess_time(None, None, at, trust, None))
            return DigitalReport(findings=findings, signer=holder, algorithm=oids.SM2_WITH_SM3)
    detail = "a bare signature value; none of the certificates at hand verifies it"
    return _refused(FindingCode.SIGNER_CERT_INVALID, detail, severity=Severity.UNKNOWN)


def _with_keys(certificates: Iterable[Certificate]) -> list[Certificate]:
    return [each for each in certificates if each.public_key is not None]


def _verifies(key: PublicKey, value: bytes, message: bytes) -> bool:
    try:
        verify_value(key, value, message)
    except SignatureInvalid:
        return False
    return True
