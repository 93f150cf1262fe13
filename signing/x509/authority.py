"""Certification authorities: a root makes itself, an authority issues after fixed profiles.

Source: RFC 5280 4.1–4.2, GM/T 0015 5.2 and annex C.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from signing import der, oids
from signing.signer import Signer
from signing.sm2 import PublicKey
from signing.x509 import extensions as ext
from signing.x509.algorithms import SM2_WITH_SM3, build_signed
from signing.x509.certificate import MAX_SERIAL_BYTES, Certificate, key_identifier
from signing.x509.crl import RevokedEntry, build_crl
from signing.x509.errors import IssuanceRefused
from signing.x509.extensions import BasicConstraints, Extension, KeyUsage
from signing.x509.names import Name
from signing.x509.profiles import ROOT_USAGE, RULES, Profile, ProfileRules
from signing.x509.request import CertificateRequest

_VERSION_3: Final = der.explicit(0, der.integer(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Where an authority publishes, and the policies it issues under; written into each certificate."""

    crl_urls: tuple[str, ...] = ()
    ocsp_urls: tuple[str, ...] = ()
    issuer_urls: tuple[str, ...] = ()
    policies: tuple[str, ...] = (oids.ANY_POLICY,)

    @property
    def access(self) -> tuple[tuple[str, str], ...]:
        """The (method OID, URI) pairs of authorityInfoAccess."""
        ocsp = tuple((oids.AD_OCSP, url) for url in self.ocsp_urls)
        return ocsp + tuple((oids.AD_CA_ISSUERS, url) for url in self.issuer_urls)


def random_serial() -> int:
    """Draw a serial number of 128 random bits, above zero."""
    return secrets.randbits(128) or 1


