"""Verify a sealed OFD document of anyone: every finding, never a bare yes or no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from certs.ofd.errors import PackageRefused
from certs.ofd.package import Body
from certs.verify.examination import Examination
from certs.verify.model import DocumentReport, SignatureReport
from certs.verify.package import OpenDocument, open_document
from certs.verify.references import MAX_NAMED
from certs.verify.signature import assess_signature
from certs.verify.signature_files import MAX_SIGNATURES, SignatureEntry, read_signature_list
from signing import sm3
from signing.errors import ShuzhengError
from signing.findings import Finding, FindingCode, Severity, Verdict, build_finding
from signing.trust import TrustPolicy


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
    except PackageRefused as problem:
        return DocumentReport(digest_sm3=digest, findings=(problem.finding,), signatures=())
    findings: list[Finding] = []
    signatures: list[SignatureReport] = []
    for body in document.bodies:
        found, reports = _assess_body(
            document, body, trust=trust, at=at, room=MAX_SIGNATURES - len(signatures)
        )
        findings += found
        signatures += reports
    return DocumentReport(
        digest_sm3=digest,
        findings=tuple(findings),
        signatures=tuple(signatures),
        metadata=document.bodies[0].metadata,
    )


def _assess_body(
    document: OpenDocument, body: Body, *, trust: TrustPolicy, at: datetime, room: int
) -> tuple[list[Finding], list[SignatureReport]]:
    path = body.signatures_path
    # A4
    if body.root_path not in document:
        return [build_finding(FindingCode.DOCROOT_MISSING, body.root_path)], []
    if path is None:
        return [], []
    if path not in document:
        return [build_finding(FindingCode.SIGNATURES_MISSING, path)], []
    # B1
    try:
        entries = read_signature_list(document.xml(path), path=path, limit=room)
    except ShuzhengError as error:
        detail = error.detail
        return [build_finding(FindingCode.SIGNATURES_INVALID, path, zh=detail, en=detail)], []
    examination = Examination(document=document, body=body, entries=entries, trust=trust, at=at)
    reports = [assess_signature(examination, position) for position in range(len(entries))]
    return _find_duplicates(examination), judge_bases(entries, reports)


def _find_duplicates(examination: Examination) -> list[Finding]:
    """B1: signatures and their stamps share one space of IDs (GB/T 33190-2016 18.2)."""
    counts = Counter(entry.id for entry in examination.entries)
    for path in {entry.path for entry in examination.entries}:
        try:
            counts.update(stamp.id for stamp in examination.description(path).stamps if stamp.id)
        except ShuzhengError:
            continue
    code = FindingCode.SIGNATURE_ID_DUPLICATE
    return [build_finding(code, each[:40]) for each, count in counts.items() if count > 1][:MAX_NAMED]


def judge_bases(entries: Sequence[SignatureEntry], reports: list[SignatureReport]) -> list[SignatureReport]:
    """H1: a signature that names a base stands and falls with it; bases in a circle fall.

    Returns the reports, changed in place.
    """
    by_id = {entry.id: position for position, entry in enumerate(entries)}
    settled: set[int] = set()

    def settle(position: int, above: tuple[int, ...]) -> None:
        if position in settled or entries[position].relative is None:
            return
        base = by_id.get(entries[position].relative or "")
        in_circle = base is not None and base in {*above, position}
        if base is not None and not in_circle:
            settle(base, (*above, position))
        settled.add(position)
        stands_on = None if base is None or in_circle else reports[base]
        reports[position] = _judge_base(reports[position], stands_on)

    for position in range(len(entries)):
        settle(position, ())
    return reports


def _judge_base(report: SignatureReport, base: SignatureReport | None) -> SignatureReport:
    if base is not None and base.status in {Verdict.VALID, Verdict.VALID_WITH_WARNINGS}:
        return report
    unknown = base is not None and base.status is Verdict.UNKNOWN
    severity = Severity.UNKNOWN if unknown else Severity.ERROR
    return report.with_findings(build_finding(FindingCode.BASE_SIGNATURE, report.id, severity=severity))
