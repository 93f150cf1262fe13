"""Judge the time stamps of seals and seal signatures.

The imprint of a time stamp is SM3 of the signature's octets, without Z and without the BIT STRING's
first octet. The authority's certificate must be for time stamping alone, critically so, and lead to a
trusted root at the time stamped.
Source: GB/T 38540-2020 7.2 (timeStamp), GM/T 0031-2025 6 (the seal's own), RFC 3161 2.3, GB/T 20520.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from signing import oids, sm3
from signing.errors import DecodeError, SigningError
from signing.findings import Finding, FindingCode, Severity, build_finding
from signing.seals.chains import assess_chain
from signing.seals.tokens import Token, parse_token, verify_token
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.extensions import SIGNING_USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class StampCodes:
    """The codes that the faults of a time stamp are reported under."""

    invalid: FindingCode
    imprint: FindingCode
    authority: FindingCode


OF_SIGNATURE: Final = StampCodes(
    invalid=FindingCode.TIMESTAMP_INVALID,
    imprint=FindingCode.TIMESTAMP_IMPRINT,
    authority=FindingCode.TSA_CERT,
)
OF_SEAL: Final = StampCodes(
    invalid=FindingCode.SEAL_TIMESTAMP_INVALID,
    imprint=FindingCode.SEAL_TIMESTAMP_INVALID,
    authority=FindingCode.SEAL_TIMESTAMP_INVALID,
)
_SM3_NAMES: Final = frozenset({oids.SM3, oids.SM3_UNKEYED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StampReport:
    """What was found about one time stamp. `stamped_at` is None where the token could not be read.

    `authority` is the certificate whose signature verified, trusted or not.
    """

    stamped_at: datetime | None
    authority: Certificate | None
    findings: tuple[Finding, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether the time may be taken from this stamp: nothing failed and nothing is unknown."""
        bad = (Severity.ERROR, Severity.UNKNOWN)
        return self.stamped_at is not None and not any(each.severity in bad for each in self.findings)

    def with_finding(self, finding: Finding) -> StampReport:
        """Return this report with one more finding."""
        return replace(self, findings=(*self.findings, finding))


def assess_stamp(
    token: bytes,
    *,
    stamped: bytes,
    subject: str,
    trust: TrustPolicy,
    codes: StampCodes = OF_SIGNATURE,
) -> StampReport:
    """Judge the token over the signature octets `stamped`; never raises on bad evidence."""
    try:
        parsed = parse_token(token)
    except DecodeError as error:
        finding = build_finding(codes.invalid, subject, zh=error.detail, en=error.detail)
        return StampReport(stamped_at=None, authority=None, findings=(finding,))
    authority, findings = _assess_token(parsed, subject, trust, codes)
    if parsed.info.digest_oid not in _SM3_NAMES or parsed.info.imprint != sm3.digest(stamped):
        zh, en = "杂凑值不是本签名值的 SM3", "its imprint is not SM3 of this value"
        findings = [build_finding(codes.imprint, subject, zh=zh, en=en), *findings]
    return StampReport(stamped_at=parsed.info.stamped_at, authority=authority, findings=tuple(findings))


def read_stamped_at(token: bytes) -> datetime | None:
    """Read the time that a token states, unverified; None where it cannot be read."""
    try:
        return parse_token(token).info.stamped_at
    except DecodeError:
        return None


def _assess_token(
    token: Token, subject: str, trust: TrustPolicy, codes: StampCodes
) -> tuple[Certificate | None, list[Finding]]:
    try:
        authority = verify_token(token)
    except SigningError as error:
        detail = error.detail
        return None, [build_finding(codes.invalid, subject, zh=detail, en=detail)]
    return authority, _assess_authority(authority, token, subject, trust, codes.authority)


def _assess_authority(
    authority: Certificate, token: Token, subject: str, trust: TrustPolicy, code: FindingCode
) -> list[Finding]:
    found: list[Finding] = []
    at = token.info.stamped_at

    def report(zh: str, en: str, severity: Severity = Severity.ERROR) -> None:
        found.append(build_finding(code, subject, severity=severity, zh=zh, en=en))

    purposes = authority.extended_key_usage
    if purposes != (oids.EKU_TIME_STAMPING,) or oids.EXT_EXTENDED_KEY_USAGE not in authority.critical_oids:
        report("证书用途不是仅限时间戳且为关键", "it is not for time stamping alone, marked critical")
    if authority.key_usage is not None and not authority.key_usage & SIGNING_USAGE:
        report("密钥用途不允许签名", "its key usage does not allow signing")
    if not authority.is_valid_at(at):
        report("盖戳时不在有效期内", "it was not within its validity at the time stamped")
    helpers = (*trust.intermediates, *token.certificates)
    policy = replace(trust, roots=trust.roots_for_timestamps, intermediates=helpers)
    chain = assess_chain(authority, at=at, trust=policy)
    if not chain.is_trusted:
        unknown = chain.is_trusted is None
        report(chain.reason_zh, chain.reason_en, Severity.UNKNOWN if unknown else Severity.ERROR)
    elif chain.revoked_at is not None and chain.revoked_at <= at:
        report("盖戳前已被撤销", "it was revoked before the time stamped")
    return found
