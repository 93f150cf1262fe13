"""Who may use a certificate: the one place where that is decided."""

from __future__ import annotations

from enum import StrEnum

from certs.types.model import CertificateType
from core.caller import Caller, Purpose


class UseBasis(StrEnum):
    """Why a caller may use a certificate.

    `issuer`: it issued it. `function`: it works on a case of a service item that may use certificates of
    this type (依职能).
    """

    ISSUER = "issuer"
    FUNCTION = "function"


def find_basis(
    *, caller: Caller, purpose: Purpose, issuer_code: str, kind: CertificateType
) -> UseBasis | None:
    """Return on what basis `caller` may use a certificate of `kind` that `issuer_code` issued, or None."""
    if caller.organisation_code == issuer_code:
        return UseBasis.ISSUER
    return UseBasis.FUNCTION if kind.may_be_used_for(purpose.service_item) else None
