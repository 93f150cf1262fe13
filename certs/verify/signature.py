"""Examine one signature of a document: steps B1 to H3 in their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from certs.verify.digital import assess_digital_signature
from certs.verify.examination import Examination
from certs.verify.model import SealFacts, SignatureReport, SignerFacts
from certs.verify.package import OpenDocument
from certs.verify.references import (
    assess_coverage,
    assess_lock,
    assess_method,
    assess_references,
    measure,
)
from certs.verify.signature_files import SIGN_TYPE, SignatureDescription, Stamp
from signing import oids
from signing.errors import ShuzhengError
from signing.findings import SENTENCES, Finding, FindingCode, Severity, build_finding
from signing.seals.holders import HolderReport
from signing.seals.model import Seal
from signing.seals.signature import SealSignatureReport, assess_seal_signature
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate

_STEP_OF: Final = {str(code): sentence.step for code, sentence in SENTENCES.items()}
_METHODS: Final = (
    frozenset({oids.SM2_WITH_SM3, oids.SM2_SIGNATURE, "SM2", "SM3withSM2"}),
    frozenset({oids.SM2_SIGNATURE, oids.SM2_WITH_SM3}),
)
"""Names of one and the same method, as a description has them and as a value has them."""


def assess_signature(examination: Examination, position: int) -> SignatureReport:
    """Examine the signature at `position` of the list. Never raises on bad evidence."""
    entry = examination.entries[position]
    document = examination.document
    empty = SignatureReport(id=entry.id, path=entry.path, type=entry.type, findings=())
    # B1
    if entry.path not in document:
        return empty.with_findings(build_finding(FindingCode.SIGNATURE_FILE_MISSING, entry.path))
    # B2
    try:
        description = examination.description(entry.path)
    except ShuzhengError as error:
        detail = error.detail
        code = FindingCode.SIGNATURE_XML_INVALID
        return empty.with_findings(build_finding(code, entry.path, zh=detail, en=detail))
    coverage = measure(examination, position, description)
    findings = [
        *assess_method(description),  # B3
        *assess_references(document, description),  # C1, C2
        *assess_coverage(coverage, examination.trust),  # C3
        *_assess_pages(examination, description.stamps),  # H2
        *assess_lock(examination, position, description),  # H3
    ]
    report = replace(
        empty, findings=tuple(findings), coverage=coverage, data_hash=document.digests[entry.path]
    )
    # D1
    if description.value_path not in document:
        found = build_finding(FindingCode.SIGNED_VALUE_MISSING, description.value_path)
        return _in_order(report.with_findings(found))
    assess = _assess_digital if entry.type == SIGN_TYPE else _assess_seal
    return _in_order(assess(examination, description, report))


def _in_order(report: SignatureReport) -> SignatureReport:
    """Put the findings into the order of the steps, so that the first error is the first failure."""
    return replace(report, findings=tuple(sorted(report.findings, key=lambda each: _STEP_OF[each.code])))


# -------------------------------------------------------------------------------- B4, D – G, H2


def _assess_digital(
    examination: Examination, description: SignatureDescription, report: SignatureReport
) -> SignatureReport:
    document = examination.document
    found = assess_digital_signature(
        document.read(description.value_path),
        description=document.read(description.path),
        at=examination.at,
        trust=examination.trust,
    )
    findings = [*report.findings, *_soften(found.findings, examination.trust, found.signer, None)]
    if found.algorithm is not None:
        findings += _assess_algorithm(description, found.algorithm)  # B4
    return replace(
        report,
        findings=tuple(findings),
        signer=_describe_signer(found.signer),
        signed_at=found.signed_at,
        time_source=found.time_source,
    )


def _assess_seal(
    examination: Examination, description: SignatureDescription, report: SignatureReport
) -> SignatureReport:
    seal_file, missing = _read_seal_file(examination.document, description)
    assert report.data_hash is not None
    found = assess_seal_signature(
        examination.document.read(description.value_path),
        data_hash=report.data_hash,
        property_info=description.path,
        at=examination.at,
        trust=examination.trust,
        seal_file=seal_file,
    )
    maker = found.seal.maker if found.seal is not None else None
    findings = [*report.findings, *missing, *_soften(found.findings, examination.trust, found.signer, maker)]
    if found.signature is not None:
        findings += _assess_algorithm(description, found.signature.algorithm)  # B4
        findings += _assess_boxes(description.stamps, found.signature.seal)  # H2
    return replace(
        report,
        findings=tuple(findings),
        seal=_describe_seal(found),
        signer=_describe_signer(found.signer),
        signed_at=found.signed_at,
        time_source=found.time_source,
    )


def _soften(
    findings: Sequence[Finding], trust: TrustPolicy, signer: HolderReport | None, maker: HolderReport | None
) -> list[Finding]:
    """E2, F3: a chain whose first authority is unknown here was not judged; it did not fail.

    A hub that trusts its own root would otherwise call every document of other issuers invalid. A chain
    that begins at an authority known here and does not hold stays an error.
    """
    holders = ((FindingCode.SIGNER_CHAIN, signer), (FindingCode.MAKER_CHAIN, maker))
    unjudged = {str(code) for code, holder in holders if holder is not None and _is_foreign(holder, trust)}
    softened = []
    for finding in findings:
        if finding.code in unjudged:
            unjudged.discard(str(finding.code))  # the chain comes first; a later one is about time
            finding = replace(finding, severity=Severity.UNKNOWN)  # noqa: PLW2901
        softened.append(finding)
    return softened


def _is_foreign(holder: HolderReport, trust: TrustPolicy) -> bool:
    known = {authority.subject.der for authority in (*trust.roots, *trust.intermediates)}
    certificate = holder.certificate
    return certificate is not None and holder.is_trusted is False and certificate.issuer.der not in known


def _read_seal_file(
    document: OpenDocument, description: SignatureDescription
) -> tuple[bytes | None, list[Finding]]:
    """F6: the seal that lies beside the signature, where the description names one."""
    path = description.seal_path
    if path is None:
        return None, []
    if path in document:
        return document.read(path), []
    return None, [build_finding(FindingCode.SEAL_FILE_MISMATCH, path, zh="文件不存在", en="it is missing")]


def _assess_algorithm(description: SignatureDescription, used: str) -> list[Finding]:
    """B4: the method that the description names is that of the value; naming none is allowed."""
    named = description.signature_method
    names, values = _METHODS
    if named is None or named == used or (named in names and used in values):
        return []
    text = f"{named[:80]} / {used}"
    return [build_finding(FindingCode.SIGNATURE_METHOD_MISMATCH, description.path, zh=text, en=text)]


def _assess_pages(examination: Examination, stamps: Iterable[Stamp]) -> list[Finding]:
    """H2: each stamp lies on a page that there is."""
    return [
        build_finding(FindingCode.STAMP_PAGE, f"stamp {stamp.id[:40]}")
        for stamp in stamps
        if stamp.page_id not in examination.page_ids
    ]


def _assess_boxes(stamps: Iterable[Stamp], seal: Seal) -> list[Finding]:
    """H2: each stamp lies in a box of about the size of the seal."""
    found = []
    for stamp in stamps:
        subject = f"stamp {stamp.id[:40]}"
        if stamp.boundary is None:
            text = ("位置应为四个数，宽高大于零", "its box must be four numbers, width and height above zero")
            found.append(build_finding(FindingCode.STAMP_BOX, subject, zh=text[0], en=text[1]))
        elif not _is_near(stamp.boundary[2:], (seal.picture.width_mm, seal.picture.height_mm)):
            found.append(build_finding(FindingCode.STAMP_BOX, subject))
    return found


def _is_near(box: tuple[float, ...], picture: tuple[int, int]) -> bool:
    """Whether sides agree within a fifth: vendors scale a little, forgers make a seal look like another."""
    return all(abs(side - wanted) <= max(2.0, wanted / 5) for side, wanted in zip(box, picture, strict=True))


def _describe_seal(found: SealSignatureReport) -> SealFacts | None:
    if found.signature is None:
        return None
    seal = found.signature.seal
    return SealFacts(
        version=seal.version.name,
        code=seal.seal_id,
        name=seal.property.name,
        vendor_id=seal.header.vendor_id,
        valid_from=seal.property.valid_from,
        valid_until=seal.property.valid_until,
    )


def _describe_signer(holder: HolderReport | None) -> SignerFacts | None:
    certificate = holder.certificate if holder is not None else None
    return None if certificate is None else describe_certificate(certificate)


def describe_certificate(certificate: Certificate) -> SignerFacts:
    """Say whose certificate it is."""
    return SignerFacts(
        subject=str(certificate.subject),
        issuer=str(certificate.issuer),
        serial=f"{certificate.serial:x}",
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )
