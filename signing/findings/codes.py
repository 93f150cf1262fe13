"""Stable codes of what an examination can find, and how much a finding weighs.

A code begins with the letter of its usual weight (E error, W warning, I information).
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How much one finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INFO = "info"


class FindingCode(StrEnum):
    """Stable codes of everything that the examination of a sealed document can find."""

    CONTAINER_INVALID = "E100"
    CONTAINER_LIMIT = "E101"
    ENTRY_DUPLICATE = "E102"
    ENTRY_UNSAFE = "E103"
    OFD_XML_MISSING = "E104"
    XML_INVALID = "E105"
    DOCROOT_MISSING = "E110"
    SIGNATURES_MISSING = "E111"
    SIGNATURES_INVALID = "E112"
    SIGNATURE_ID_DUPLICATE = "E113"
    SIGNATURE_FILE_MISSING = "E114"
    SIGNATURE_XML_INVALID = "E120"
    DIGEST_METHOD_WEAK_OR_UNKNOWN = "E121"
    SIGNATURE_METHOD_MISMATCH = "E122"
    REFERENCE_INVALID = "E123"
    REFERENCE_MISSING = "E124"
    REFERENCE_DIGEST_MISMATCH = "E125"
    COVERAGE_PARTIAL = "W126"
    COVERAGE_PARTIAL_STRICT = "E126"
    SIGNED_VALUE_MISSING = "E127"
    SIGNED_VALUE_INVALID = "E130"
    VERSION_INCONSISTENT = "E131"
    ALGORITHM_UNSUPPORTED = "E132"
    SIGNATURE_INVALID = "E140"
    DATA_HASH_MISMATCH = "E141"
    PROPERTY_INFO_MISMATCH = "E142"
    SIGNATURE_RAW = "W143"
    SIGNATURE_RAW_STRICT = "E143"
    CRITICAL_EXTENSION_UNKNOWN = "W144"
    CRITICAL_EXTENSION_UNKNOWN_STRICT = "E144"
    SIGNER_CERT_INVALID = "E150"
    SIGNER_CHAIN = "E151"
    SIGNER_KEY_USAGE = "E152"
    SIGNING_TIME_OUTSIDE_CERT = "E153"
    SIGNER_REVOKED = "E154"
    REVOKED_LATER = "W155"
    REVOCATION_UNKNOWN = "W156"
    TIME_CLAIMED = "I157"
    SEAL_INVALID = "E160"
    SEAL_SIGNATURE_INVALID = "E161"
    MAKER_CHAIN = "E162"
    MAKER_KEY_USAGE = "E163"
    MAKER_NOT_VALID_AT_CREATION = "E164"
    MAKER_NOT_VALID_LATER = "I164"
    MAKER_REVOKED = "E165"
    SEAL_NOT_VALID_AT_SIGNING = "E166"
    SIGNER_NOT_AUTHORISED = "E167"
    SEAL_FILE_MISMATCH = "E168"
    SEAL_PICTURE = "W169"
    TIMESTAMP_INVALID = "E170"
    TIMESTAMP_IMPRINT = "E171"
    TSA_CERT = "E172"
    TIMESTAMP_ORDER = "E173"
    SEAL_TIMESTAMP_INVALID = "E174"
    SEAL_CREATED_AFTER_TIMESTAMP = "E175"
    BASE_SIGNATURE = "E180"
    STAMP_PAGE = "E181"
    STAMP_BOX = "W182"
    SIGNED_AFTER_LOCK = "E183"

    @property
    def severity(self) -> Severity:
        """The usual weight of this code, read off its first letter."""
        return {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}[self.value[0]]
