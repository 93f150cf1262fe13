"""From our errors to the results of a call."""

from __future__ import annotations

from typing import Final

from certs.sharing.model import CallResult
from certs.use.service import CertificateNotValid
from certs.use.verdict import national_code
from core.errors import (
    AddressRefused,
    BadInput,
    Forbidden,
    NotFound,
    PurposeMissing,
    SchemaViolation,
    ScopeMissing,
    ShuzhengError,
    Unauthenticated,
    Unavailable,
)

_RESULTS: Final[tuple[tuple[type[ShuzhengError], CallResult], ...]] = (
    (Unauthenticated, CallResult.NOT_AUTHENTICATED),
    (ScopeMissing, CallResult.NOT_AUTHENTICATED),
    (AddressRefused, CallResult.NOT_AUTHENTICATED),
    (PurposeMissing, CallResult.INPUT_EMPTY),
    (Forbidden, CallResult.RESTRICTED),
    (NotFound, CallResult.NO_CERTIFICATE),
    (Unavailable, CallResult.TIMEOUT),
    (BadInput, CallResult.UNREADABLE),
)
"""The first that fits counts."""


class InputEmpty(SchemaViolation):
    """A member that the operation needs is missing."""

    code = "SHARING-INPUT-EMPTY"
    title = "Required input is empty"


class HolderTypeWrong(SchemaViolation):
    """The holder's code type is none of GB/T 36903 annex A."""

    code = "SHARING-HOLDER-TYPE"
    title = "Wrong holder-code type"


class TypeUnknown(NotFound):
    """The certificate type is not registered."""

    code = "SHARING-TYPE-UNKNOWN"
    title = "Certificate type unknown"


def result_of(error: ShuzhengError) -> CallResult:
    """Return the national platform's code for an error."""
    match error:
        case InputEmpty():
            return CallResult.INPUT_EMPTY
        case HolderTypeWrong():
            return CallResult.HOLDER_TYPE_WRONG
        case TypeUnknown():
            return CallResult.TYPE_UNKNOWN
        case CertificateNotValid():
            return CallResult(national_code(error.status))
        case _:
            return next((code for kind, code in _RESULTS if isinstance(error, kind)), CallResult.OTHER)
