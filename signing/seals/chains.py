"""Ask `signing.x509.path` about a certificate's chain and revocation, and answer for a seal.

Its own validity period and its own revocation are taken out of the chain's verdict, because a seal's
examination reports them under codes of their own and judges them at times of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signing.trust import RevocationRule, TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.path import (
    PathPolicy,
    PathProblem,
    PathReason,
    PathReport,
    RevocationMode,
    assess_path,
)

_OWN_AFFAIR: Final = frozenset({PathReason.NOT_YET_VALID, PathReason.EXPIRED, PathReason.REVOKED})
_ZH: Final[dict[PathReason, str]] = {
    PathReason.NO_ISSUER: "缺少上级证书",
    PathReason.UNTRUSTED_ROOT: "自签名证书不在受信任的根证书之列",
    PathReason.SIGNATURE_INVALID: "上级证书不能验证其签名",
    PathReason.TOO_LONG: "证书链过长或分支过多",
    PathReason.NOT_YET_VALID: "上级证书尚未生效",
    PathReason.EXPIRED: "上级证书已过期",
    PathReason.NOT_A_CA: "上级证书不是 CA 证书",
    PathReason.MAY_NOT_SIGN_CERTIFICATES: "上级证书的密钥用途不允许签发证书",
    PathReason.PATH_LENGTH_EXCEEDED: "超出上级证书的路径长度限制",
    PathReason.KEY_IDENTIFIER_MISMATCH: "颁发者密钥标识不符",
    PathReason.UNKNOWN_CRITICAL_EXTENSION: "证书含有不认识的关键扩展",
    PathReason.KEY_NOT_SM2: "证书公钥不是 SM2",
    PathReason.KEY_USAGE: "密钥用途不符",
    PathReason.ENCIPHERMENT_KEY: "是加密证书",
    PathReason.EXTENDED_KEY_USAGE: "扩展密钥用途不符",
    PathReason.REVOKED: "上级证书已被撤销",
    PathReason.REVOCATION_UNKNOWN: "撤销状态未知",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """Whether a certificate leads to a trusted root, and what is known of its revocation.

    `is_trusted` is None where no root is configured. `path` runs from the certificate as far as it was
    built. `revoked_at` is None where it is not revoked; `is_revocation_known` says whether anyone spoke
    about the certificate and about every issuer below the root. The reasons are empty where it is trusted.
    """

    is_trusted: bool | None
    path: tuple[Certificate, ...]
    revoked_at: datetime | None
    is_revocation_known: bool
    reason_zh: str
    reason_en: str


def assess_chain(certificate: Certificate, *, at: datetime, trust: TrustPolicy) -> ChainReport:
    """Follow `certificate` to a root of `trust` at `at`; its own validity and revocation are not judged."""
    if not trust.roots:
        return ChainReport(
            is_trusted=None,
            path=(certificate,),
            revoked_at=None,
            is_revocation_known=False,
            reason_zh="没有配置受信任的根证书",
            reason_en="no trusted root is configured",
        )
    ignored = trust.revocation is RevocationRule.IGNORE
    report = assess_path(
        certificate,
        roots=trust.roots,
        intermediates=trust.intermediates,
        at=at,
        crls=trust.crls,
        ocsp_responses=trust.ocsp_responses,
        policy=PathPolicy(revocation=RevocationMode.IGNORE if ignored else RevocationMode.IF_KNOWN),
    )
    return _answer(report, ignored=ignored)


def _answer(report: PathReport, *, ignored: bool) -> ChainReport:
    problems = [problem for problem in report.problems if not _is_own_affair(problem, report)]
    own = next((facts for facts in report.revocation if facts.certificate == report.certificate), None)
    return ChainReport(
        is_trusted=report.anchored and not problems,
        path=report.chain,
        revoked_at=own.effective_at if own is not None else None,
        is_revocation_known=not ignored and all(facts.known for facts in report.revocation),
        reason_zh="；".join(dict.fromkeys(_ZH[problem.reason] for problem in problems)),
        reason_en="; ".join(dict.fromkeys(str(problem) for problem in problems)),
    )


def _is_own_affair(problem: PathProblem, report: PathReport) -> bool:
    return problem.certificate == report.certificate and problem.reason in _OWN_AFFAIR
