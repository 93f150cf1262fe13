"""Examine electronic seals: every finding, or a refusal.

The steps, numbered as in the table of findings:

F1  the seal is well formed, its header says `ES`, its version numbers agree, nothing critical is unknown
F2  the maker's signature verifies over the original octets
F3  the maker's certificate may sign, leads to a trusted root, and was valid; revocation
F4  the moment judged lies within the validity of the seal
F5  (by `signature`) the signer's certificate is in the list
F7  the picture decodes, has the kind it says, and bounded size
G4  the seal's own time stamp (V5) verifies, and the seal is not younger than it

By the texts of V1 and V4 every failure of the maker's certificate fails the seal; V5 judges its expiry
and revocation at the time the seal was made.
Source: GM/T 0031-2014 6.1.2, GB/T 38540-2020 6.3, GM/T 0031-2025 6.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing import oids, sm3
from signing.errors import DecodeError
from signing.findings import Finding, FindingCode, FindingReport, Severity, build_finding, refuse_on
from signing.pictures import PictureReport, assess_picture
from signing.seals.holders import MAKER, HolderReport, assess_holder
from signing.seals.model import HEADER_MARK, CertListType, Seal, SealExtension, SealVersion
from signing.seals.parse import parse_seal
from signing.seals.stamps import OF_SEAL, StampReport, assess_stamp
from signing.seals.values import assess_value
from signing.trust import TrustPolicy

SEAL: Final = "seal"
_EXTENSION_CODES: Final = (
    FindingCode.CRITICAL_EXTENSION_UNKNOWN,
    FindingCode.CRITICAL_EXTENSION_UNKNOWN_STRICT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealReport(FindingReport):
    """What an examination of a seal found. Conclusions are properties; the fields are facts.

    `seal`, `maker` and `picture` are None where the octets could not be read. `judged_at` is the moment
    that F4 was judged at.
    """

    seal: Seal | None
    judged_at: datetime
    maker: HolderReport | None
    picture: PictureReport | None
    timestamp: StampReport | None


def assess_seal(der: bytes, *, at: datetime, trust: TrustPolicy) -> SealReport:
    """Examine a seal on its own, as if it were used at `at`; never raises on bad evidence.

    With `trust.judge_at` 'time' the policy's moment replaces `at`.
    """
    try:
        seal = parse_seal(der)
    except DecodeError as error:
        finding = build_finding(FindingCode.SEAL_INVALID, SEAL, en=error.detail, zh=error.detail)
        return SealReport(
            seal=None, judged_at=at, maker=None, picture=None, timestamp=None, findings=(finding,)
        )
    return assess_read_seal(seal, moment=trust.moment(signing=at, now=at), trust=trust)


def verify_seal(der: bytes, *, at: datetime, trust: TrustPolicy) -> Seal:
    """Examine a seal and return it; raise EvidenceRefused for the first error or unknown."""
    report = assess_seal(der, at=at, trust=trust)
    refuse_on(report.findings)
    assert report.seal is not None
    return report.seal


def assess_read_seal(seal: Seal, *, moment: datetime, trust: TrustPolicy) -> SealReport:
    """Examine a seal that has been read, judged at `moment`."""
    stamp = _assess_seal_stamp(seal, trust)
    made_at = _made_at(seal, stamp)
    maker, maker_findings = _assess_maker(seal, made_at, moment, trust)
    picture = assess_picture(
        kind=seal.picture.type,
        data=seal.picture.data,
        width_mm=seal.picture.width_mm,
        height_mm=seal.picture.height_mm,
    )
    findings = [
        *_assess_header(seal),
        *assess_extensions(seal.extensions, f"{SEAL}.extensions", trust),
        *_assess_signature(seal, maker, trust),
        *maker_findings,
        *_assess_period(seal, moment),
        *_assess_list(seal),
        *_picture_findings(picture),
        *(stamp.findings if stamp is not None else ()),
    ]
    return SealReport(
        seal=seal,
        judged_at=moment,
        maker=maker,
        picture=picture,
        timestamp=stamp,
        findings=tuple(findings),
    )


# ------------------------------------------------------------------------------------ F1, F2


def _assess_header(seal: Seal) -> list[Finding]:
    found: list[Finding] = []
    header = seal.header
    if header.mark != HEADER_MARK:
        found.append(
            build_finding(
                FindingCode.VERSION_INCONSISTENT,
                SEAL,
                zh=f"印章头标识应为 ES，实为 {header.mark!a}",
                en=f"the header mark is {header.mark!a}, not 'ES'",
            )
        )
    if seal.version is not SealVersion.V1 and header.version != seal.version:
        # Five elements with another number than 5 contradict themselves; four with an odd number are V4.
        weight = Severity.ERROR if seal.version is SealVersion.V5 else Severity.WARNING
        found.append(
            build_finding(
                FindingCode.VERSION_INCONSISTENT,
                SEAL,
                severity=weight,
                zh=f"印章结构为 {seal.version.name}，头版本号为 {header.version}",
                en=f"the seal is shaped as {seal.version.name} and its header says {header.version}",
            )
        )
    return found


def assess_extensions(
    extensions: tuple[SealExtension, ...], subject: str, trust: TrustPolicy
) -> list[Finding]:
    """Report critical extensions; none is known here."""
    code = _EXTENSION_CODES[trust.refuse_unknown_critical_extensions]
    return [build_finding(code, subject, zh=each.oid, en=each.oid) for each in extensions if each.critical]


def _assess_signature(seal: Seal, maker: HolderReport, trust: TrustPolicy) -> tuple[Finding, ...]:
    subject = f"{SEAL}.signature"
    key = maker.certificate.public_key if maker.certificate is not None else None
    if seal.algorithm != oids.SM2_WITH_SM3 or (maker.certificate is not None and key is None):
        return (
            build_finding(FindingCode.ALGORITHM_UNSUPPORTED, subject, zh=seal.algorithm, en=seal.algorithm),
        )
    if key is None:
        return (build_finding(FindingCode.SEAL_SIGNATURE_INVALID, subject),)
    return assess_value(
        key,
        seal.signature,
        seal.signed_der,
        subject=subject,
        invalid=FindingCode.SEAL_SIGNATURE_INVALID,
        trust=trust,
    )


# ---------------------------------------------------------------------------------------- F3


def _made_at(seal: Seal, stamp: StampReport | None) -> datetime:
    """When the seal was made: by its trusted time stamp, else as it says."""
    if stamp is not None and stamp.is_trusted and stamp.stamped_at is not None:
        return stamp.stamped_at
    return seal.property.created_at


def _assess_maker(
    seal: Seal, made_at: datetime, moment: datetime, trust: TrustPolicy
) -> tuple[HolderReport, list[Finding]]:
    at_creation = seal.version is SealVersion.V5 or trust.accept_maker_expired_after_creation
    report = assess_holder(
        seal.maker_certificate,
        role=MAKER,
        at=made_at if at_creation else max(made_at, moment),
        trust=trust,
    )
    found = [each for each in report.findings if each.code != FindingCode.MAKER_NOT_VALID_AT_CREATION]
    certificate = report.certificate
    if certificate is None:
        return report, found
    if not certificate.is_valid_at(made_at):
        found.append(build_finding(FindingCode.MAKER_NOT_VALID_AT_CREATION, MAKER.subject))
    elif not certificate.is_valid_at(moment):
        found.append(_expired_since(moment, noted=at_creation))
    return report, found


def _expired_since(moment: datetime, *, noted: bool) -> Finding:
    """Say that the maker's certificate is not valid at the moment judged: a note, or a failure."""
    if noted:
        return build_finding(FindingCode.MAKER_NOT_VALID_LATER, MAKER.subject)
    return build_finding(
        FindingCode.MAKER_CHAIN,
        MAKER.subject,
        zh=f"证书在 {moment:%Y-%m-%d} 不在有效期内",
        en=f"the certificate is not within its validity on {moment:%Y-%m-%d}",
    )


