"""Build and validate certification paths at a given moment, under a policy, with reasons.

Source: RFC 5280 6.1, 6.3; GM/T 0015; RFC 3161 2.3 (time stamping).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

from signing import oids
from signing.errors import EvidenceRefused, KeyUnusable, SignatureInvalid
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList
from signing.x509.extensions import ENCIPHERMENT_USAGE, SIGNING_USAGE, KeyUsage
from signing.x509.ocsp import OcspResponse
from signing.x509.revocation import RevocationEvidence, RevocationFacts, assess_revocation

MAX_SIGNATURE_CHECKS: Final = 64

# Critical extensions that are understood here; nameConstraints and policy extensions are not, so a path
# that depends on them is refused rather than judged too kindly.
UNDERSTOOD: Final = frozenset(
    {
        oids.EXT_AUTHORITY_KEY_IDENTIFIER,
        oids.EXT_SUBJECT_KEY_IDENTIFIER,
        oids.EXT_KEY_USAGE,
        oids.EXT_BASIC_CONSTRAINTS,
        oids.EXT_EXTENDED_KEY_USAGE,
        oids.EXT_CERTIFICATE_POLICIES,
        oids.EXT_SUBJECT_ALT_NAME,
        oids.EXT_CRL_DISTRIBUTION_POINTS,
        oids.EXT_AUTHORITY_INFO_ACCESS,
    }
)


class PathReason(StrEnum):
    """Why a path is not to be trusted."""

    NO_ISSUER = "no_issuer"
    UNTRUSTED_ROOT = "untrusted_root"
    SIGNATURE_INVALID = "signature_invalid"
    TOO_LONG = "too_long"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_A_CA = "not_a_ca"
    MAY_NOT_SIGN_CERTIFICATES = "may_not_sign_certificates"
    PATH_LENGTH_EXCEEDED = "path_length_exceeded"
    KEY_IDENTIFIER_MISMATCH = "key_identifier_mismatch"
    UNKNOWN_CRITICAL_EXTENSION = "unknown_critical_extension"
    KEY_NOT_SM2 = "key_not_sm2"
    KEY_USAGE = "key_usage"
    ENCIPHERMENT_KEY = "encipherment_key"
    EXTENDED_KEY_USAGE = "extended_key_usage"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"


class RevocationMode(StrEnum):
    """How much revocation evidence a path needs.

    `require`: unknown is a problem. `if_known`: only a known revocation is. `ignore`: not looked at.
    """

    REQUIRE = "require"
    IF_KNOWN = "if_known"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPolicy:
    """What is demanded of the end certificate and of the path.

    `key_usage`: at least one of these bits must be set (none demanded where empty); an absent extension
    allows everything. `extended_key_usage`: must be named; with `sole_critical_purpose` it must be the
    only one and the extension critical. `max_length` counts every certificate, anchor included.
    """

    key_usage: frozenset[KeyUsage] = frozenset()
    refuse_encipherment: bool = False
    extended_key_usage: str | None = None
    sole_critical_purpose: bool = False
    revocation: RevocationMode = RevocationMode.REQUIRE
    max_length: int = 8


SIGNER_POLICY: Final = PathPolicy(key_usage=SIGNING_USAGE)
TSA_POLICY: Final = PathPolicy(
    key_usage=SIGNING_USAGE, extended_key_usage=oids.EKU_TIME_STAMPING, sole_critical_purpose=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathProblem:
    """One thing wrong, with the certificate it is wrong about."""

    reason: PathReason
    certificate: Certificate
    detail: str

    def __str__(self) -> str:
        return f"{self.certificate.subject}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathReport:
    """The best path found, from the certificate to the anchor, and everything wrong with it.

    Where no path reaches an anchor, `chain` is the longest piece that could be built.
    """

    certificate: Certificate
    at: datetime
    chain: tuple[Certificate, ...]
    anchored: bool
    problems: tuple[PathProblem, ...]
    revocation: tuple[RevocationFacts, ...]
    unreadable_evidence: int = 0

    @property
    def trusted(self) -> bool:
        """Tell whether the path reaches an anchor and nothing is wrong with it."""
        return self.anchored and not self.problems

    @property
    def anchor(self) -> Certificate | None:
        """The trusted root that the path ends in."""
        return self.chain[-1] if self.anchored else None

    @property
    def reasons(self) -> frozenset[PathReason]:
        """The reasons against the path."""
        return frozenset(problem.reason for problem in self.problems)

    @property
    def revoked(self) -> bool:
        """Tell whether a certificate of the path was revoked at the moment judged."""
        return any(facts.revoked for facts in self.revocation)


def assess_path(
    certificate: Certificate,
    *,
    roots: Sequence[Certificate],
    at: datetime,
    intermediates: Sequence[Certificate] = (),
    crls: Sequence[bytes | RevocationList] = (),
    ocsp_responses: Sequence[bytes | OcspResponse] = (),
    policy: PathPolicy = SIGNER_POLICY,
) -> PathReport:
    """Find a path from `certificate` to one of `roots` and judge it at `at`; never raises on bad evidence.

    1. Paths are searched depth first over issuers whose name matches octet by octet and whose key verifies
       the signature, those named by the key identifier first; length and signature checks are bounded.
    2. Each certificate: SM2 key, period, critical extensions.
    3. Each issuer: CA, keyCertSign, path length, key identifiers.
    4. The certificate itself: key usage, extended key usage.
    5. Revocation of everything below the anchor.

    The first path without problems is reported, else the one with the fewest. No roots: nothing is trusted.
    """
    evidence = RevocationEvidence.gather(crls, ocsp_responses)
    search = _Search(roots, intermediates, policy.max_length)
    best: PathReport | None = None
    for chain, ending in search.paths((certificate,)):
        report = _judge(chain, ending, at, evidence, policy)
        if report.trusted:
            return report
        if best is None or _rank(report) < _rank(best):
            best = report
    return best or _judge((certificate,), _problem(PathReason.NO_ISSUER, certificate), at, evidence, policy)


def verify_path(
    certificate: Certificate,
    *,
    roots: Sequence[Certificate],
    at: datetime,
    intermediates: Sequence[Certificate] = (),
    crls: Sequence[bytes | RevocationList] = (),
    ocsp_responses: Sequence[bytes | OcspResponse] = (),
    policy: PathPolicy = SIGNER_POLICY,
) -> PathReport:
    """Return the report of `assess_path` where the path is trusted; raise EvidenceRefused where not."""
    report = assess_path(
        certificate,
        roots=roots,
        at=at,
        intermediates=intermediates,
        crls=crls,
        ocsp_responses=ocsp_responses,
        policy=policy,
    )
    if not report.trusted:
        raise EvidenceRefused("; ".join(str(problem) for problem in report.problems))
    return report


_DETAILS: Final = {
    PathReason.NO_ISSUER: "no certificate of its issuer is at hand",
    PathReason.UNTRUSTED_ROOT: "it signed itself and is not among the trusted roots",
    PathReason.SIGNATURE_INVALID: "no certificate of its issuer verifies its signature",
    PathReason.TOO_LONG: "the path is longer than the policy allows, or has too many branches",
    PathReason.NOT_YET_VALID: "it was not valid yet",
    PathReason.EXPIRED: "it had expired",
    PathReason.NOT_A_CA: "it issued a certificate and is not a CA (basicConstraints)",
    PathReason.MAY_NOT_SIGN_CERTIFICATES: "its key usage does not include signing certificates",
    PathReason.PATH_LENGTH_EXCEEDED: "more CA certificates follow it than its path length allows",
    PathReason.KEY_IDENTIFIER_MISMATCH: "its authority key identifier names another key of the issuer",
    PathReason.KEY_NOT_SM2: "it does not hold an SM2 key",
    PathReason.KEY_USAGE: "its key usage does not allow this use",
    PathReason.ENCIPHERMENT_KEY: "it is an encipherment certificate",
    PathReason.EXTENDED_KEY_USAGE: "its extended key usage does not allow this use",
}


def _problem(reason: PathReason, certificate: Certificate, detail: str = "") -> PathProblem:
    return PathProblem(reason=reason, certificate=certificate, detail=detail or _DETAILS[reason])


def _rank(report: PathReport) -> tuple[bool, int, int]:
    return not report.anchored, len(report.problems), -len(report.chain)


# ------------------------------------------------------------------------------------- building

_Found = tuple[tuple[Certificate, ...], PathProblem | None]


class _Search:
    """One bounded search; yields each path with the problem it ends in, or None at an anchor."""

    def __init__(
        self, roots: Sequence[Certificate], intermediates: Sequence[Certificate], max_length: int
    ) -> None:
        self._roots = frozenset(roots)
        self._max_length = max_length
        self._checks_left = MAX_SIGNATURE_CHECKS
        self._by_name: dict[bytes, list[Certificate]] = {}
        for candidate in dict.fromkeys((*roots, *intermediates)):
            self._by_name.setdefault(candidate.subject.der, []).append(candidate)

    def paths(self, path: tuple[Certificate, ...]) -> Iterator[_Found]:
        tip = path[-1]
        if tip in self._roots:
            yield path, None
            return
        named = self._by_name.get(tip.issuer.der, [])
        candidates = [candidate for candidate in named if candidate not in path]
        if not candidates:
            reason = PathReason.UNTRUSTED_ROOT if tip.is_self_issued else PathReason.NO_ISSUER
            yield path, _problem(reason, tip)
            return
        if len(path) >= self._max_length:
            yield path, _problem(PathReason.TOO_LONG, tip)
            return
        yield from self._extend(path, sorted(candidates, key=lambda issuer: not _key_matches(tip, issuer)))

    def _extend(self, path: tuple[Certificate, ...], candidates: list[Certificate]) -> Iterator[_Found]:
        extended = False
        for issuer in candidates:
            if self._checks_left <= 0:
                yield path, _problem(PathReason.TOO_LONG, path[-1])
                return
            self._checks_left -= 1
            if _has_signed(issuer, path[-1]):
                extended = True
                yield from self.paths((*path, issuer))
        if not extended:
            yield path, _problem(PathReason.SIGNATURE_INVALID, path[-1])


def _has_signed(issuer: Certificate, certificate: Certificate) -> bool:
    try:
        certificate.verify_issued_by(issuer)
    except (SignatureInvalid, KeyUnusable):
        return False
    return True


def _key_matches(certificate: Certificate, issuer: Certificate) -> bool:
    """Tell whether nothing in the authority key identifier contradicts `issuer`."""
    wanted = certificate.authority_key_identifier
    if wanted is None:
        return True
    if None not in (wanted.key_identifier, issuer.subject_key_identifier):
        return wanted.key_identifier == issuer.subject_key_identifier
    if wanted.issuer is not None and wanted.serial is not None:
        return wanted.issuer == issuer.issuer and wanted.serial == issuer.serial
    return True


# -------------------------------------------------------------------------------------- judging


def _judge(
    chain: tuple[Certificate, ...],
    ending: PathProblem | None,
    at: datetime,
    evidence: RevocationEvidence,
    policy: PathPolicy,
) -> PathReport:
    problems = [] if ending is None else [ending]
    for certificate in chain:
        problems += _judge_each(certificate, at)
    for position, (certificate, issuer) in enumerate(pairwise(chain)):
        problems += _judge_issuer(issuer, chain[1 : position + 1])
        if not _key_matches(certificate, issuer):
            problems.append(_problem(PathReason.KEY_IDENTIFIER_MISMATCH, certificate))
    problems += _judge_purpose(chain[0], policy)
    revocation: list[RevocationFacts] = []
    if policy.revocation is not RevocationMode.IGNORE:
        revocation = [
            assess_revocation(certificate, issuer, at=at, evidence=evidence)
            for certificate, issuer in pairwise(chain)
        ]
        problems += _judge_revocation(revocation, policy)
    return PathReport(
        certificate=chain[0],
        at=at,
        chain=chain,
        anchored=ending is None,
        problems=tuple(problems),
        revocation=tuple(revocation),
        unreadable_evidence=evidence.unreadable,
    )


def _judge_each(certificate: Certificate, at: datetime) -> Iterator[PathProblem]:
    if certificate.public_key is None:
        yield _problem(PathReason.KEY_NOT_SM2, certificate)
    if at < certificate.not_before:
        yield _problem(PathReason.NOT_YET_VALID, certificate)
    if at > certificate.not_after:
        yield _problem(PathReason.EXPIRED, certificate)
    unknown = certificate.critical_oids - UNDERSTOOD
    if unknown:
        detail = f"its critical extension {', '.join(sorted(unknown))} is not understood"
        yield _problem(PathReason.UNKNOWN_CRITICAL_EXTENSION, certificate, detail)


def _judge_issuer(issuer: Certificate, below: tuple[Certificate, ...]) -> Iterator[PathProblem]:
    """Judge an issuer; `below` are the CA certificates between it and the end certificate."""
    if not issuer.is_ca:
        yield _problem(PathReason.NOT_A_CA, issuer)
    if issuer.key_usage is not None and KeyUsage.KEY_CERT_SIGN not in issuer.key_usage:
        yield _problem(PathReason.MAY_NOT_SIGN_CERTIFICATES, issuer)
    limit = issuer.basic_constraints.path_length if issuer.basic_constraints else None
    if limit is not None and sum(not certificate.is_self_issued for certificate in below) > limit:
        yield _problem(PathReason.PATH_LENGTH_EXCEEDED, issuer)


def _judge_purpose(certificate: Certificate, policy: PathPolicy) -> Iterator[PathProblem]:
    usage = certificate.key_usage
    if policy.key_usage and usage is not None and not usage & policy.key_usage:
        yield _problem(PathReason.KEY_USAGE, certificate)
    if policy.refuse_encipherment and usage is not None and usage & ENCIPHERMENT_USAGE:
        yield _problem(PathReason.ENCIPHERMENT_KEY, certificate)
    if policy.extended_key_usage is None:
        return
    purposes = certificate.extended_key_usage or ()
    allowed = policy.extended_key_usage in purposes
    if policy.sole_critical_purpose:
        critical = oids.EXT_EXTENDED_KEY_USAGE in certificate.critical_oids
        allowed = critical and purposes == (policy.extended_key_usage,)
    if not allowed:
        yield _problem(PathReason.EXTENDED_KEY_USAGE, certificate)


def _judge_revocation(facts: Sequence[RevocationFacts], policy: PathPolicy) -> Iterator[PathProblem]:
    for fact in facts:
        if fact.revoked and fact.effective_at is not None:
            reason = f" ({fact.reason.name.lower()})" if fact.reason is not None else ""
            detail = f"it was revoked at {fact.effective_at.isoformat()}{reason}"
            yield _problem(PathReason.REVOKED, fact.certificate, detail)
        elif not fact.known and policy.revocation is RevocationMode.REQUIRE:
            detail = f"nothing is known of its revocation: {fact.why_unknown}"
            yield _problem(PathReason.REVOCATION_UNKNOWN, fact.certificate, detail)
