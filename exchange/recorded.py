"""Which tables of `exchange` record acts, so that leaves record their rows."""

from __future__ import annotations

from typing import Final

from core.log.recorded_rows import RecordedTable

RECORDED: Final = (
    RecordedTable(name="exchange.resource", key=("code",)),
    RecordedTable(name="exchange.resource_item", key=("resource_code", "name")),
    RecordedTable(name="exchange.external_code", key=("resource_code", "scheme")),
    RecordedTable(name="exchange.resource_history", key=("id",)),
    RecordedTable(name="exchange.resource_revision", key=("resource_code", "revision")),
    RecordedTable(name="exchange.data_element", key=("identifier",)),
    RecordedTable(name="exchange.code_list", key=("name",)),
    RecordedTable(name="exchange.code_list_version", key=("name", "version")),
    RecordedTable(name="exchange.version", key=("resource_code", "version")),
    RecordedTable(name="exchange.quality_rule", key=("resource_code", "position")),
    RecordedTable(name="exchange.scenario", key=("id",)),
    RecordedTable(name="exchange.application", key=("id",)),
    RecordedTable(name="exchange.grant_", key=("id",)),
    RecordedTable(name="exchange.mask_rule", key=("resource_code", "item", "service_item")),
    RecordedTable(name="exchange.deadline", key=("id",)),
    RecordedTable(name="exchange.calendar_day", key=("day",)),
    RecordedTable(name="exchange.objection", key=("id",)),
    RecordedTable(name="exchange.correction", key=("id",), passing=frozenset({"read_at"})),
    RecordedTable(name="exchange.guard_rule", key=("kind",)),
    RecordedTable(name="exchange.guard_alert", key=("id",)),
    RecordedTable(name="exchange.call_limit", key=("scope", "name")),
)
