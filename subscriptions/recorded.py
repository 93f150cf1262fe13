"""Which tables of `subscriptions` record acts, so that leaves record their rows."""

from __future__ import annotations

from typing import Final

from core.log.recorded_rows import RecordedTable

_PLACE: Final = frozenset({"acked_version", "acked_sequence", "acked_cursor", "acked_epoch", "acked_at"})
_UNDER_WAY: Final = frozenset(
    {
        "failures",
        "first_failed_at",
        "next_attempt_at",
        "last_error",
        "last_success_at",
        "pending_key",
        "pending_rows",
        "pending_sm3",
        "lease_owner",
        "lease_until",
    }
)

RECORDED: Final = (
    RecordedTable(name="subscriptions.subscription", key=("id",)),
    RecordedTable(name="subscriptions.lead_terms", key=("subscription_id",)),
    RecordedTable(name="subscriptions.lead", key=("id",), passing=frozenset({"reminded_at"})),
    RecordedTable(name="subscriptions.consumer", key=("id",), passing=_PLACE),
    RecordedTable(name="subscriptions.target", key=("id",), passing=_UNDER_WAY),
    RecordedTable(
        name="subscriptions.dead_letter", key=("id",), passing=frozenset({"attempts", "reason", "wanted_at"})
    ),
    RecordedTable(name="subscriptions.lake_choice", key=("resource_code",)),
    RecordedTable(name="subscriptions.share_profile", key=("id",), passing=frozenset({"used_at"})),
)
