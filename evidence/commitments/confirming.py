"""The applicant's own signature under what is promised: verified where it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.errors import FieldError, SchemaViolation
from evidence.cases.model import Party
from signing import oids, sm3
from signing.canonical_json import JsonValue, build_canonical_json
from signing.cms import parse_signed_data, verify_signed_data
from signing.errors import SigningError
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.path import SIGNER_POLICY, PathPolicy, PathReason, RevocationMode, assess_path

_POLICY: Final = PathPolicy(key_usage=SIGNER_POLICY.key_usage, revocation=RevocationMode.IF_KNOWN)
_UNKNOWN: Final = {PathReason.NO_ISSUER, PathReason.UNTRUSTED_ROOT}


class ConfirmationForm(StrEnum):
    """How the applicant confirmed.

    `stated`: the office's system says so. `signed`: by a certificate of the applicant's under a root that the
    hub trusts. `signed_unknown_authority`: the signature is right, and who issued the certificate is not
    known here.
    """

    STATED = "stated"
    SIGNED = "signed"
    SIGNED_UNKNOWN = "signed_unknown_authority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The form of a confirmation; the SM3 of signature and certificate, in hex, where there are some."""

    form: ConfirmationForm = ConfirmationForm.STATED
    signature_sm3: str | None = None
    signer_sm3: str | None = None


def build_confirmed(case_id: UUID, role: str, promises: Sequence[tuple[str, str, str | None]]) -> bytes:
    """Write what is signed: canonical JSON (RFC 8785) of case, role and promises (fact, action, text_sm3)."""
    listed: list[JsonValue] = [
        {"fact": fact, "action": action, "text_sm3": text_sm3} for fact, action, text_sm3 in promises
    ]
    return build_canonical_json({"case": str(case_id), "role": role, "promises": listed})


def verify_confirmation(
    signature: bytes, *, content: bytes, party: Party, trust: TrustPolicy, at: datetime
) -> Confirmation:
    """Verify the applicant's signature over `content`, and say which form of confirmation it is.

    1. It is signed data (GB/T 35275, CMS) with one signature, of SM2 with SM3, over these very octets. 2. The
    certificate names the applicant: by name, or by number as its serialNumber. 3. At this moment it is valid
    and, as far as is known here, not revoked. 4. It is `signed` where its path ends in a trusted root.
    Raises SchemaViolation for whatever is not so.
    """
    try:
        signers = verify_signed_data(parse_signed_data(signature), content=content)
    except SigningError as refused:
        msg = f"the signature does not stand: {refused.detail}"
        raise _refused(msg) from refused
    if len(signers) != 1:
        msg = "the signed data holds more than one signature; the applicant in the role signs"
        raise _refused(msg)
    certificate = signers[0].certificate
    if not _names(certificate, party):
        msg = "the certificate is of somebody else than the applicant in the role"
        raise _refused(msg)
    report = assess_path(
        certificate,
        roots=trust.roots,
        intermediates=trust.intermediates,
        crls=trust.crls,
        ocsp_responses=trust.ocsp_responses,
        at=at,
        policy=_POLICY,
    )
    if report.reasons - _UNKNOWN:
        problems = "; ".join(each.detail for each in report.problems if each.reason not in _UNKNOWN)
        msg = f"the certificate does not stand: {problems}"
        raise _refused(msg)
    return Confirmation(
        form=ConfirmationForm.SIGNED if report.trusted else ConfirmationForm.SIGNED_UNKNOWN,
        signature_sm3=sm3.digest(signature).hex(),
        signer_sm3=sm3.digest(certificate.der).hex(),
    )


def _names(certificate: Certificate, party: Party) -> bool:
    subject = certificate.subject
    return party.name in {subject.common_name, subject.organization} or party.code == subject.get(
        oids.SERIAL_NUMBER
    )


def _refused(detail: str) -> SchemaViolation:
    return SchemaViolation(
        detail, errors=(FieldError(pointer="/signature", code="SIGNATURE", detail=detail),)
    )
