"""Verify the signature values inside seals: DER, or the bare r‖s that some vendors store.

Source: GM/T 0009-2012 7.3 (DER); the bare form is read because genuine documents hold it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from signing.engines.encoding import RAW_SIGNATURE_BYTES
from signing.errors import SignatureInvalid
from signing.findings import Finding, FindingCode, build_finding
from signing.sm2 import PublicKey, raw_to_der
from signing.trust import TrustPolicy


class ValueForm(StrEnum):
    """How a signature value was written, once it has verified."""

    DER = "der"
    RAW = "raw"


_RAW_CODES: Final = (FindingCode.SIGNATURE_RAW, FindingCode.SIGNATURE_RAW_STRICT)


def verify_value(key: PublicKey, value: bytes, message: bytes) -> ValueForm:
    """Verify a signature value and tell its form; exactly 64 octets may be r‖s.

    Raises SignatureInvalid.
    """
    try:
        key.verify(value, message)
    except SignatureInvalid:
        if len(value) != RAW_SIGNATURE_BYTES:
            raise
    else:
        return ValueForm.DER
    key.verify(raw_to_der(value), message)
    return ValueForm.RAW


def assess_value(
    key: PublicKey, value: bytes, message: bytes, *, subject: str, invalid: FindingCode, trust: TrustPolicy
) -> tuple[Finding, ...]:
    """Say what is wrong with a signature value: `invalid`, or a note about its bare form, or nothing."""
    try:
        form = verify_value(key, value, message)
    except SignatureInvalid:
        return (build_finding(invalid, subject),)
    if form is ValueForm.RAW:
        return (build_finding(_RAW_CODES[trust.refuse_raw_signatures], subject),)
    return ()
