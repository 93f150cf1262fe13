"""The trust policy is a value that cannot be built wrong, and the empty one trusts nothing."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signing.trust import NOTHING_TRUSTED, JudgeAt, RevocationRule, TrustPolicy

SIGNED = datetime(2026, 5, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
GIVEN = datetime(2026, 8, 1, tzinfo=UTC)


def test_trust_policy_that_is_empty_has_no_roots() -> None:
    assert not NOTHING_TRUSTED.has_roots
    assert TrustPolicy() == NOTHING_TRUSTED
    assert NOTHING_TRUSTED.roots_for_timestamps == ()


def test_trust_policy_tolerates_by_default_and_warns_without_revocation_information() -> None:
    switches = [name for name in TrustPolicy.__slots__ if name.startswith(("refuse_", "accept_", "require_"))]
    assert len(switches) >= 8
    assert not any(getattr(NOTHING_TRUSTED, name) for name in switches)
    assert NOTHING_TRUSTED.revocation is RevocationRule.WARN


@pytest.mark.parametrize(
    ("policy", "moment"),
    [
        (TrustPolicy(), SIGNED),
        (TrustPolicy(judge_at=JudgeAt.NOW), NOW),
        (TrustPolicy(judge_at=JudgeAt.TIME, judge_time=GIVEN), GIVEN),
    ],
)
def test_trust_policy_chooses_the_moment_to_judge_at(policy: TrustPolicy, moment: datetime) -> None:
    assert policy.moment(signing=SIGNED, now=NOW) == moment


@pytest.mark.parametrize(
    "fields",
    [
        {"judge_at": JudgeAt.TIME},
        {"judge_time": GIVEN},
        {"judge_at": JudgeAt.TIME, "judge_time": GIVEN.replace(tzinfo=None)},
        {"timestamp_skew": timedelta(seconds=-1)},
    ],
)
def test_trust_policy_that_contradicts_itself_cannot_be_built(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"judge_time|timestamp_skew"):
        TrustPolicy(**fields)


def test_trust_policy_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        NOTHING_TRUSTED.roots = ()  # type: ignore[misc]
