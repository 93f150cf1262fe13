"""Render a report: as JSON for machines, as text for people, in Chinese and English."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from certs.verify.checks import Check, list_checks
from certs.verify.model import Coverage, DocumentReport, DocumentStatus, SignatureReport
from signing.findings import Finding, Severity, Verdict


def describe_report(report: DocumentReport) -> dict[str, Any]:
    """Render a report as JSON values, without the register."""
    return {
        "status": str(report.status),
        "digest": f"sm3:{report.digest_sm3.hex()}",
        "findings": [describe_finding(finding) for finding in report.findings],
        "signatures": [_describe_signature(signature) for signature in report.signatures],
        "metadata": dict(report.metadata),
    }


def describe_finding(finding: Finding) -> dict[str, str]:
    """Render one finding, with its sentence in both languages."""
    return {
        "code": str(finding.code),
        "severity": str(finding.severity),
        "subject": finding.subject,
        "message": finding.message_en,
        "message_zh": finding.message_zh,
    }


def _describe_signature(signature: SignatureReport) -> dict[str, Any]:
    seal, signer = signature.seal, signature.signer
    return {
        "id": signature.id,
        "status": str(signature.status),
        "type": signature.type,
        "path": signature.path,
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
        "findings": [describe_finding(finding) for finding in signature.findings],
        "checks": [_describe_check(check) for check in list_checks(signature)],
    }


def _describe_check(check: Check) -> dict[str, Any]:
    return {
        "step": check.step,
        "title": check.title_en,
        "title_zh": check.title_zh,
        "outcome": str(check.outcome),
        "codes": list(check.codes),
    }


def _describe_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "complete": coverage.is_complete,
        "covered": len(coverage.covered),
        "uncovered": list(coverage.uncovered),
        "unreachable": list(coverage.unreachable),
    }


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


def render_text(report: DocumentReport) -> str:
    """Render a report for a terminal: the status, then each signature with what was found."""
    lines = [f"{report.status} {_STATUS_ZH[report.status]}"]
    lines += [_finding_line(finding) for finding in report.findings]
    for signature in report.signatures:
        lines += ["", *_signature_lines(signature)]
    return "\n".join(lines) + "\n"


def _signature_lines(signature: SignatureReport) -> list[str]:
    verdict = Verdict(signature.status)
    lines = [f"{signature.type} {signature.id}: {verdict} {_STATUS_ZH[DocumentStatus(verdict)]}"]
    if signature.seal is not None:
        seal = signature.seal
        lines.append(f"  印章 seal      {seal.name} ({seal.version}, {seal.code})")
    if signature.signer is not None:
        lines.append(f"  签章者 signer  {signature.signer.subject}")
    if signature.signed_at is not None:
        lines.append(f"  时间 time      {_time(signature.signed_at)} ({signature.time_source})")
    if signature.coverage is not None:
        done, missing = len(signature.coverage.covered), len(signature.coverage.uncovered)
        lines.append(f"  范围 coverage  {done} files protected, {missing} not")
    return lines + [_finding_line(finding) for finding in signature.findings]


def _finding_line(finding: Finding) -> str:
    mark = _MARKS[finding.severity]
    return f"  {mark} {finding.code} [{finding.subject}] {finding.message_zh} {finding.message_en}"
