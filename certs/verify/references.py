"""Examine what a signature's description says and protects: steps B3, C1 to C3 and H3."""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from certs.verify.coverage import measure_coverage
from certs.verify.examination import Examination
from certs.verify.model import Coverage
from certs.verify.package import OpenDocument
from certs.verify.signature_files import SignatureDescription, SignatureEntry
from signing import oids
from signing.errors import ShuzhengError
from signing.findings import Finding, FindingCode, build_finding
from signing.trust import TrustPolicy

DIGEST_METHODS: Final = frozenset({"SM3", oids.SM3})
MAX_NAMED: Final = 20
"""How many files one kind of finding names; the report's coverage lists them all."""
MAX_REFERENCES_NAMED: Final = 100
"""How many faulty references of one signature are named."""


def assess_method(description: SignatureDescription) -> list[Finding]:
    """B3: files are digested with SM3, and the description says so; saying nothing means MD5."""
    method = description.check_method
    if method is not None and method.strip() in DIGEST_METHODS:
        return []
    named = (method or "MD5 by default")[:80]
    code = FindingCode.DIGEST_METHOD_WEAK_OR_UNKNOWN
    return [build_finding(code, description.path, zh=named, en=named)]


def assess_references(document: OpenDocument, description: SignatureDescription) -> list[Finding]:
    """C1, C2: every file referred to is there, once, and has the digest it had when it was signed."""
    found = []
    seen: set[str] = set()
    for reference in description.references:
        own = reference.path in {description.path, description.value_path}
        if reference.path in seen or own:
            found.append(build_finding(FindingCode.REFERENCE_INVALID, reference.path))
        elif reference.path not in document:
            found.append(build_finding(FindingCode.REFERENCE_MISSING, reference.path))
        elif not compare_digest(document.digests[reference.path], reference.digest):
            found.append(build_finding(FindingCode.REFERENCE_DIGEST_MISMATCH, reference.path))
        seen.add(reference.path)
    if more := len(found[MAX_REFERENCES_NAMED:]):
        code = FindingCode.REFERENCE_INVALID
        rest = build_finding(
            code, "package", zh=f"另有 {more} 个引用有误", en=f"{more} references more are wrong"
        )
        return [*found[:MAX_REFERENCES_NAMED], rest]
    return found


def measure(examination: Examination, position: int, description: SignatureDescription) -> Coverage:
    """C3: measure what the signature at `position` protects, and what of the package it leaves open."""
    document = examination.document
    covered = {reference.path for reference in description.references} & document.paths
    own = {description.path, description.value_path}
    excused = {examination.signatures_path}
    later = examination.entries[position + 1 :]
    if document.paths - covered - own - excused:
        for entry in later:
            if entry.path != description.path:
                excused |= _files_of(examination, entry)
    is_open = document.paths - covered - own - excused
    return measure_coverage(
        paths=document.paths,
        reachable=examination.reachable if is_open or later else frozenset(),
        covered=covered,
        own=own,
        excused=excused - examination.content if later else excused,
    )


def _files_of(examination: Examination, entry: SignatureEntry) -> set[str]:
    """The files that belong to a signature: description, value, and the seal beside them."""
    try:
        description = examination.description(entry.path)
    except ShuzhengError:
        return {entry.path}
    files = {description.path, description.value_path}
    return files if description.seal_path is None else files | {description.seal_path}


def assess_coverage(coverage: Coverage, trust: TrustPolicy) -> list[Finding]:
    """C3: say which files that bear on the content are not protected, and which nothing refers to."""
    partial, strict = FindingCode.COVERAGE_PARTIAL, FindingCode.COVERAGE_PARTIAL_STRICT
    code = strict if trust.refuse_partial_coverage else partial
    found = [build_finding(code, path) for path in coverage.uncovered[:MAX_NAMED]]
    if more := len(coverage.uncovered[MAX_NAMED:]):
        found.append(build_finding(code, "package", zh=f"另有 {more} 个文件", en=f"{more} files more"))
    if coverage.unreachable:
        names = ", ".join(coverage.unreachable[:MAX_NAMED])[:500]
        zh, en = f"包内夹带无人引用的文件 {names}", f"nothing refers to {names}"
        found.append(build_finding(code, "package", zh=zh, en=en))
    return found


def assess_lock(examination: Examination, position: int, description: SignatureDescription) -> list[Finding]:
    """H3: a signature that protects the list of signatures is the last one."""
    locked = any(reference.path == examination.signatures_path for reference in description.references)
    if not locked or position == len(examination.entries) - 1:
        return []
    return [build_finding(FindingCode.SIGNED_AFTER_LOCK, description.path)]
