"""Examine seal signatures: every finding, or a refusal.

The steps, numbered as in the table of findings:

D1  the octets are a whole SES_Signature
D2  the versions of signature and seal agree
D3  the algorithm is SM2 with SM3 and fits the certificate's key
D4  the signature verifies over the original octets of TBS_Sign
D5  the digest is that of the data            D6  propertyInfo is what it should be
G1–G3  the time stamp of the signature; a trusted one gives the time of signing
E1  the signer's certificate may sign         E2  it leads to a trusted root
E3  the moment judged lies within its validity    E4  it is not revoked by then
F1–F4, F7, G4  the seal inside, see `signing.seals.assess`
F5  the signer's certificate is in the seal's list
F6  the seal file beside the signature is the seal inside it

Not under the signature of V4 and V5: the signer's certificate (the seal's list pins it), the algorithm
(only one is accepted) and the time stamp (which is signed by its authority).
Source: GM/T 0031-2014 6.2.3, GB/T 38540-2020 7.3, GM/T 0031-2025 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Final

from signing import oids
from signing.errors import DecodeError
from signing.findings import (
    Finding,
    FindingCode,
    FindingReport,
    Severity,
    build_finding,
    refuse_on,
    step_of,
)
from signing.seals.assess import SealReport, assess_extensions, assess_read_seal
from signing.seals.holders import SIGNER, HolderReport, assess_holder
from signing.seals.model import SealSignature, SealVersion, TimeSource
from signing.seals.parse import parse_seal_signature
from signing.seals.signers import is_listed
from signing.seals.stamps import StampReport, assess_stamp, read_stamped_at
from signing.seals.values import assess_value
from signing.trust import TrustPolicy

SIGNATURE: Final = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSignatureReport(FindingReport):
    """What an examination of a seal signature found. Conclusions are properties; the fields are facts.

    `signed_at` is the time of signing and `time_source` says who vouches for it; both are None where
    the octets could not be read. `judged_at` is the moment at which certificate and seal were judged.
    """

    signature: SealSignature | None
    signed_at: datetime | None
    time_source: TimeSource | None
    judged_at: datetime
    signer: HolderReport | None
    seal: SealReport | None
    timestamp: StampReport | None

    @property
    def is_intact(self) -> bool:
        """Whether octets and signatures agree, whoever signed and whenever: D1–D5, F1 and F2 hold."""
        broken = {step_of(each.code) for each in self.findings if each.severity is Severity.ERROR}
        return not broken & {"D1", "D2", "D3", "D4", "D5", "F1", "F2"}


def assess_seal_signature(
    der: bytes,
    *,
    data_hash: bytes,
    property_info: str | None,
    at: datetime,
    trust: TrustPolicy,
    seal_file: bytes | None = None,
) -> SealSignatureReport:
    """Examine a seal signature; never raises on bad evidence.

    `data_hash` is SM3 of the data as it is now. `property_info` is what the signature ought to say, or
    None where the caller has no expectation. `at` is the moment of examination. `seal_file` is the seal
    that lies beside the signature, if one does.
    """
    try:
        signature = parse_seal_signature(der)
    except DecodeError as error:
        finding = build_finding(FindingCode.SIGNED_VALUE_INVALID, SIGNATURE, zh=error.detail, en=error.detail)
        return SealSignatureReport(
            signature=None,
            signed_at=None,
            time_source=None,
            judged_at=at,
            signer=None,
            seal=None,
            timestamp=None,
            findings=(finding,),
        )
    return _assess_read(
        signature,
        data_hash=data_hash,
        property_info=property_info,
        now=at,
        trust=trust,
        seal_file=seal_file,
    )


def verify_seal_signature(
    der: bytes,
    *,
    data_hash: bytes,
    property_info: str | None,
    at: datetime,
    trust: TrustPolicy,
    seal_file: bytes | None = None,
) -> SealSignature:
    """Examine a seal signature and return it; raise EvidenceRefused for the first error or unknown."""
    report = assess_seal_signature(
        der, data_hash=data_hash, property_info=property_info, at=at, trust=trust, seal_file=seal_file
    )
    refuse_on(report.findings)
    assert report.signature is not None
    return report.signature


def _assess_read(
    signature: SealSignature,
    *,
    data_hash: bytes,
    property_info: str | None,
    now: datetime,
    trust: TrustPolicy,
    seal_file: bytes | None,
) -> SealSignatureReport:
    stamp = _assess_signature_stamp(signature, trust)
    signed_at, source = _signing_time(signature, stamp)
    moment = trust.moment(signing=signed_at or now, now=now)
    signer = assess_holder(signature.signer_certificate, role=SIGNER, at=moment, trust=trust)
    seal = assess_read_seal(signature.seal, moment=moment, trust=trust)
    findings = [
        *_assess_versions(signature),
        *_assess_value(signature, signer, trust),
        *_assess_data(signature, data_hash, property_info, trust),
        *assess_extensions(signature.extensions, f"{SIGNATURE}.extensions", trust),
        *signer.findings,
        *_assess_time(signature, signed_at, source, now, trust),
        *seal.findings,
        *_assess_authorisation(signature, trust),
        *_assess_seal_file(signature, seal_file),
        *(stamp.findings if stamp is not None else ()),
    ]
    return SealSignatureReport(
        signature=signature,
        signed_at=signed_at,
        time_source=source,
        judged_at=moment,
        signer=signer,
        seal=seal,
        timestamp=stamp,
        findings=tuple(sorted(findings, key=lambda each: step_of(each.code))),
    )


# ----------------------------------------------------------------------------------- D2 – D6


def _assess_versions(signature: SealSignature) -> list[Finding]:
    found: list[Finding] = []
    number = signature.seal.header.version
    if signature.tbs_version != number:
        found.append(
            build_finding(
                FindingCode.VERSION_INCONSISTENT,
                SIGNATURE,
                zh=f"签章版本号 {signature.tbs_version}，印章版本号 {number}",
                en=f"the signature says {signature.tbs_version}, its seal {number}",
            )
        )
    if signature.version is not signature.seal.version:
        shapes = f"{signature.version.name} / {signature.seal.version.name}"
        found.append(build_finding(FindingCode.VERSION_INCONSISTENT, SIGNATURE, zh=shapes, en=shapes))
    return found


def _assess_value(signature: SealSignature, signer: HolderReport, trust: TrustPolicy) -> tuple[Finding, ...]:
    if signature.algorithm != oids.SM2_WITH_SM3:
        name = signature.algorithm
        return (build_finding(FindingCode.ALGORITHM_UNSUPPORTED, SIGNATURE, zh=name, en=name),)
    if signer.certificate is None:
        return (build_finding(FindingCode.SIGNATURE_INVALID, SIGNATURE),)
    key = signer.certificate.public_key
    if key is None:
        return (
            build_finding(
                FindingCode.ALGORITHM_UNSUPPORTED,
                SIGNATURE,
                zh="证书公钥不是 SM2",
                en="the key of the certificate is not an SM2 key",
            ),
        )
    return assess_value(
        key,
        signature.signature,
        signature.signed_der,
        subject=SIGNATURE,
        invalid=FindingCode.SIGNATURE_INVALID,
        trust=trust,
    )


def _assess_data(
    signature: SealSignature, data_hash: bytes, property_info: str | None, trust: TrustPolicy
) -> list[Finding]:
    found: list[Finding] = []
    if not compare_digest(signature.data_hash, data_hash):
        found.append(build_finding(FindingCode.DATA_HASH_MISMATCH, SIGNATURE))
    if property_info is not None and signature.property_info != property_info:
        lenient = signature.version is SealVersion.V1 and not trust.refuse_property_info_mismatch_v1
        found.append(
            build_finding(
                FindingCode.PROPERTY_INFO_MISMATCH,
                SIGNATURE,
                severity=Severity.WARNING if lenient else Severity.ERROR,
                zh=f"应为 {property_info}",
                en=f"{property_info} expected",
            )
        )
    return found


# ---------------------------------------------------------------------------- G1 – G3 and E3


def _assess_signature_stamp(signature: SealSignature, trust: TrustPolicy) -> StampReport | None:
    if signature.timestamp is None:
        return None
    report = assess_stamp(
        signature.timestamp,
        stamped=signature.signature,
        subject=f"{SIGNATURE}.timestamp",
        trust=trust,
    )
    claimed = signature.claimed_at
    if report.stamped_at is None or claimed is None:
        return report
    if claimed <= report.stamped_at + trust.timestamp_skew:
        return report
    return report.with_finding(build_finding(FindingCode.TIMESTAMP_ORDER, f"{SIGNATURE}.timestamp"))


def _signing_time(
    signature: SealSignature, stamp: StampReport | None
) -> tuple[datetime | None, TimeSource | None]:
    """Take the time of a trusted time stamp, else the signer's claim.

    A token in place of V1's time is a claim: the standard does not say what it was stamped over, so
    nothing binds it to this signature.
    """
    if stamp is not None and stamp.is_trusted and stamp.stamped_at is not None:
        return stamp.stamped_at, TimeSource.TIMESTAMP
    if signature.claimed_at is not None:
        return signature.claimed_at, TimeSource.CLAIMED
    stamped_at = read_stamped_at(signature.time_token or b"")
    return stamped_at, TimeSource.CLAIMED if stamped_at is not None else None


def _assess_time(
    signature: SealSignature,
    signed_at: datetime | None,
    source: TimeSource | None,
    now: datetime,
    trust: TrustPolicy,
) -> list[Finding]:
    found: list[Finding] = []
    if signed_at is None:
        found.append(
            build_finding(
                FindingCode.SIGNED_VALUE_INVALID,
                f"{SIGNATURE}.time",
                zh="签章时间无法读取",
                en="the time of signing cannot be read",
            )
        )
    elif signed_at > now + trust.timestamp_skew:
        found.append(
            build_finding(
                FindingCode.SIGNING_TIME_OUTSIDE_CERT,
                f"{SIGNATURE}.time",
                zh="签章时间在未来",
                en="the time of signing lies in the future",
            )
        )
    if source is TimeSource.CLAIMED:
        found.append(build_finding(FindingCode.TIME_CLAIMED, f"{SIGNATURE}.time"))
    if trust.require_timestamp and signature.timestamp is None:
        found.append(
            build_finding(
                FindingCode.TIMESTAMP_INVALID,
                f"{SIGNATURE}.timestamp",
                zh="策略要求时间戳，而签章没有时间戳",
                en="the policy asks for a time stamp and there is none",
            )
        )
    return found


# ------------------------------------------------------------------------------------ F5, F6


def _assess_authorisation(signature: SealSignature, trust: TrustPolicy) -> list[Finding]:
    if is_listed(signature.seal.property, signature.signer_certificate, trust=trust):
        return []
    return [build_finding(FindingCode.SIGNER_NOT_AUTHORISED, SIGNER.subject)]


def _assess_seal_file(signature: SealSignature, seal_file: bytes | None) -> list[Finding]:
    if seal_file is None or seal_file == signature.seal.der:
        return []
    return [build_finding(FindingCode.SEAL_FILE_MISMATCH, "seal.file")]
