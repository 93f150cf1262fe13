"""Findings, what they add up to, and the reports that hold them.

The severity of a single finding may differ from the usual one of its code: a chain that could not be
judged for want of a root carries the chain's code with severity `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from signing.errors import EvidenceRefused
from signing.findings.codes import FindingCode, Severity
from signing.findings.sentences import SENTENCES


class Verdict(StrEnum):
    """What all findings of one examination add up to."""

    VALID = "VALID"
    VALID_WITH_WARNINGS = "VALID_WITH_WARNINGS"
    UNKNOWN = "UNKNOWN"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found, about one subject.

    `subject` names what was examined: `seal`, `seal.maker_certificate`, `signature`,
    `signature.certificate`, a package path… `code` is a FindingCode here; packages above may add their
    own codes and sentences.
    """

    code: str
    severity: Severity
    subject: str
    message_zh: str
    message_en: str


def build_finding(
    code: FindingCode,
    subject: str,
    *,
    severity: Severity | None = None,
    zh: str = "",
    en: str = "",
) -> Finding:
    """Build the finding of a code: its sentences, with the particulars of this case behind a colon."""
    sentence = SENTENCES[code]
    return Finding(
        code=code,
        severity=code.severity if severity is None else severity,
        subject=subject,
        message_zh=f"{sentence.zh}：{zh}。" if zh else f"{sentence.zh}。",
        message_en=f"{sentence.en}: {en}." if en else f"{sentence.en}.",
    )


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Say what findings add up to: the worst of error, unknown, warning; VALID where there is none.

    An error outweighs what could not be judged: evidence with one proven fault is refused whatever the
    missing material would have said.
    """
    weights = {finding.severity for finding in findings}
    if Severity.ERROR in weights:
        return Verdict.INVALID
    if Severity.UNKNOWN in weights:
        return Verdict.UNKNOWN
    if Severity.WARNING in weights:
        return Verdict.VALID_WITH_WARNINGS
    return Verdict.VALID


def refuse_on(findings: Iterable[Finding]) -> None:
    """Raise EvidenceRefused for the first error, else for the first finding that leaves trust unknown."""
    findings = tuple(findings)
    for weight in (Severity.ERROR, Severity.UNKNOWN):
        for finding in findings:
            if finding.severity is weight:
                detail = f"{finding.code} ({finding.subject}): {finding.message_en}"
                raise EvidenceRefused(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReport:
    """What every report of an examination is: findings, in the order of the steps, and what follows."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """What the findings add up to."""
        return verdict_of(self.findings)

    @property
    def is_acceptable(self) -> bool:
        """Whether the evidence may be relied upon: VALID, with or without warnings."""
        return self.verdict in (Verdict.VALID, Verdict.VALID_WITH_WARNINGS)

    @property
    def first_failure(self) -> Finding | None:
        """The error of the earliest step, if there is one."""
        return next((each for each in self.findings if each.severity is Severity.ERROR), None)

    def has(self, code: FindingCode) -> bool:
        """Whether a finding bears this code."""
        return any(each.code == code for each in self.findings)
