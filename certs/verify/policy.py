"""How one examination judges: at which moment, and how strictly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from core.errors import BadInput
from signing.trust import JudgeAt, RevocationRule, TrustPolicy


def build_policy(trust: TrustPolicy, *, at: str, strict: bool) -> TrustPolicy:
    """Add to `trust` the moment to judge at (`signing`, `now`, or a time in ISO 8601) and, where asked,
    every strict switch. Raises BadInput."""
    if at in {JudgeAt.SIGNING, JudgeAt.NOW}:
        trust = replace(trust, judge_at=JudgeAt(at), judge_time=None)
    else:
        trust = replace(trust, judge_at=JudgeAt.TIME, judge_time=_parse_time(at))
    if not strict:
        return trust
    return replace(
        trust,
        revocation=RevocationRule.REFUSE,
        refuse_unknown_critical_extensions=True,
        refuse_encipherment_key_usage=True,
        refuse_raw_signatures=True,
        refuse_partial_coverage=True,
        refuse_property_info_mismatch_v1=True,
    )


def _parse_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = "the time to judge at is signing, now, or a time such as 2026-11-24T08:00:00+08:00"
        raise BadInput(msg) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
