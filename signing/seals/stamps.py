"""Judge the time stamps of seals and seal signatures.

The imprint of a time stamp is SM3 of the signature's octets, without Z and without the BIT STRING's
first octet. The authority's certificate must be for time stamping alone, critically so, and lead to a
trusted root at the time stamped.
Source: GB/T 38540-2020 7.2 (timeStamp), GM/T 0031-2025 6 (the seal's own), RFC 3161 2.3, GB/T 20520.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from hmac import compare_digest
from typing import Final

from signing import sm3
from signing.errors import DecodeError, SigningError
from signing.findings import Finding, FindingCode, Severity, build_finding
from signing.seals.chains import NO_ROOT_EN, NO_ROOT_ZH, assess_chain
from signing.timestamp.token import TimeStampToken, verify_token_signature
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.path import TSA_POLICY


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
        parsed = TimeStampToken.parse(token)
    except DecodeError as error:
        finding = build_finding(codes.invalid, subject, zh=error.detail, en=error.detail)
        return StampReport(stamped_at=None, authority=None, findings=(finding,))
    authority, findings = _assess_token(parsed, subject, trust, codes)
    imprint = parsed.info.imprint
    if not imprint.is_sm3 or not compare_digest(imprint.digest, sm3.digest(stamped)):
        zh, en = "杂凑值不是本签名值的 SM3", "its imprint is not SM3 of this value"
        findings = [build_finding(codes.imprint, subject, zh=zh, en=en), *findings]
    return StampReport(stamped_at=parsed.info.generated_at, authority=authority, findings=tuple(findings))


def read_stamped_at(token: bytes) -> datetime | None:
    """Read the time that a token states, unverified; None where it cannot be read."""
    try:
        return TimeStampToken.parse(token).info.generated_at
    except DecodeError:
        return None


def _assess_token(
    token: TimeStampToken, subject: str, trust: TrustPolicy, codes: StampCodes
) -> tuple[Certificate | None, list[Finding]]:
    try:
        authority = verify_token_signature(token, certificates=trust.intermediates)
    except SigningError as error:
        detail = error.detail
        return None, [build_finding(codes.invalid, subject, zh=detail, en=detail)]
    return authority, _assess_authority(authority, token, subject, trust, codes.authority)


def _assess_authority(
    authority: Certificate, token: TimeStampToken, subject: str, trust: TrustPolicy, code: FindingCode
) -> list[Finding]:
    helpers = (*trust.intermediates, *token.signed.certificates)
    chain = assess_chain(
        authority,
        at=token.info.generated_at,
        trust=replace(trust, roots=trust.roots_for_timestamps, intermediates=helpers),
        policy=TSA_POLICY,
        own_affair=frozenset(),
    )
    found = [
        build_finding(code, subject, zh=chain.sentence_zh(each), en=str(each)) for each in chain.problems
    ]
    if not chain.has_root:
        unknown = Severity.UNKNOWN
        found.append(build_finding(code, subject, severity=unknown, zh=NO_ROOT_ZH, en=NO_ROOT_EN))
    return found