def create_root(
    name: Name,
    signer: Signer,
    *,
    not_before: datetime,
    not_after: datetime,
    serial: int | None = None,
    path_length: int | None = None,
) -> Certificate:
    """Make a self-signed root certificate: keyCertSign and cRLSign, CA TRUE, both critical.

    `serial` defaults to 128 random bits. Raises IssuanceRefused for an impossible period or serial.
    """
    identifier = key_identifier(signer.public_key)
    extensions = (
        ext.authority_key_identifier(identifier),
        ext.subject_key_identifier(identifier),
        ext.key_usage(ROOT_USAGE),
        ext.basic_constraints(BasicConstraints(True, path_length), critical=True),
    )
    return _sign(
        signer,
        issuer=name,
        subject=name,
        public_key=signer.public_key,
        not_before=not_before,
        not_after=not_after,
        serial=random_serial() if serial is None else serial,
        extensions=extensions,
    )


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA at work: its certificate, its key, and where it publishes.

    Raises IssuanceRefused when the certificate may not sign certificates or holds another key.
    """

    certificate: Certificate
    signer: Signer = field(repr=False)
    publication: Publication = field(default=Publication(), kw_only=True)

    def __post_init__(self) -> None:
        certificate = self.certificate
        if certificate.public_key is None or certificate.public_key.point != self.signer.public_key.point:
            message = "the authority's certificate and key do not belong together"
            raise IssuanceRefused(message)
        if not certificate.is_ca or KeyUsage.KEY_CERT_SIGN not in (certificate.key_usage or ()):
            message = "the authority's certificate does not allow it to sign certificates"
            raise IssuanceRefused(message)

    @property
    def key_identifier(self) -> bytes:
        """The identifier that what this authority signs names its key by."""
        return self.certificate.subject_key_identifier or key_identifier(self.signer.public_key)

    def issue(
        self,
        *,
        profile: Profile,
        subject: Name,
        public_key: PublicKey,
        not_before: datetime,
        not_after: datetime,
        serial: int | None = None,
        publication: Publication | None = None,
        extra_extensions: Iterable[Extension] = (),
    ) -> Certificate:
        """Issue a certificate after `profile`; `publication` replaces the authority's own for this one.

        `serial` defaults to 128 random bits. Raises IssuanceRefused when the period leaves the
        authority's own, when the subject bears the authority's name, or when the authority's path length
        forbids a further CA. Possession of the private key is the caller's to check (`issue_for`).
        """
        rules = RULES[profile]
        self._require_permitted(rules, subject, not_before, not_after)
        standard = self._extensions(rules, public_key, publication or self.publication)
        return _sign(
            self.signer,
            issuer=self.certificate.subject,
            subject=subject,
            public_key=public_key,
            not_before=not_before,
            not_after=not_after,
            serial=random_serial() if serial is None else serial,
            extensions=(*standard, *extra_extensions),
        )

    def issue_for(
        self,
        request: CertificateRequest,
        *,
        profile: Profile,
        not_before: datetime,
        not_after: datetime,
        subject: Name | None = None,
        serial: int | None = None,
    ) -> Certificate:
        """Verify a PKCS#10 request's proof of possession and issue for its key.

        The subject is the request's unless `subject` is given; extensions that the request asks for are
        not taken over. Raises SignatureInvalid, KeyUnusable or IssuanceRefused.
        """
        request.verify()
        return self.issue(
            profile=profile,
            subject=subject or request.subject,
            public_key=request.require_key(),
            not_before=not_before,
            not_after=not_after,
            serial=serial,
        )

    def issue_crl(
        self, *, entries: Iterable[RevokedEntry], this_update: datetime, next_update: datetime, number: int
    ) -> bytes:
        """Make this authority's revocation list (see `build_crl`) and return its DER."""
        return build_crl(
            self.certificate,
            self.signer,
            entries=entries,
            this_update=this_update,
            next_update=next_update,
            number=number,
        )

    def _require_permitted(
        self, rules: ProfileRules, subject: Name, not_before: datetime, not_after: datetime
    ) -> None:
        own = self.certificate
        if not_before < own.not_before or not_after > own.not_after:
            message = "the period leaves that of the authority's own certificate"
            raise IssuanceRefused(message)
        if not subject.rdns or subject.der == own.subject.der:
            message = "the subject must have a name other than the authority's"
            raise IssuanceRefused(message)
        limit = own.basic_constraints.path_length if own.basic_constraints else None
        if rules.basic_constraints.ca and limit == 0:
            message = "the authority's certificate allows no further authority below it"
            raise IssuanceRefused(message)

    def _extensions(
        self, rules: ProfileRules, public_key: PublicKey, publication: Publication
    ) -> list[Extension]:
        found = [
            ext.authority_key_identifier(self.key_identifier),
            ext.subject_key_identifier(key_identifier(public_key)),
            ext.key_usage(rules.key_usage),
            ext.basic_constraints(rules.basic_constraints, critical=rules.basic_constraints.ca),
        ]
        if rules.extended_key_usage:
            critical = rules.extended_key_usage_critical
            found.append(ext.extended_key_usage(rules.extended_key_usage, critical=critical))
        if publication.policies:
            found.append(ext.certificate_policies(publication.policies))
        if rules.ocsp_no_check:
            found.append(ext.ocsp_no_check())
        elif publication.crl_urls:
            found.append(ext.crl_distribution_points(publication.crl_urls))
        if publication.access:
            found.append(ext.authority_info_access(publication.access))
        return found


def _sign(
    signer: Signer,
    *,
    issuer: Name,
    subject: Name,
    public_key: PublicKey,
    not_before: datetime,
    not_after: datetime,
    serial: int,
    extensions: Iterable[Extension],
) -> Certificate:
    if not 0 < serial < 1 << (8 * MAX_SERIAL_BYTES - 1):
        message = f"a serial number must be above zero and have at most {MAX_SERIAL_BYTES} octets"
        raise IssuanceRefused(message)
    if not_after < not_before:
        message = "the period ends before it begins"
        raise IssuanceRefused(message)
    tbs = der.sequence(
        _VERSION_3,
        der.integer(serial),
        SM2_WITH_SM3.der,
        issuer.der,
        der.sequence(der.time(not_before), der.time(not_after)),
        subject.der,
        public_key.spki,
        der.explicit(3, ext.build_extensions(extensions)),
    )
    return Certificate.parse(build_signed(tbs, signer.sign(tbs)))
