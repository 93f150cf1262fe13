"""Which tables of `evidence` record acts, so that leaves record their rows."""

from __future__ import annotations

from typing import Final

from core.log.recorded_rows import RecordedTable

RECORDED: Final = (
    RecordedTable(name="evidence.service_item", key=("code",)),
    RecordedTable(name="evidence.item_version", key=("item_code", "version")),
    RecordedTable(name="evidence.asking", key=("id",)),
    RecordedTable(name="evidence.cascade_rule", key=("code",)),
    RecordedTable(name="evidence.cascade_effect", key=("id",), passing=frozenset({"next_check_at"})),
    RecordedTable(name="evidence.credit_dataset", key=("only_one",)),
    RecordedTable(
        name="evidence.credit_entry",
        key=("undertaking_id", "told_state"),
        passing=frozenset({"next_try_at", "tries"}),
    ),
    RecordedTable(
        name="evidence.undertaking",
        key=("id",),
        passing=frozenset({"next_check_at", "checked_at", "reminded_at"}),
    ),
)
