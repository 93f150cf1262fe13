"""Which tables of `subscriptions` record acts, so that leaves record their rows."""

from __future__ import annotations

from typing import Final

from core.log.recorded_rows import RecordedTable

RECORDED: Final = (RecordedTable(name="subscriptions.subscription", key=("id",)),)
