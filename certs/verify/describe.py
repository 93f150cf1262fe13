"""Render a report: as JSON for machines, as text for people, in Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from certs.verify.checks import Check, list_checks
from certs.verify.language import Language
from certs.verify.model import Coverage, DocumentReport, DocumentStatus, SignatureReport
from certs.verify.register import RegisterReport, Verification
from signing.findings import Finding, Severity, Verdict

MAX_LISTED: Final = 200
"""How many files one list of a coverage names."""


def describe_report(
    report: DocumentReport, *, language: Language = Language.EN, full: bool = False
) -> dict[str, Any]:
    """Render a report as JSON values, with `register` null: nobody asked one.

    `full` adds the digest of the file, the metadata it claims, and each signature's type, path and list of
    checks.
    """
    described: dict[str, Any] = {
        "status": str(report.status),
        "findings": describe_findings(report.findings, language),
        "signatures": [_describe_signature(each, language, full) for each in report.signatures],
        "register": None,
    }
    if full:
        described["digest"] = f"sm3:{report.digest_sm3.hex()}"
        described["metadata"] = dict(report.metadata)
    return described


def describe_verification(
    verification: Verification, *, language: Language = Language.EN, full: bool = False
) -> dict[str, Any]:
    """Render a verification as JSON values, the register's word included."""
    described = describe_report(verification.document, language=language, full=full)
    described["status"] = str(verification.status)
    described["register"] = _describe_register(verification.register, language)
    return described


def describe_findings(findings: Sequence[Finding], language: Language) -> list[dict[str, str]]:
    """Render findings, each with its sentence in one language."""
    return [
        {
            "code": str(finding.code),
            "severity": str(finding.severity),
            "subject": finding.subject,
            "message": finding.message_zh if language is Language.ZH else finding.message_en,
        }
        for finding in findings
    ]


def _describe_register(register: RegisterReport, language: Language) -> dict[str, Any]:
    return {
        "match": str(register.match),
        "status": str(register.status),
        "identifier": register.identifier,
        "successor": register.successor,
        "changed_at": register.changed_at and register.changed_at.isoformat(),
        "reason": register.reason,
        "findings": describe_findings(register.findings, language),
    }


def _describe_signature(signature: SignatureReport, language: Language, full: bool) -> dict[str, Any]:
    seal, signer = signature.seal, signature.signer
    described: dict[str, Any] = {
        "id": signature.id,
        "status": str(signature.status),
        "seal": seal
        and {
            "version": seal.version,
            "code": seal.code,
            "name": seal.name,
            "vendor": seal.vendor_id,
            "valid_from": _time(seal.valid_from),
            "valid_until": _time(seal.valid_until),
        },
        "signer": signer
        and {
            "subject": signer.subject,
            "issuer": signer.issuer,
            "serial": signer.serial,
            "not_before": _time(signer.not_before),
            "not_after": _time(signer.not_after),
        },
        "signed_at": _time(signature.signed_at),
        "time_source": signature.time_source and str(signature.time_source),
        "coverage": signature.coverage and _describe_coverage(signature.coverage),
        "findings": describe_findings(signature.findings, language),
    }
    if full:
        described |= {"type": signature.type, "path": signature.path}
        described["checks"] = [_describe_check(check, language) for check in list_checks(signature)]
    return described


def _describe_check(check: Check, language: Language) -> dict[str, Any]:
    return {
        "step": check.step,
        "title": check.title_zh if language is Language.ZH else check.title_en,
        "outcome": str(check.outcome),
        "codes": list(check.codes),
    }


def _describe_coverage(coverage: Coverage) -> dict[str, Any]:
    described: dict[str, Any] = {
        "complete": coverage.is_complete,
        "covered": len(coverage.covered),
        "uncovered": list(coverage.uncovered[:MAX_LISTED]),
        "unreachable": list(coverage.unreachable[:MAX_LISTED]),
    }
    if left := len(coverage.uncovered[MAX_LISTED:]) + len(coverage.unreachable[MAX_LISTED:]):
        described["left_off"] = left
    return described


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


_STATUS_ZH: Final = {
    DocumentStatus.VALID: "有效",
    DocumentStatus.VALID_WITH_WARNINGS: "有效，有提示",
    DocumentStatus.INVALID: "无效",
    DocumentStatus.UNKNOWN: "无法判定",
    DocumentStatus.NOT_SIGNED: "未签章",
}
_MARKS: Final = {
    Severity.ERROR: "✗",
    Severity.WARNING: "!",
    Severity.UNKNOWN: "?",
    Severity.INFO: "·",
}


def render_text(report: DocumentReport, *, language: Language | None = None) -> str:
    """Render a report for a terminal: the status, then each signature with what was found.

    Without a language every sentence comes in both.
    """
    lines = [_status_line(report.status, language)]
    lines += [_finding_line(finding, language) for finding in report.findings]
    for signature in report.signatures:
        lines += ["", *_signature_lines(signature, language)]
    return "\n".join(lines) + "\n"


def _status_line(status: DocumentStatus | Verdict, language: Language | None) -> str:
    return str(status) if language is Language.EN else f"{status} {_STATUS_ZH[DocumentStatus(status)]}"


def _signature_lines(signature: SignatureReport, language: Language | None) -> list[str]:
    status = _status_line(signature.status, language)
    lines = [f"{signature.type} {signature.id}: {status}"]
    if signature.seal is not None:
        seal = signature.seal
        lines.append(f"  {_LABELS['seal'][language]}  {seal.name} ({seal.version}, {seal.code})")
    if signature.signer is not None:
        lines.append(f"  {_LABELS['signer'][language]}  {signature.signer.subject}")
    if signature.signed_at is not None:
        when = f"{_time(signature.signed_at)} ({signature.time_source})"
        lines.append(f"  {_LABELS['time'][language]}  {when}")
    if signature.coverage is not None:
        done, missing = len(signature.coverage.covered), len(signature.coverage.uncovered)
        lines.append(f"  {_LABELS['coverage'][language]}  {done} / {done + missing}")
    return lines + [_finding_line(finding, language) for finding in signature.findings]


_LABELS: Final[dict[str, dict[Language | None, str]]] = {
    "seal": {None: "印章 seal", Language.ZH: "印章", Language.EN: "seal"},
    "signer": {None: "签章者 signer", Language.ZH: "签章者", Language.EN: "signer"},
    "time": {None: "时间 time", Language.ZH: "时间", Language.EN: "time"},
    "coverage": {
        None: "受保护文件 files protected",
        Language.ZH: "受保护文件",
        Language.EN: "files protected",
    },
}


def _finding_line(finding: Finding, language: Language | None) -> str:
    sentences = {
        None: f"{finding.message_zh} {finding.message_en}",
        Language.ZH: finding.message_zh,
        Language.EN: finding.message_en,
    }
    return f"  {_MARKS[finding.severity]} {finding.code} [{finding.subject}] {sentences[language]}"
