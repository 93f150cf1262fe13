"""The list of checks of one signature: for each step what came of it, also where nothing was found.

A step counts as passed only where it was reached: each failure that ends an examination early says so
for all that it kept from being looked at. The steps are those of `certs.verify.document`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from certs.verify.model import SignatureReport
from certs.verify.signature_files import SIGN_TYPE
from signing.findings import SENTENCES, Finding, Severity
from signing.seals.model import SealVersion, TimeSource


class CheckOutcome(StrEnum):
    """What came of one step."""

    PASSED = "passed"
    WARNING = "warning"
    UNKNOWN = "unknown"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One step, what it looks at, what came of it, and the codes of what was found."""

    step: str
    title_zh: str
    title_en: str
    outcome: CheckOutcome
    codes: tuple[str, ...] = ()


TITLES: Final[dict[str, tuple[str, str]]] = {
    "B1": ("签名描述文件存在", "the signature's description is there"),
    "B2": ("签名描述文件完整", "the description is whole"),
    "B3": ("摘要算法为 SM3", "files are digested with SM3"),
    "B4": ("签名算法与签名值一致", "the method named is that of the value"),
    "C1": ("受保护文件齐全且不重复", "every protected file is there, once"),
    "C2": ("受保护文件摘要一致", "every protected file has its digest"),
    "C3": ("可见内容全部受保护", "nothing visible is left unprotected"),
    "D1": ("签名值完整", "the signature value is whole"),
    "D2": ("签章与印章版本一致", "versions of signature and seal agree"),
    "D3": ("算法与证书密钥相符", "the algorithm fits the certificate's key"),
    "D4": ("签名值验证通过", "the signature verifies"),
    "D5": ("签名针对本描述文件", "it signs this description"),
    "D6": ("签名针对本文件位置", "it signs this place in the package"),
    "E1": ("签章者证书可用于签名", "the signer's certificate may sign"),
    "E2": ("签章者证书链可信", "it leads to a trusted root"),
    "E3": ("签章时签章者证书在有效期内", "it was in force at the time of signing"),
    "E4": ("签章者证书未被撤销", "it was not revoked"),
    "F1": ("印章结构完整", "the seal is whole"),
    "F2": ("制章者签名验证通过", "the seal maker's signature verifies"),
    "F3": ("制章者证书可信", "the seal maker may be trusted"),
    "F4": ("签章时印章在有效期内", "the seal was in force at the time of signing"),
    "F5": ("签章者在印章的签章者列表中", "the seal lists the signer"),
    "F6": ("旁附印章文件一致", "a seal file beside it is the seal inside"),
    "F7": ("印章图片可读", "the seal's picture can be read"),
    "G1": ("签章时间戳有效", "the time stamp is valid, over this signature"),
    "G2": ("时间戳机构证书可信", "the time-stamp authority may be trusted"),
    "G3": ("时间戳与签章时间先后合理", "time stamp and signing time are in order"),
    "G4": ("印章时间戳有效", "the seal's own time stamp is valid"),
    "H1": ("所依据的签名有效", "a signature that it rests on is valid"),
    "H2": ("签章位置与页面相符", "each stamp lies on a page, at the seal's size"),
    "H3": ("锁定后无后续签名", "nothing was signed after a lock"),
}
"""The steps of one signature in their order, each with its title in both languages."""

_STEPS: Final = tuple(TITLES)
_STEP_OF: Final = {str(code): sentence.step for code, sentence in SENTENCES.items()}
_OUTCOME_OF: Final = {
    Severity.ERROR: CheckOutcome.FAILED,
    Severity.UNKNOWN: CheckOutcome.UNKNOWN,
    Severity.WARNING: CheckOutcome.WARNING,
    Severity.INFO: CheckOutcome.PASSED,
}
_WEIGHT: Final = tuple(CheckOutcome)
_OF_VALUE: Final = frozenset(step for step in _STEPS if step[0] in "DEFG") | {"B4", "H2"}
"""What needs the signature value to be readable."""
_OF_SEAL: Final = frozenset(step for step in _STEPS if step[0] == "F") | {"D2", "D6", "G4"}
"""What only a signature with a seal has."""


def list_checks(report: SignatureReport) -> tuple[Check, ...]:
    """List every step of one signature with what came of it."""
    found: dict[str, list[Finding]] = {step: [] for step in _STEPS}
    for finding in report.findings:
        found.setdefault(_STEP_OF.get(finding.code, ""), []).append(finding)
    unreached = _find_unreached(report, found)
    inapplicable = _find_inapplicable(report)
    return tuple(_check(step, found[step], unreached, inapplicable) for step in _STEPS)


def _check(
    step: str, findings: list[Finding], unreached: frozenset[str], inapplicable: frozenset[str]
) -> Check:
    if findings:
        outcome = max((_OUTCOME_OF[finding.severity] for finding in findings), key=_WEIGHT.index)
    elif step in unreached:
        outcome = CheckOutcome.NOT_REACHED
    elif step in inapplicable:
        outcome = CheckOutcome.NOT_APPLICABLE
    else:
        outcome = CheckOutcome.PASSED
    zh, en = TITLES[step]
    codes = tuple(dict.fromkeys(finding.code for finding in findings))
    return Check(step=step, title_zh=zh, title_en=en, outcome=outcome, codes=codes)


def _find_unreached(report: SignatureReport, found: dict[str, list[Finding]]) -> frozenset[str]:
    """The steps that an early end kept from being looked at."""
    if report.data_hash is None:  # no description, or an unreadable one
        first = "B1" if _fails(found["B1"]) else "B2"
        return frozenset(_STEPS[_STEPS.index(first) + 1 :])
    if report.type == SIGN_TYPE:
        return _OF_VALUE - {"D1"} - _OF_SEAL if report.signer is None else _below_chain(found)
    if report.seal is None:  # no value, or an unreadable one
        return _OF_VALUE - {"D1"}
    unreached: set[str] = set()
    if report.signer is None:
        unreached |= {"D3", "D4", "E2", "E3", "E4"}
    else:
        unreached |= _below_chain(found)
    if _fails(found["F1"]):
        unreached |= {"F2", "F3"}
    return frozenset(unreached)


def _below_chain(found: dict[str, list[Finding]]) -> frozenset[str]:
    """Revocation is looked at only under a chain that holds."""
    return frozenset({"E4"} if _fails(found["E2"]) else ())


def _find_inapplicable(report: SignatureReport) -> frozenset[str]:
    """The steps about what the signature does not have."""
    steps: set[str] = set()
    if report.time_source is not TimeSource.TIMESTAMP:
        steps |= {"G1", "G2", "G3"}
    if report.type == SIGN_TYPE:
        steps |= _OF_SEAL
    elif report.seal is not None and report.seal.version != SealVersion.V5.name:
        steps.add("G4")
    return frozenset(steps)


def _fails(findings: Iterable[Finding]) -> bool:
    return any(finding.severity in {Severity.ERROR, Severity.UNKNOWN} for finding in findings)
