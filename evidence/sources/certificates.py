"""Certificate ways: what is looked for, and what is found."""

from __future__ import annotations

from datetime import date

from certs.issue.model import Certificate, CertificateStatus
from certs.types.model import HolderCodeType
from certs.use.held import Held, HeldOutcome, Sought
from evidence.rules.model import CertificateWay, PartyKind
from evidence.sources.model import Ask, Basis, Outcome, Reading
from evidence.sources.requirements import judge_requirements

_LOST = frozenset(
    {
        CertificateStatus.REVOKED,
        CertificateStatus.CANCELLED,
        CertificateStatus.WITHDRAWN,
        CertificateStatus.SUSPENDED,
        CertificateStatus.SUPERSEDED,
    }
)


def build_sought(ask: Ask) -> Sought:
    """Build the search of a certificate way."""
    assert isinstance(ask.way, CertificateWay)
    is_firm = ask.keys["kind"] == PartyKind.ORGANISATION
    kind = HolderCodeType.CREDIT_CODE if is_firm else HolderCodeType.CITIZEN_NUMBER
    return Sought(type_code=ask.way.type_code, holder_code=ask.keys["code"], holder_code_type=kind)


def read_held(ask: Ask, held: Held, *, today: date) -> Reading:
    """Say what a search comes to."""
    assert isinstance(ask.way, CertificateWay)
    name = held.type_name or ask.way.type_code
    match held.outcome:
        case HeldOutcome.UNKNOWN_TYPE:
            detail = "certificates of this type are not registered here"
            return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="UNKNOWN-TYPE", detail=detail)
        case HeldOutcome.REFUSED:
            detail = f"the item may not use {name} by function, and no holder's authorisation covers it"
            return Reading(
                outcome=Outcome.NOT_AUTHORISED,
                code="CERT-USE-REFUSED",
                detail=detail,
                apply_for={"certificate_type": ask.way.type_code},
            )
        case HeldOutcome.NOT_HELD:
            detail = f"no {name} of the holder is registered"
            return Reading(outcome=Outcome.NOT_HELD, code="NOT-FOUND", detail=detail)
    assert held.certificate is not None
    basis = Basis(
        source=ask.way.type_code,
        title=name,
        version=held.certificate.version,
        as_of=held.certificate.created_at,
        certificate_id=held.certificate.identifier,
    )
    if held.outcome is HeldOutcome.NOT_VALID:
        outcome = Outcome.REVOKED if held.status in _LOST else Outcome.EXPIRED
        code = f"CERT-{str(held.status).upper().replace('_', '-')}"
        return Reading(outcome=outcome, code=code, detail=f"the {name} is {held.status}", basis=basis)
    values = _values(held.certificate)
    failed = judge_requirements(ask.way.requires, ask.wanted, values, today=today)
    if failed is not None:
        outcome, code, detail = failed
        return Reading(outcome=outcome, code=code, detail=f"{name}: {detail}", basis=basis)
    attributes = {attribute: values.get(item) for attribute, item in ask.way.gives.items()}
    return Reading(
        outcome=Outcome.SUPPLIED,
        code="CERTIFICATE",
        detail=f"{name}, valid today",
        basis=basis,
        attributes=attributes,
    )


def _values(certificate: Certificate) -> dict[str, str | bool | None]:
    return {
        **certificate.data,
        "number": certificate.number,
        "issued_on": certificate.issued_on.isoformat(),
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": None if certificate.valid_until is None else certificate.valid_until.isoformat(),
        "holder_name": certificate.holder.name,
        "holder_code": certificate.holder.code,
        "identifier": certificate.identifier,
    }
