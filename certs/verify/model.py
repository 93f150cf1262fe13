"""What a verification found: facts that are frozen, and conclusions that are derived from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from signing.findings import (
    SENTENCES,
    Finding,
    FindingCode,
    Severity,
    Verdict,
    build_finding,
    verdict_of,
)
from signing.seals.model import TimeSource


class DocumentStatus(StrEnum):
    """What a document is worth: as good as its worst signature; an unsigned one is no error."""

    VALID = "VALID"
    VALID_WITH_WARNINGS = "VALID_WITH_WARNINGS"
    INVALID = "INVALID"
    UNKNOWN = "UNKNOWN"
    NOT_SIGNED = "NOT_SIGNED"


_CONTAINER_STEPS: Final = frozenset({"A1", "A2", "A3", "A4"})
_INTEGRITY_STEPS: Final = frozenset("BCD")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealFacts:
    """Which seal was set, as the signature's embedded seal says."""

    version: str
    code: str
    name: str
    vendor_id: str
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerFacts:
    """Whose certificate the signature carries."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which files of the package the signature protects.

    `uncovered` lists files that can be reached from `OFD.xml`, bear on what is seen or claimed, and are not
    protected; `unreachable` lists files that nothing refers to. Files of later signatures are in neither.
    """

    covered: tuple[str, ...]
    uncovered: tuple[str, ...]
    unreachable: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether everything that can be reached is protected."""
        return not self.uncovered


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureReport:
    """What was found about one signature of a document.

    `data_hash` is the SM3 of its description file. `time_source` tells whether `signed_at` is the signer's
    claim or a time stamp's word.
    """

    id: str
    path: str
    type: str
    findings: tuple[Finding, ...]
    seal: SealFacts | None = None
    signer: SignerFacts | None = None
    signed_at: datetime | None = None
    time_source: TimeSource | None = None
    coverage: Coverage | None = None
    data_hash: bytes | None = None

    def with_findings(self, *findings: Finding) -> SignatureReport:
        """Return this report with further findings."""
        return replace(self, findings=(*self.findings, *findings))

    @property
    def status(self) -> Verdict:
        """What this signature is worth."""
        return verdict_of(self.findings)

    @property
    def is_intact(self) -> bool:
        """Whether description, digests and signature agree, whatever may be said of trust and time."""
        return self.data_hash is not None and not any(
            finding.severity is Severity.ERROR and _step(finding)[:1] in _INTEGRITY_STEPS
            for finding in self.findings
        )


def refuse_unread(code: FindingCode, *, zh: str, en: str) -> DocumentReport:
    """Report a file that was not read at all; its digest is not known."""
    finding = build_finding(code, "file", zh=zh, en=en)
    return DocumentReport(digest_sm3=bytes(32), findings=(finding,), signatures=())


def refuse_overlong(max_bytes: int) -> DocumentReport:
    """Report a file that is over the limit (E101) and was not read."""
    zh, en = f"文件超过 {max_bytes} 字节", f"a file to verify has at most {max_bytes} bytes"
    return refuse_unread(FindingCode.CONTAINER_LIMIT, zh=zh, en=en)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReport:
    """What was found about a document; the status follows from it.

    `metadata` are the claims of the first document body (GB/T 36903 short names); they are protected only
    as far as the signatures' coverage goes. `digest_sm3` is that of the whole file.
    """

    digest_sm3: bytes
    findings: tuple[Finding, ...]
    signatures: tuple[SignatureReport, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_readable(self) -> bool:
        """Whether the container could be opened at all."""
        return not any(
            finding.severity is Severity.ERROR and _step(finding) in _CONTAINER_STEPS
            for finding in self.findings
        )

    @property
    def status(self) -> DocumentStatus:
        """What the document is worth."""
        found = [*self.findings, *(each for report in self.signatures for each in report.findings)]
        verdict = verdict_of(found)
        if not self.signatures and verdict is not Verdict.INVALID:
            return DocumentStatus.NOT_SIGNED
        return DocumentStatus(verdict)

    @property
    def exit_code(self) -> int:
        """What a command line ends with: 0 valid, 1 not valid, 2 unreadable, 3 unknown or unsigned."""
        if not self.is_readable:
            return 2
        return _EXIT_CODES[self.status]


_EXIT_CODES: Final = {
    DocumentStatus.VALID: 0,
    DocumentStatus.VALID_WITH_WARNINGS: 0,
    DocumentStatus.INVALID: 1,
    DocumentStatus.UNKNOWN: 3,
    DocumentStatus.NOT_SIGNED: 3,
}


def _step(finding: Finding) -> str:
    """The step of a finding; empty for the codes of packages above `signing`."""
    return SENTENCES[FindingCode(finding.code)].step if finding.code in _CODES else ""


_CODES: Final = frozenset(str(code) for code in FindingCode)
