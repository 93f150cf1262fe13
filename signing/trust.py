"""What a verifier trusts, and how strictly it judges: values handed in, never looked up.

An empty policy trusts nothing: every chain judged under it is UNKNOWN, so no evidence comes out VALID by
omission. The defaults are those of a verifier of other people's documents: tolerant of the encodings and
profiles that real authorities and vendors write, strict about what is proven. Each switch makes the
judgement stricter, but for those named `accept_…`, which widen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from signing.x509.certificate import Certificate
    from signing.x509.crl import RevocationList
    from signing.x509.ocsp import OcspResponse

DEFAULT_TIMESTAMP_SKEW: Final = timedelta(minutes=5)


class JudgeAt(StrEnum):
    """The moment at which the signer's certificate and the seal are judged.

    `signing`: the time stamp's genTime where a trusted one is present, else the signer's claim.
    `now`: the moment of examination. `time`: `TrustPolicy.judge_time`, chosen by the caller.
    """

    SIGNING = "signing"
    NOW = "now"
    TIME = "time"


class RevocationRule(StrEnum):
    """What it means that no CRL or OCSP response speaks about a certificate.

    `warn`: a warning. `unknown`: the verdict is UNKNOWN. `refuse`: an error. `ignore`: revocation is not
    looked at, and a note says so.
    """

    IGNORE = "ignore"
    WARN = "warn"
    UNKNOWN = "unknown"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """Trusted roots, supporting material and switches for one examination.

    `roots` are trusted as they are. `intermediates` only help to build paths. `crls` and
    `ocsp_responses` are used only after their own signatures have verified. `tsa_roots`, where
    given, replaces `roots` for time-stamp authorities.

    By the texts of V1 and V4 a seal fails once its maker's certificate has expired;
    `accept_maker_expired_after_creation` judges it as V5 does, at the time the seal was made.
    """

    roots: tuple[Certificate, ...] = ()
    intermediates: tuple[Certificate, ...] = ()
    tsa_roots: tuple[Certificate, ...] | None = None
    crls: tuple[RevocationList, ...] = ()
    ocsp_responses: tuple[OcspResponse, ...] = ()

    judge_at: JudgeAt = JudgeAt.SIGNING
    judge_time: datetime | None = None
    timestamp_skew: timedelta = DEFAULT_TIMESTAMP_SKEW

    revocation: RevocationRule = RevocationRule.WARN
    require_timestamp: bool = False
    refuse_unknown_critical_extensions: bool = False
    refuse_encipherment_key_usage: bool = False
    refuse_raw_signatures: bool = False
    refuse_partial_coverage: bool = False
    refuse_property_info_mismatch_v1: bool = False
    accept_sha256_digest_list: bool = False
    accept_maker_expired_after_creation: bool = False

    def __post_init__(self) -> None:
        if (self.judge_at is JudgeAt.TIME) != (self.judge_time is not None):
            message = "judge_time belongs to judge_at 'time', and only to it"
            raise ValueError(message)
        if self.judge_time is not None and self.judge_time.tzinfo is None:
            message = "judge_time must be aware of its time zone"
            raise ValueError(message)
        if self.timestamp_skew < timedelta(0):
            message = "timestamp_skew must not be negative"
            raise ValueError(message)

    @property
    def has_roots(self) -> bool:
        """Whether any chain can be judged at all."""
        return bool(self.roots)

    @property
    def roots_for_timestamps(self) -> tuple[Certificate, ...]:
        """The roots that time-stamp authorities must lead to."""
        return self.roots if self.tsa_roots is None else self.tsa_roots

    def moment(self, *, signing: datetime, now: datetime) -> datetime:
        """Choose the moment to judge at, given the time of signing and the time of examination."""
        if self.judge_at is JudgeAt.NOW:
            return now
        if self.judge_time is not None:
            return self.judge_time
        return signing


NOTHING_TRUSTED: Final = TrustPolicy()
