"""Examine one signature of a document: steps B2 to H3."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from hmac import compare_digest
from typing import Final

from certs.verify.coverage import measure_coverage
from certs.verify.model import Coverage, SealFacts, SignatureReport, SignerFacts
from certs.verify.package import Body, OpenDocument
from certs.verify.signature_files import (
    SIGN_TYPE,
    SignatureDescription,
    SignatureEntry,
    Stamp,
    read_description,
)
from signing import oids, sm3
from signing.errors import ShuzhengError
from signing.findings import SENTENCES, Finding, FindingCode, Severity, build_finding
from signing.seals.model import Seal
from signing.seals.signature import SealSignatureReport, assess_seal_signature
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate

DIGEST_METHODS: Final = frozenset({"SM3", oids.SM3})
MAX_NAMED: Final = 20
"""How many files one finding about coverage names; the report's coverage lists them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What all signatures of one document body are examined against.

    `reachable` are all files that can be reached from OFD.xml, `content` those that can be reached without
    going through the list of signatures.
    """

    document: OpenDocument
    body: Body
    entries: tuple[SignatureEntry, ...]
    reachable: frozenset[str]
    content: frozenset[str]
    trust: TrustPolicy
    at: datetime


def assess_signature(examination: Examination, position: int) -> SignatureReport:
    """Examine the signature at `position` of the list. Never raises on bad evidence."""
    entry = examination.entries[position]
    document = examination.document
    empty = SignatureReport(id=entry.id, path=entry.path, type=entry.type, findings=())
    # B1
    if entry.path not in document.paths:
        return empty.with_findings(build_finding(FindingCode.SIGNATURE_FILE_MISSING, entry.path))
    # B2
    try:
        description = read_description(document.xml(entry.path), path=entry.path)
    except ShuzhengError as error:
        finding = build_finding(
            FindingCode.SIGNATURE_XML_INVALID, entry.path, zh=error.detail, en=error.detail
        )
        return empty.with_findings(finding)
    coverage = _measure(examination, position, description)
    findings = [
        *_assess_method(description),  # B3
        *_assess_references(document, description),  # C1, C2
        *_assess_coverage(coverage, examination.trust),  # C3
        *_assess_lock(examination, position, description),  # H3
    ]
    report = SignatureReport(
        id=entry.id,
        path=entry.path,
        type=entry.type,
        findings=tuple(findings),
        coverage=coverage,
        data_hash=sm3.digest(document.read(entry.path)),
    )
    return _in_order(_assess_value(examination, entry, description, report))


# ---------------------------------------------------------------------------------- B3, C1 – C3


def _assess_method(description: SignatureDescription) -> list[Finding]:
    method = description.check_method
    if method is not None and method.strip() in DIGEST_METHODS:
        return []
    named = method or "MD5 by default"
    return [
        build_finding(
            FindingCode.DIGEST_METHOD_WEAK_OR_UNKNOWN, description.path, zh=named[:80], en=named[:80]
        )
    ]


def _assess_references(document: OpenDocument, description: SignatureDescription) -> list[Finding]:
    found = []
    seen: set[str] = set()
    for reference in description.references:
        own = reference.path in {description.path, description.value_path}
        if reference.path in seen or own:
            found.append(build_finding(FindingCode.REFERENCE_INVALID, reference.path))
        elif reference.path not in document.paths:
            found.append(build_finding(FindingCode.REFERENCE_MISSING, reference.path))
        elif not compare_digest(document.digest(reference.path), reference.digest):
            found.append(build_finding(FindingCode.REFERENCE_DIGEST_MISMATCH, reference.path))
        seen.add(reference.path)
    return found


def _measure(examination: Examination, position: int, description: SignatureDescription) -> Coverage:
    document = examination.document
    later = [entry for entry in examination.entries[position + 1 :] if entry.path != description.path]
    excused = {examination.body.signatures_path or ""}
    for entry in later:
        excused |= _files_of(document, entry)
    return measure_coverage(
        paths=document.paths,
        reachable=examination.reachable,
        covered={reference.path for reference in description.references} & document.paths,
        own={description.path, description.value_path},
        excused=excused - examination.content,
    )


def _files_of(document: OpenDocument, entry: SignatureEntry) -> set[str]:
    """The files that belong to a signature: description, value, and the seal beside them."""
    try:
        description = read_description(document.xml(entry.path), path=entry.path)
    except ShuzhengError:
        return {entry.path}
    files = {description.path, description.value_path}
    return files if description.seal_path is None else files | {description.seal_path}


def _assess_coverage(coverage: Coverage, trust: TrustPolicy) -> list[Finding]:
    partial, strict = FindingCode.COVERAGE_PARTIAL, FindingCode.COVERAGE_PARTIAL_STRICT
    code = strict if trust.refuse_partial_coverage else partial
    found = [build_finding(code, path) for path in coverage.uncovered[:MAX_NAMED]]
    if more := len(coverage.uncovered[MAX_NAMED:]):
        found.append(build_finding(code, "package", zh=f"另有 {more} 个文件", en=f"{more} files more"))
    if coverage.unreachable:
        names = ", ".join(coverage.unreachable[:MAX_NAMED])[:500]
        found.append(
            build_finding(
                code,
                "package",
                zh=f"包内夹带无人引用的文件 {names}",
                en=f"nothing refers to {names}",
            )
        )
    return found


# --------------------------------------------------------------------------------- B4, D – G, H2


def _assess_value(
    examination: Examination,
    entry: SignatureEntry,
    description: SignatureDescription,
    report: SignatureReport,
) -> SignatureReport:
    document = examination.document
    # D1
    if description.value_path not in document.paths:
        return report.with_findings(build_finding(FindingCode.SIGNED_VALUE_MISSING, description.value_path))
    value = document.read(description.value_path)
    if entry.type == SIGN_TYPE:
        return report.with_findings(_not_judged(description.value_path))
    seal_file, missing = _read_seal_file(document, description)
    # D1–D6, E, F, G
    assert report.data_hash is not None
    found = assess_seal_signature(
        value,
        data_hash=report.data_hash,
        property_info=description.path,
        at=examination.at,
        trust=examination.trust,
        seal_file=seal_file,
    )
    findings = [*report.findings, *missing, *_soften_chains(found, examination.trust)]
    if found.signature is not None:
        findings += _assess_algorithm(description, found.signature.algorithm)  # B4
        findings += _assess_stamps(examination.body, description.stamps, found.signature.seal)  # H2
    return replace(
        report,
        findings=tuple(findings),
        seal=_describe_seal(found),
        signer=_describe_signer(found),
        signed_at=found.signed_at,
        time_source=found.time_source,
    )


def _soften_chains(found: SealSignatureReport, trust: TrustPolicy) -> list[Finding]:
    """E2, F3: a chain whose first authority is unknown here was not judged; it did not fail.

    A hub that trusts its own root would otherwise call every document of other issuers invalid. A chain
    that begins at an authority known here and does not hold stays an error.
    """
    known = {authority.subject.der for authority in (*trust.roots, *trust.intermediates)}
    unjudged = {
        code
        for code, holder in (
            (str(FindingCode.SIGNER_CHAIN), found.signer),
            (str(FindingCode.MAKER_CHAIN), found.seal.maker if found.seal is not None else None),
        )
        if holder is not None
        and holder.certificate is not None
        and holder.is_trusted is False
        and holder.certificate.issuer.der not in known
    }
    softened = []
    for finding in found.findings:
        if finding.code in unjudged:
            unjudged.discard(str(finding.code))  # the chain comes first; a later one is about time
            finding = replace(finding, severity=Severity.UNKNOWN)  # noqa: PLW2901
        softened.append(finding)
    return softened


def _not_judged(path: str) -> Finding:
    """Say of a signature without a seal (GB/T 35275 SignedData) that its value was not judged."""
    return build_finding(
        FindingCode.SIGNED_VALUE_INVALID,
        path,
        severity=Severity.UNKNOWN,
        zh="类型为 Sign 的数字签名（GB/T 35275）未作判定",
        en="a signature of type Sign (GB/T 35275) is not judged here",
    )


def _read_seal_file(
    document: OpenDocument, description: SignatureDescription
) -> tuple[bytes | None, list[Finding]]:
    """F6: the seal that lies beside the signature, where the description names one."""
    if description.seal_path is None:
        return None, []
    if description.seal_path in document.paths:
        return document.read(description.seal_path), []
    return None, [
        build_finding(
            FindingCode.SEAL_FILE_MISMATCH, description.seal_path, zh="文件不存在", en="it is missing"
        )
    ]


def _assess_algorithm(description: SignatureDescription, used: str) -> list[Finding]:
    """B4: the method that the description names is that of the value; naming none is allowed."""
    named = description.signature_method
    if named is None or named in {used, _METHOD_NAMES.get(used)}:
        return []
    text = f"{named[:80]} / {used}"
    return [build_finding(FindingCode.SIGNATURE_METHOD_MISMATCH, description.path, zh=text, en=text)]


_METHOD_NAMES: Final = {oids.SM2_WITH_SM3: "SM2"}


def _assess_stamps(body: Body, stamps: Iterable[Stamp], seal: Seal) -> list[Finding]:
    """H2: each stamp lies on a page that there is, in a box of about the size of the seal."""
    found = []
    for stamp in stamps:
        if stamp.page_id not in body.page_ids:
            found.append(build_finding(FindingCode.STAMP_PAGE, f"stamp {stamp.id}"))
        if stamp.boundary is None:
            text = ("位置应为四个数，宽高大于零", "its box must be four numbers, width and height above zero")
            found.append(build_finding(FindingCode.STAMP_BOX, f"stamp {stamp.id}", zh=text[0], en=text[1]))
        elif not _is_near(stamp.boundary[2:], (seal.picture.width_mm, seal.picture.height_mm)):
            found.append(build_finding(FindingCode.STAMP_BOX, f"stamp {stamp.id}"))
    return found


def _is_near(box: tuple[float, ...], picture: tuple[int, int]) -> bool:
    """Whether sides agree within a fifth: vendors scale a little, forgers make a seal look like another."""
    return all(abs(side - wanted) <= max(2.0, wanted / 5) for side, wanted in zip(box, picture, strict=True))


def _assess_lock(examination: Examination, position: int, description: SignatureDescription) -> list[Finding]:
    """H3: a signature that protects the list of signatures is the last one."""
    locked = any(reference.path == examination.body.signatures_path for reference in description.references)
    if not locked or position == len(examination.entries) - 1:
        return []
    return [build_finding(FindingCode.SIGNED_AFTER_LOCK, description.path)]


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


def _describe_signer(found: SealSignatureReport) -> SignerFacts | None:
    certificate = found.signer.certificate if found.signer is not None else None
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


def _in_order(report: SignatureReport) -> SignatureReport:
    """Put the findings into the order of the steps, so that the first error is the first failure."""
    order = {str(code): sentence.step for code, sentence in SENTENCES.items()}
    return replace(report, findings=tuple(sorted(report.findings, key=lambda each: order[each.code])))
