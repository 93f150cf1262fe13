"""Find out whether a certificate was revoked, from lists and OCSP responses at hand.

A list or response counts only after its signature has verified with the issuer's key (or a responder
that the issuer delegated). One that went out of date before the moment judged cannot say that nothing
happened since; one issued later can, as long as it had to speak of the certificate at all.

Source: RFC 5280 6.3, RFC 6960 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from signing import oids
from signing.errors import DecodeError, SigningError
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList, RevocationReason
from signing.x509.ocsp import CertStatus, OcspResponse


class RevocationSource(StrEnum):
    """Who spoke about a certificate."""

    CRL = "crl"
    OCSP = "ocsp"
    NO_CHECK = "no_check"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationFacts:
    """What is known about one certificate's revocation, for the moment `at`.

    `revoked_at` may lie after `at`: the certificate was good then and was revoked later. `why_unknown`
    says, where nobody spoke, what was wrong with the evidence at hand.
    """

    certificate: Certificate
    at: datetime
    source: RevocationSource
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None
    invalid_since_at: datetime | None = None
    why_unknown: str = ""

    @property
    def known(self) -> bool:
        """Tell whether anyone spoke about the certificate."""
        return self.source is not RevocationSource.NOBODY

    @property
    def effective_at(self) -> datetime | None:
        """The moment from which the certificate must not be trusted: invalidity, where it came earlier."""
        moments = [moment for moment in (self.revoked_at, self.invalid_since_at) if moment is not None]
        return min(moments, default=None)

    @property
    def revoked(self) -> bool:
        """Tell whether the certificate was revoked at the moment judged."""
        return self.effective_at is not None and self.effective_at <= self.at

    @property
    def status(self) -> CertStatus:
        """Good, revoked or unknown at the moment judged."""
        if self.revoked:
            return CertStatus.REVOKED
        return CertStatus.GOOD if self.known else CertStatus.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationEvidence:
    """Lists and responses, read. `unreadable` counts what could not be read."""

    crls: tuple[RevocationList, ...] = ()
    responses: tuple[OcspResponse, ...] = ()
    unreadable: int = 0

    @classmethod
    def gather(
        cls, crls: Sequence[bytes | RevocationList] = (), responses: Sequence[bytes | OcspResponse] = ()
    ) -> RevocationEvidence:
        """Read what is given as octets, passing over what cannot be read."""
        lists: list[RevocationList] = []
        answers: list[OcspResponse] = []
        unreadable = 0
        for item in crls:
            try:
                lists.append(RevocationList.parse(item) if isinstance(item, bytes) else item)
            except DecodeError:
                unreadable += 1
        for answer in responses:
            try:
                answers.append(OcspResponse.parse(answer) if isinstance(answer, bytes) else answer)
            except DecodeError:
                unreadable += 1
        return cls(crls=tuple(lists), responses=tuple(answers), unreadable=unreadable)


def assess_revocation(
    certificate: Certificate, issuer: Certificate, *, at: datetime, evidence: RevocationEvidence
) -> RevocationFacts:
    """Ask every list and response of `issuer`; the earliest revocation that any of them tells counts.

    Never raises on bad evidence: what cannot be used is passed over, and `why_unknown` says why. Only a
    certificate for OCSP responses may say by ocsp-nocheck that nobody need be asked (RFC 6960 4.2.2.2.1).
    """
    exempt = oids.EKU_OCSP_SIGNING in (certificate.extended_key_usage or ())
    if exempt and certificate.extension(oids.OCSP_NO_CHECK) is not None:
        return RevocationFacts(certificate=certificate, at=at, source=RevocationSource.NO_CHECK)
    told = [
        *_from_lists(certificate, issuer, at, evidence.crls),
        *_from_responses(certificate, issuer, at, evidence.responses),
    ]
    revocations = [facts for facts in told if facts.effective_at is not None]
    if revocations:
        return min(revocations, key=lambda facts: facts.effective_at or at)
    known = next((facts for facts in told if facts.known), None)
    if known is not None:
        return known
    reasons = [facts.why_unknown for facts in told] or ["no list or response of the issuer is at hand"]
    return _unknown(certificate, at, "; ".join(dict.fromkeys(reasons)))


def _unknown(certificate: Certificate, at: datetime, why: str) -> RevocationFacts:
    return RevocationFacts(certificate=certificate, at=at, source=RevocationSource.NOBODY, why_unknown=why)


def _from_lists(
    certificate: Certificate, issuer: Certificate, at: datetime, crls: Sequence[RevocationList]
) -> Iterator[RevocationFacts]:
    for crl in crls:
        if crl.issuer.der != issuer.subject.der:
            continue
        why = crl.unusable_because or _out_of_scope(crl, certificate)
        if why is None:
            yield _ask_list(certificate, issuer, at, crl)
        else:
            yield _unknown(certificate, at, f"a revocation list was passed over: {why}")


def _out_of_scope(crl: RevocationList, certificate: Certificate) -> str | None:
    scope = crl.scope
    if scope is None:
        return None
    if scope.user_certificates_only if certificate.is_ca else scope.ca_certificates_only:
        return "it covers other kinds of certificates"
    if scope.urls and not set(scope.urls) & set(certificate.crl_urls):
        return "it covers another distribution point"
    return None


def _ask_list(
    certificate: Certificate, issuer: Certificate, at: datetime, crl: RevocationList
) -> RevocationFacts:
    try:
        crl.verify_issued_by(issuer)
        entry = crl.find(certificate.serial)
    except SigningError as error:
        return _unknown(certificate, at, error.detail)
    if entry is not None and entry.reason is not RevocationReason.REMOVE_FROM_CRL:
        return RevocationFacts(
            certificate=certificate,
            at=at,
            source=RevocationSource.CRL,
            revoked_at=entry.revoked_at,
            reason=entry.reason,
            invalid_since_at=entry.invalid_since_at,
        )
    if crl.next_update is not None and crl.next_update < at:
        return _unknown(certificate, at, "the revocation list was out of date")
    if crl.next_update is None and crl.this_update < at:
        return _unknown(certificate, at, "the revocation list does not say how long it holds")
    if crl.this_update > certificate.not_after:
        return _unknown(certificate, at, "the revocation list may leave out certificates that had expired")
    return RevocationFacts(certificate=certificate, at=at, source=RevocationSource.CRL)


def _from_responses(
    certificate: Certificate, issuer: Certificate, at: datetime, responses: Sequence[OcspResponse]
) -> Iterator[RevocationFacts]:
    for response in responses:
        single = response.find(certificate.serial, issuer)
        if single is None:
            continue
        try:
            response.verify(issuer=issuer)
        except SigningError as error:
            yield _unknown(certificate, at, error.detail)
            continue
        limit = single.next_update or single.this_update
        if single.status is CertStatus.UNKNOWN:
            yield _unknown(certificate, at, "the OCSP responder does not know the certificate")
        elif single.status is CertStatus.REVOKED:
            yield RevocationFacts(
                certificate=certificate,
                at=at,
                source=RevocationSource.OCSP,
                revoked_at=single.revoked_at or single.this_update,
                reason=single.reason,
            )
        elif limit < at:
            yield _unknown(certificate, at, "the OCSP response was out of date")
        else:
            yield RevocationFacts(certificate=certificate, at=at, source=RevocationSource.OCSP)
