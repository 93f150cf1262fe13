"""Trust in a log from its hub's CA certificate alone: which keys sign heads and statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.log.heads import HeadVerifier
from signing.errors import EvidenceRefused
from signing.merkle.hashing import HashSuite
from signing.merkle.receipt_trust import TrustedPath
from signing.x509.certificate import Certificate
from signing.x509.path import SIGNER_POLICY, PathPolicy, RevocationMode, verify_path
from signing.x509.pem import parse_pem

HUB_SIGNER_NAME = "Shuzheng Hub"
HUB_ORGANIZATION = "Shuzheng"  # organisations' certificates bear one name in both places
_POLICY = PathPolicy(key_usage=SIGNER_POLICY.key_usage, revocation=RevocationMode.IF_KNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTrust:
    """Trusts the hub signer's certificates under `roots`; `crls` are looked at where they are given."""

    roots: tuple[Certificate, ...]
    crls: tuple[bytes, ...] = ()

    def build_verifier(self, *, origin: str, suite: HashSuite, certificates_pem: bytes) -> HeadVerifier:
        """Pick the log's keys out of certificates. Raises EvidenceRefused where none is trusted."""
        certificates = [Certificate.parse(der) for der in parse_pem(certificates_pem, "CERTIFICATE")]
        keys = []
        trouble = "no certificate of a hub's signer is among them"
        for certificate in certificates:
            if not is_hub_signer(certificate):
                continue
            try:
                self._verify(certificate, certificates, certificate.not_before)
            except EvidenceRefused as refused:
                trouble = refused.detail
                continue
            keys.append(certificate.require_key())
        if not keys:
            msg = f"none of the log's keys is certified under the trusted root: {trouble}"
            raise EvidenceRefused(msg)
        return HeadVerifier(origin=origin, suite=suite, keys=tuple(keys))

    def receipts(self) -> TrustedPath:
        """Return the trust in receipts, for `verify_receipt`."""
        return TrustedPath(verify_path=self._verify, may_sign=is_hub_signer)

    def _verify(self, certificate: Certificate, others: Sequence[Certificate], at: datetime) -> None:
        verify_path(
            certificate, roots=self.roots, intermediates=others, crls=self.crls, policy=_POLICY, at=at
        )


def is_hub_signer(certificate: Certificate) -> bool:
    """Tell whether a certificate is that of a hub's own signer (not of a seal's, nor an organisation's)."""
    subject = certificate.subject
    return (subject.common_name, subject.organization) == (HUB_SIGNER_NAME, HUB_ORGANIZATION)
