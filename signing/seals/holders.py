"""Judge the certificate of whoever signed: the maker of a seal, or the signer who used it.

Both are judged alike (readable, may sign, chain, validity, revocation) and reported under codes of their
own. Key usage must allow signing; that it allows encipherment too is common in the field and refused
only by policy. No extended key usage is asked for, because real authorities issue none for seals or other
ones; but a certificate for a hub's receipts is for nothing else.
Source: GM/T 0015 annex C (key usage), GM/T 0031-2014 6.1.2, 6.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing.der import parse_der
from signing.errors import DecodeError
from signing.findings import Finding, FindingCode, Severity, build_finding
from signing.seals.chains import PERIOD, USAGE, ChainReport, assess_chain
from signing.trust import RevocationRule, TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.extensions import SIGNING_USAGE
from signing.x509.path import PathPolicy, PathReason
from signing.x509.profiles import RULES, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderRole:
    """Whose certificate is judged, and the codes that its faults are reported under."""

    subject: str
    unreadable: FindingCode
    chain: FindingCode
    key_usage: FindingCode
    outside: FindingCode
    revoked: FindingCode


SIGNER: Final = HolderRole(
    subject="signature.signer",
    unreadable=FindingCode.SIGNER_CERT_INVALID,
    chain=FindingCode.SIGNER_CHAIN,
    key_usage=FindingCode.SIGNER_KEY_USAGE,
    outside=FindingCode.SIGNING_TIME_OUTSIDE_CERT,
    revoked=FindingCode.SIGNER_REVOKED,
)
MAKER: Final = HolderRole(
    subject="seal.maker",
    unreadable=FindingCode.SEAL_INVALID,
    chain=FindingCode.MAKER_CHAIN,
    key_usage=FindingCode.MAKER_KEY_USAGE,
    outside=FindingCode.MAKER_NOT_VALID_AT_CREATION,
    revoked=FindingCode.MAKER_REVOKED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderReport:
    """What was found about one certificate. `certificate` and `chain` are None where it is unreadable."""

    certificate: Certificate | None
    judged_at: datetime
    chain: ChainReport | None
    findings: tuple[Finding, ...]

    @property
    def is_trusted(self) -> bool | None:
        """Whether it leads to a trusted root; None where that could not be judged."""
        return self.chain.is_trusted if self.chain is not None else False


def parse_holder(der: bytes) -> Certificate:
    """Read a certificate that must be DER (PEM, which the certificate reader takes, is refused here)."""
    return Certificate.from_node(parse_der(der))


def may_sign(certificate: Certificate) -> bool:
    """Tell whether a certificate's usages allow sealing; one without key usage is not restricted."""
    if is_for_receipts(certificate):
        return False
    return certificate.key_usage is None or bool(certificate.key_usage & SIGNING_USAGE)


def is_for_receipts(certificate: Certificate) -> bool:
    """Tell whether extended key usage gives a certificate to a hub's receipts (profile HUB_SIGNER)."""
    receipts = set(RULES[Profile.HUB_SIGNER].extended_key_usage)
    sealing = {*RULES[Profile.SEAL_SIGNER].extended_key_usage, *RULES[Profile.SEAL_MAKER].extended_key_usage}
    return not (receipts - sealing).isdisjoint(certificate.extended_key_usage or ())


def assess_holder(der: bytes, *, role: HolderRole, at: datetime, trust: TrustPolicy) -> HolderReport:
    """Judge a certificate (DER) in a role at a time; never raises on bad evidence."""
    try:
        certificate = parse_holder(der)
    except DecodeError as error:
        finding = build_finding(role.unreadable, role.subject, zh=error.detail, en=error.detail)
        return HolderReport(certificate=None, judged_at=at, chain=None, findings=(finding,))
    policy = PathPolicy(key_usage=SIGNING_USAGE, refuse_encipherment=trust.refuse_encipherment_key_usage)
    chain = assess_chain(certificate, at=at, trust=trust, policy=policy)
    findings = (
        *_usage_findings(certificate, chain, role),
        *_period_findings(certificate, chain, role, at),
        *_chain_findings(chain, role),
        *_revocation_findings(chain, role, at, trust),
    )
    return HolderReport(certificate=certificate, judged_at=at, chain=chain, findings=findings)


def _usage_findings(certificate: Certificate, chain: ChainReport, role: HolderRole) -> list[Finding]:
    if is_for_receipts(certificate):
        zh, en = "证书专用于枢纽回执", "it is for the receipts of a hub, not for seals"
        return [build_finding(role.key_usage, role.subject, zh=zh, en=en)]
    if certificate.key_usage is None:
        return [
            build_finding(
                role.key_usage,
                role.subject,
                severity=Severity.WARNING,
                zh="证书没有密钥用途扩展",
                en="the certificate does not say what its key is for",
            )
        ]
    wrong = chain.own_reasons & USAGE
    if wrong == {PathReason.ENCIPHERMENT_KEY}:
        return [
            build_finding(
                role.key_usage,
                role.subject,
                zh="证书同时可用于加密，策略不接受",
                en="it allows encipherment too, which the policy does not accept",
            )
        ]
    return [build_finding(role.key_usage, role.subject)] if wrong else []


def _period_findings(
    certificate: Certificate, chain: ChainReport, role: HolderRole, at: datetime
) -> list[Finding]:
    if not chain.own_reasons & PERIOD:
        return []
    span = f"{certificate.not_before:%Y-%m-%d}–{certificate.not_after:%Y-%m-%d}"
    return [
        build_finding(
            role.outside,
            role.subject,
            zh=f"证书有效期 {span}，判断时间 {at:%Y-%m-%d}",
            en=f"{span}, judged at {at:%Y-%m-%d}",
        )
    ]


def _chain_findings(chain: ChainReport, role: HolderRole) -> list[Finding]:
    if chain.is_trusted:
        return []
    weight = Severity.UNKNOWN if chain.is_trusted is None else Severity.ERROR
    return [build_finding(role.chain, role.subject, severity=weight, zh=chain.reason_zh, en=chain.reason_en)]


_RULE_WEIGHTS: Final = {
    RevocationRule.IGNORE: Severity.INFO,
    RevocationRule.WARN: Severity.WARNING,
    RevocationRule.UNKNOWN: Severity.UNKNOWN,
    RevocationRule.REFUSE: Severity.ERROR,
}


def _revocation_findings(
    chain: ChainReport, role: HolderRole, at: datetime, trust: TrustPolicy
) -> list[Finding]:
    if trust.revocation is not RevocationRule.IGNORE and chain.revoked_at is not None:
        when = f"{chain.revoked_at:%Y-%m-%d %H:%M:%S} UTC"
        code = role.revoked if chain.revoked_at <= at else FindingCode.REVOKED_LATER
        return [build_finding(code, role.subject, zh=when, en=when)]
    if not chain.is_trusted:
        return []
    if chain.is_revocation_known and trust.revocation is not RevocationRule.IGNORE:
        return []
    return [_revocation_unknown(role, _RULE_WEIGHTS[trust.revocation])]


def _revocation_unknown(role: HolderRole, weight: Severity) -> Finding:
    return build_finding(FindingCode.REVOCATION_UNKNOWN, role.subject, severity=weight)
