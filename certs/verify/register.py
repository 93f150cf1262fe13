"""What the hub's own register says about a document that was examined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from certs.identifiers import CheckStatus, Identifier, parse_identifier
from certs.identifiers.identifier import IdentifierInvalid
from certs.issue.metadata import IDENTIFIER
from certs.issue.model import Certificate, CertificateStatus, StatusChange
from certs.verify.model import DocumentReport, DocumentStatus
from core.china_time import china_day
from signing.findings import Finding, Severity


class RegisterCode(StrEnum):
    """Findings that only a register can make."""

    NOT_VALID = "E190"
    NOT_THE_REGISTERED_FILE = "E191"
    UNKNOWN_HERE = "I192"
    IDENTIFIER_CHECK = "W193"
    IDENTIFIER_INVALID = "W194"
    CLAIM_DIFFERS = "E195"
    PACKED_ANEW = "W196"
    ANNOTATED_COPY = "I197"
    COPY_PAST = "E198"


class Match(StrEnum):
    """How a document was found in the register.

    `file`: it is the registered file, octet for octet. `copy`: it is an annotated copy made here.
    `content`: it holds the registered sealed content, packed anew. `claim`: it only says that it is a
    registered certificate. `none`: not at all.
    """

    FILE = "file"
    COPY = "copy"
    CONTENT = "content"
    CLAIM = "claim"
    NONE = "none"


class RegisterStatus(StrEnum):
    """What the register says."""

    VALID = "valid"
    NOT_ACTIVATED = "not_activated"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    NOT_THE_REGISTERED_FILE = "not_the_registered_file"
    UNKNOWN_HERE = "unknown_here"


STATUS_OF: Final = {
    CertificateStatus.NOT_ACTIVATED: RegisterStatus.NOT_ACTIVATED,
    CertificateStatus.ACTIVE: RegisterStatus.VALID,
    CertificateStatus.SUSPENDED: RegisterStatus.SUSPENDED,
    CertificateStatus.EXPIRED: RegisterStatus.EXPIRED,
    CertificateStatus.SUPERSEDED: RegisterStatus.SUPERSEDED,
    CertificateStatus.CANCELLED: RegisterStatus.CANCELLED,
    CertificateStatus.REVOKED: RegisterStatus.REVOKED,
    CertificateStatus.WITHDRAWN: RegisterStatus.WITHDRAWN,
}
_STATUS_ZH: Final = {
    RegisterStatus.NOT_ACTIVATED: "尚未激活或未到生效日期",
    RegisterStatus.SUSPENDED: "已暂扣",
    RegisterStatus.EXPIRED: "已过有效期",
    RegisterStatus.SUPERSEDED: "已变更或换发",
    RegisterStatus.CANCELLED: "已注销",
    RegisterStatus.REVOKED: "已吊销",
    RegisterStatus.WITHDRAWN: "已撤销",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReport:
    """The register's word: which certificate, how it was matched, and what it is worth today."""

    match: Match
    status: RegisterStatus
    identifier: str | None
    findings: tuple[Finding, ...]
    successor: str | None = None
    changed_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A document's examination together with the register's word."""

    document: DocumentReport
    register: RegisterReport

    @property
    def status(self) -> DocumentStatus:
        """What both together say: what the register refuses is not valid, however well it is sealed."""
        weights = {finding.severity for finding in self.register.findings}
        if Severity.ERROR in weights:
            return DocumentStatus.INVALID
        if Severity.WARNING in weights and self.document.status is DocumentStatus.VALID:
            return DocumentStatus.VALID_WITH_WARNINGS
        return self.document.status


def read_claim(document: DocumentReport) -> Identifier | None:
    """Read the identifier that the document says it has; None where it names none, or no well-formed one."""
    try:
        return parse_identifier(document.metadata.get(IDENTIFIER, ""), lenient=True)
    except IdentifierInvalid:
        return None


def assess_register(
    document: DocumentReport,
    *,
    held: Certificate | None,
    claimed: Certificate | None,
    changes: Sequence[StatusChange],
    now: datetime,
) -> RegisterReport:
    """Say what the register knows of a document.

    `held` is the certificate whose file or sealed content the document is, `claimed` the one whose identifier
    its metadata names; `changes` are the steps in the life of the one that counts.
    """
    findings = _check_claim(document)
    if held is None:
        return _without_content(document, claimed, findings)
    is_file = held.digest_sm3 == document.digest_sm3
    status = STATUS_OF[held.status_on(china_day(now))]
    if (claim := document.metadata.get(IDENTIFIER)) is not None and claim != held.identifier:
        findings.append(note(RegisterCode.CLAIM_DIFFERS, Severity.ERROR, *_CLAIM_DIFFERS))
    if not is_file:
        findings.append(note(RegisterCode.PACKED_ANEW, Severity.WARNING, *_PACKED_ANEW))
    last = changes[-1] if changes and status is not RegisterStatus.VALID else None
    if status is not RegisterStatus.VALID:
        findings.append(describe_invalid(status, last))
    return RegisterReport(
        match=Match.FILE if is_file else Match.CONTENT,
        status=status,
        identifier=held.identifier,
        findings=tuple(findings),
        successor=held.successor,
        changed_at=None if last is None else last.changed_at,
        reason=None if last is None else last.reason,
    )


def _without_content(
    document: DocumentReport, claimed: Certificate | None, findings: list[Finding]
) -> RegisterReport:
    if claimed is not None:
        findings.append(note(RegisterCode.NOT_THE_REGISTERED_FILE, Severity.ERROR, *_NOT_THE_FILE))
        return RegisterReport(
            match=Match.CLAIM,
            status=RegisterStatus.NOT_THE_REGISTERED_FILE,
            identifier=claimed.identifier,
            findings=tuple(findings),
        )
    findings.append(note(RegisterCode.UNKNOWN_HERE, Severity.INFO, *_UNKNOWN_HERE))
    claim = read_claim(document)
    return RegisterReport(
        match=Match.NONE,
        status=RegisterStatus.UNKNOWN_HERE,
        identifier=None if claim is None else str(claim),
        findings=tuple(findings),
    )


_CLAIM_DIFFERS: Final = (
    "元数据中的电子证照标识与登记的不一致。",
    "The identifier in the metadata is not the one that the sealed content is registered under.",
)
_PACKED_ANEW: Final = (
    "文件与登记的文件不逐字节相同，但受签章保护的内容一致。",
    "The file is not the registered one octet for octet; what the seal protects is the same.",
)
_NOT_THE_FILE: Final = (
    "文件自称是本平台登记的电子证照，但并非登记的文件。",
    "The file says that it is a certificate registered here, and is not the file that is registered.",
)
_UNKNOWN_HERE: Final = (
    "本平台未登记该文件，状态需向颁发机构核实。",
    "The file is not registered here; ask its issuer for its status.",
)
_CHECK: Final = {
    CheckStatus.LEGACY_VARIANT: (
        "电子证照标识的校验位由已知的错误算法生成。",
        "The check character of the identifier comes from a defective routine that is known in the field.",
    ),
    CheckStatus.BAD: (
        "电子证照标识的校验位不正确。",
        "The check character of the identifier is wrong.",
    ),
}
_NO_IDENTIFIER: Final = (
    "元数据中的电子证照标识不符合 GB/T 36904。",
    "The identifier in the metadata is not one after GB/T 36904.",
)


def _check_claim(document: DocumentReport) -> list[Finding]:
    if IDENTIFIER not in document.metadata:
        return []
    claim = read_claim(document)
    if claim is None:
        return [note(RegisterCode.IDENTIFIER_INVALID, Severity.WARNING, *_NO_IDENTIFIER)]
    if claim.check_status is CheckStatus.OK:
        return []
    return [note(RegisterCode.IDENTIFIER_CHECK, Severity.WARNING, *_CHECK[claim.check_status])]


def describe_invalid(status: RegisterStatus, last: StatusChange | None) -> Finding:
    """Say that a certificate is not valid, and what made it so."""
    zh = f"登记状态：{_STATUS_ZH[status]}"
    en = f"The register says: {status}"
    if last is not None and last.from_status is not None:
        day = china_day(last.changed_at).isoformat()
        zh += f"（{day}，{last.reason}）"
        en += f" ({day}: {last.reason})"
    return note(RegisterCode.NOT_VALID, Severity.ERROR, f"{zh}。", f"{en}.")


def note(code: RegisterCode, severity: Severity, zh: str, en: str) -> Finding:
    """Build a finding about the register."""
    return Finding(code=code, severity=severity, subject="register", message_zh=zh, message_en=en)
