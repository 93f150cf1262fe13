"""Verify a sealed OFD document of anyone: every finding, never a bare yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from certs.verify.coverage import find_reachable
from certs.verify.model import DocumentReport, SignatureReport
from certs.verify.package import Body, OpenDocument, PackageProblem, open_document
from certs.verify.signature import Examination, assess_signature
from certs.verify.signature_files import SignatureEntry, read_signature_list
from signing import sm3
from signing.errors import ShuzhengError
from signing.findings import Finding, FindingCode, Severity, Verdict, build_finding
from signing.trust import TrustPolicy

NO_METADATA: Final[Mapping[str, str]] = {}


def assess_document(data: bytes, *, trust: TrustPolicy, at: datetime) -> DocumentReport:
    """Examine an OFD file; never raises on bad files.

    `at` is the moment of examination (aware, UTC); `trust` holds roots, lists and switches. The steps,
    whose numbers the findings bear:

    A1–A4  the container opens within limits and without tricks; OFD.xml and the document root are there
    B1     the list of signatures is well formed, its IDs are unique, its descriptions are there
    B2–B4  each description is whole, its digest method is SM3, its signature method fits
    C1–C3  what it refers to is there, has the digest it had when signed, and nothing visible is left out
    D1–D6  the seal signature is whole and verifies, over this description
    E1–E4  the signer's certificate: use, chain, validity, revocation
    F1–F7  the seal: maker, period, list of signers, file beside it, picture
    G1–G4  time stamps
    H1–H3  base signatures, stamps on their pages, signatures after a lock

    Source: GB/T 33190-2016 chapter 18, GM/T 0099-2020, GB/T 38540-2020 7.3.
    """
    digest = sm3.digest(data)
    try:
        document = open_document(data)  # A1–A3
    except PackageProblem as problem:
        return DocumentReport(digest_sm3=digest, findings=(problem.finding,), signatures=())
    findings: list[Finding] = []
    signatures: list[SignatureReport] = []
    for body in document.bodies:
        found = _assess_body(document, body, trust=trust, at=at)
        findings += found[0]
        signatures += found[1]
    return DocumentReport(
        digest_sm3=digest,
        findings=tuple(findings),
        signatures=tuple(signatures),
        metadata=document.bodies[0].metadata if document.bodies else NO_METADATA,
    )


def _assess_body(
    document: OpenDocument, body: Body, *, trust: TrustPolicy, at: datetime
) -> tuple[list[Finding], list[SignatureReport]]:
    # A4
    if body.root_path not in document.paths:
        return [build_finding(FindingCode.DOCROOT_MISSING, body.root_path)], []
    if body.signatures_path is None:
        return [], []
    if body.signatures_path not in document.paths:
        return [build_finding(FindingCode.SIGNATURES_MISSING, body.signatures_path)], []
    # B1
    try:
        entries = read_signature_list(document.xml(body.signatures_path), path=body.signatures_path)
    except ShuzhengError as error:
        found = build_finding(
            FindingCode.SIGNATURES_INVALID, body.signatures_path, zh=error.detail, en=error.detail
        )
        return [found], []
    findings = _find_duplicates(entries)
    examination = Examination(
        document=document,
        body=body,
        entries=entries,
        reachable=find_reachable(document.paths, document.xml),
        content=find_reachable(document.paths - {body.signatures_path}, document.xml),
        trust=trust,
        at=at,
    )
    reports = [assess_signature(examination, position) for position in range(len(entries))]
    return findings, _judge_bases(entries, reports)


def _find_duplicates(entries: tuple[SignatureEntry, ...]) -> list[Finding]:
    seen: set[str] = set()
    found = []
    for entry in entries:
        if entry.id in seen:
            found.append(build_finding(FindingCode.SIGNATURE_ID_DUPLICATE, entry.id))
        seen.add(entry.id)
    return found


def _judge_bases(
    entries: tuple[SignatureEntry, ...], reports: list[SignatureReport]
) -> list[SignatureReport]:
    """H1: a signature that names a base stands and falls with it; a chain of bases falls as a whole."""
    by_id = {report.id: position for position, report in enumerate(reports)}
    for _ in entries:
        for position, entry in enumerate(entries):
            if entry.relative is not None:
                base = by_id.get(entry.relative)
                reports[position] = _judge_base(
                    reports[position], None if base in {None, position} else reports[base or 0]
                )
    return reports


def _judge_base(report: SignatureReport, base: SignatureReport | None) -> SignatureReport:
    if base is not None and base.status in {Verdict.VALID, Verdict.VALID_WITH_WARNINGS}:
        return report
    if any(finding.code == FindingCode.BASE_SIGNATURE for finding in report.findings):
        return report
    unknown = base is not None and base.status is Verdict.UNKNOWN
    finding = build_finding(
        FindingCode.BASE_SIGNATURE, report.id, severity=Severity.UNKNOWN if unknown else Severity.ERROR
    )
    return report.with_findings(finding)
