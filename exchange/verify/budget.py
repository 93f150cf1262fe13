"""The budget of wrong guesses: how many values that do not match may be tried for a subject in a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.china_time import CHINA_TIME
from core.errors import FieldError, RateLimited
from exchange.verify.checks import ReadCheck
from exchange.verify.store import SubjectRows


def refuse_used_up(
    checks: Sequence[ReadCheck],
    found: Mapping[int, SubjectRows],
    now: datetime,
    *,
    mismatches_a_day: int,
) -> None:
    """Raise RateLimited, which names the checks, where the budget of a check's subject is used up.

    `found` holds what was loaded for each check, by its identity.
    """
    errors = tuple(
        FieldError(pointer=f"/checks/{position}", code="BUDGET", detail="no more tries today")
        for position, check in enumerate(checks)
        if id(check) in found and found[id(check)].mismatches >= mismatches_a_day
    )
    if errors:
        msg = "too many values that did not match were tried for this subject today; ask again tomorrow"
        past = now.astimezone(CHINA_TIME)
        left_s = 86_400 - (past.hour * 3600 + past.minute * 60 + past.second)
        raise RateLimited(msg, errors=errors if len(checks) > 1 else (), retry_after_s=left_s)
