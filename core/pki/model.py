"""The domain words of the hub's own public-key infrastructure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from signing.signer import Signer
from signing.x509.certificate import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedSigner:
    """A key that signs, and the certificate that says whose it is."""

    signer: Signer = field(repr=False)
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A certificate that its authority took back. `reason` is the CRLReason of RFC 5280 5.3.1."""

    serial: int
    revoked_at: datetime
    reason: int
