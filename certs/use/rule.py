"""Who may use a certificate: the one place where that is decided."""

from __future__ import annotations

from enum import StrEnum

from certs.types.model import CertificateType
from core.caller import Caller, Purpose
from core.errors import Forbidden


class UseRefused(Forbidden):
    """No rule lets this caller use certificates of this type for this service item."""

    code = "CERT-USE-REFUSED"
    title = "Use of the certificate refused"


class UseBasis(StrEnum):
    """Why a caller may use a certificate.

    `issuer`: it issued it. `function`: it works on a case of a service item that may use certificates of
    this type (依职能). `holder`, `delegation`: the holder, or a delegate of the holder, authorised it.
    """

    ISSUER = "issuer"
    FUNCTION = "function"
    HOLDER = "holder"
    DELEGATION = "delegation"


def find_basis(
    *, caller: Caller, purpose: Purpose, issuer_code: str, kind: CertificateType
) -> UseBasis | None:
    """Return on what basis `caller` may use a certificate of `kind` that `issuer_code` issued, or None."""
    if caller.organisation_code == issuer_code:
        return UseBasis.ISSUER
    return UseBasis.FUNCTION if kind.may_be_used_for(purpose.service_item) else None


def may_have_original(basis: UseBasis | None, *, copies_only: bool) -> bool:
    """Tell whether the original file may go out on this basis; otherwise only data and annotated copies.

    `copies_only` is what the administrator set for the case's service item. A holder's authorisation says
    itself whether it covers the original.
    """
    return basis is UseBasis.ISSUER or (basis is UseBasis.FUNCTION and not copies_only)


def refuse_use(purpose: Purpose) -> UseRefused:
    """Say that a case may not use certificates of a type."""
    return UseRefused(
        f"certificates of this type may not be used for the service item {purpose.service_item}; "
        "an administrator can add it to the type"
    )