# ------------------------------------------------------------------------------ F4, list, F7


def _assess_period(seal: Seal, moment: datetime) -> list[Finding]:
    prop = seal.property
    code = FindingCode.SEAL_NOT_VALID_AT_SIGNING
    found: list[Finding] = []
    if not prop.valid_from <= moment <= prop.valid_until:
        span = f"{prop.valid_from:%Y-%m-%d}–{prop.valid_until:%Y-%m-%d}"
        found.append(
            build_finding(
                code,
                SEAL,
                zh=f"有效期 {span}，判断时间 {moment:%Y-%m-%d}",
                en=f"{span}, judged {moment:%Y-%m-%d}",
            )
        )
    if prop.created_at > moment:
        weight = Severity.ERROR if seal.version is SealVersion.V5 else Severity.WARNING
        found.append(
            build_finding(
                code,
                SEAL,
                severity=weight,
                zh="制作日期晚于判断时间",
                en="the seal says that it was made later than the moment judged",
            )
        )
    return found


def _assess_list(seal: Seal) -> list[Finding]:
    """Refuse a list of signers that pins nobody: empty, or of digests that are not wanted."""
    prop = seal.property
    if not prop.certificates and not prop.digests:
        return [
            build_finding(
                FindingCode.SEAL_INVALID,
                f"{SEAL}.signers",
                zh="签章者列表为空",
                en="the list of signers is empty",
            )
        ]
    if prop.list_type is CertListType.DIGESTS and any(
        len(each.value) != sm3.DIGEST_BYTES for each in prop.digests
    ):
        return [
            build_finding(
                FindingCode.SEAL_INVALID,
                f"{SEAL}.signers",
                zh="证书杂凑值应为 32 字节",
                en="a digest of a certificate must have 32 octets",
            )
        ]
    return []


def _picture_findings(picture: PictureReport) -> list[Finding]:
    return [
        build_finding(FindingCode.SEAL_PICTURE, f"{SEAL}.picture", zh=each.zh, en=each.en)
        for each in picture.problems
    ]


# ---------------------------------------------------------------------------------------- G4


def _assess_seal_stamp(seal: Seal, trust: TrustPolicy) -> StampReport | None:
    if seal.timestamp is None:
        return None
    report = assess_stamp(
        seal.timestamp,
        stamped=seal.signature,
        subject=f"{SEAL}.timestamp",
        trust=trust,
        codes=OF_SEAL,
    )
    stamped_at = report.stamped_at
    if stamped_at is None or seal.property.created_at <= stamped_at + trust.timestamp_skew:
        return report
    late = build_finding(FindingCode.SEAL_CREATED_AFTER_TIMESTAMP, f"{SEAL}.timestamp")
    return report.with_finding(late)
