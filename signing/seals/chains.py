"""Hand a certificate to `signing.x509.path` under a trust policy, and read the answer for a seal.

A report keeps the path report as it came. What it leaves out is the certificate's own period,
revocation and key usage where a seal's examination reports them under codes of their own and judges them
at times of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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

PERIOD: Final = frozenset({PathReason.NOT_YET_VALID, PathReason.EXPIRED})
USAGE: Final = frozenset({PathReason.KEY_USAGE, PathReason.ENCIPHERMENT_KEY})
OWN_AFFAIR: Final = PERIOD | USAGE | {PathReason.REVOKED}
_WANT_OF_ROOT: Final = frozenset(
    {PathReason.NO_ISSUER, PathReason.UNTRUSTED_ROOT, PathReason.SIGNATURE_INVALID, PathReason.TOO_LONG}
)
NO_ROOT_ZH: Final = "没有配置受信任的根证书"
NO_ROOT_EN: Final = "no trusted root is configured"
_ZH: Final[dict[PathReason, str]] = {
    PathReason.NO_ISSUER: "缺少上级证书",
    PathReason.UNTRUSTED_ROOT: "自签名证书不在受信任的根证书之列",
    PathReason.SIGNATURE_INVALID: "上级证书不能验证其签名",
    PathReason.TOO_LONG: "证书链过长或分支过多",
    PathReason.NOT_YET_VALID: "证书尚未生效",
    PathReason.EXPIRED: "证书已过期",
    PathReason.NOT_A_CA: "上级证书不是 CA 证书",
    PathReason.MAY_NOT_SIGN_CERTIFICATES: "上级证书的密钥用途不允许签发证书",
    PathReason.PATH_LENGTH_EXCEEDED: "超出上级证书的路径长度限制",
    PathReason.KEY_IDENTIFIER_MISMATCH: "颁发者密钥标识不符",
    PathReason.UNKNOWN_CRITICAL_EXTENSION: "证书含有不认识的关键扩展",
    PathReason.KEY_NOT_SM2: "证书公钥不是 SM2",
    PathReason.KEY_USAGE: "密钥用途不符",
    PathReason.ENCIPHERMENT_KEY: "是加密证书",
    PathReason.EXTENDED_KEY_USAGE: "扩展密钥用途不符",
    PathReason.REVOKED: "证书已被撤销",
    PathReason.REVOCATION_UNKNOWN: "撤销状态未知",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """Whether a certificate leads to a trusted root, and what is known of its revocation.

    `has_root` says whether any root was configured; where none was, the path's ending is no fault.
    `own_affair` are the reasons that the caller judges itself where they concern the certificate itself.
    """

    path: PathReport
    has_root: bool
    own_affair: frozenset[PathReason] = field(default=OWN_AFFAIR)

    @property
    def problems(self) -> tuple[PathProblem, ...]:
        """What is wrong with the path, the certificate's own affairs left out.

        Without a root only what is wrong with the certificate itself is known to be wrong.
        """
        found = (each for each in self.path.problems if not self._is_own_affair(each))
        if self.has_root:
            return tuple(found)
        return tuple(each for each in found if self._is_own(each) and each.reason not in _WANT_OF_ROOT)

    @property
    def own_reasons(self) -> frozenset[PathReason]:
        """What is wrong with the certificate itself, its own affairs included."""
        return frozenset(each.reason for each in self.path.problems if self._is_own(each))

    @property
    def is_trusted(self) -> bool | None:
        """Whether it leads to a trusted root; None where no root is configured."""
        return self.path.anchored and not self.problems if self.has_root else None

    @property
    def revoked_at(self) -> datetime | None:
        """When it was, or will have been, revoked; None where nobody says so."""
        facts = (each for each in self.path.revocation if each.certificate == self.path.certificate)
        return next((each.effective_at for each in facts), None) if self.has_root else None

    @property
    def is_revocation_known(self) -> bool:
        """Whether someone spoke about it and about every issuer below the root."""
        looked_at = len(self.path.revocation) == len(self.path.chain) - 1
        return self.has_root and looked_at and all(facts.known for facts in self.path.revocation)

    @property
    def reason_zh(self) -> str:
        """Why it is not trusted, in Chinese; empty where it is."""
        reasons = () if self.has_root else (NO_ROOT_ZH,)
        return "；".join(dict.fromkeys((*reasons, *map(self.sentence_zh, self.problems))))

    @property
    def reason_en(self) -> str:
        """Why it is not trusted, in English; empty where it is."""
        reasons = () if self.has_root else (NO_ROOT_EN,)
        return "; ".join(dict.fromkeys((*reasons, *map(str, self.problems))))

    def sentence_zh(self, problem: PathProblem) -> str:
        """Say in Chinese what is wrong, naming the certificate where it is not the one judged."""
        sentence = _ZH[problem.reason]
        return sentence if self._is_own(problem) else f"{problem.certificate.subject}：{sentence}"

    def _is_own(self, problem: PathProblem) -> bool:
        return problem.certificate == self.path.certificate

    def _is_own_affair(self, problem: PathProblem) -> bool:
        return problem.reason in self.own_affair and self._is_own(problem)


def assess_chain(
    certificate: Certificate,
    *,
    at: datetime,
    trust: TrustPolicy,
    policy: PathPolicy | None = None,
    own_affair: frozenset[PathReason] = OWN_AFFAIR,
) -> ChainReport:
    """Follow `certificate` to a root of `trust` at `at`; never raises on bad evidence.

    `policy` adds demands on the certificate; its revocation mode is replaced by that of `trust`.
    """
    ignored = trust.revocation is RevocationRule.IGNORE or not trust.has_roots
    mode = RevocationMode.IGNORE if ignored else RevocationMode.IF_KNOWN
    report = assess_path(
        certificate,
        roots=trust.roots,
        intermediates=trust.intermediates if trust.has_roots else (),
        at=at,
        crls=trust.crls,
        ocsp_responses=trust.ocsp_responses,
        policy=replace(policy or PathPolicy(), revocation=mode),
    )
    return ChainReport(path=report, has_root=trust.has_roots, own_affair=own_affair)
