"""Deadlines, row filters and values of access, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from core.database.names import quote_name
from core.errors import BadInput
from exchange.access.deadlines import compute_due_at
from exchange.access.model import Condition, FilterOperator
from exchange.access.row_filter import assess_row_filter, parse_row_filter
from exchange.access.store import compile_row_filter
from tests.exchange_world import build_resource

RESOURCE = build_resource()


def due_on(created_at: datetime, days: int, exceptions: dict[date, bool]) -> date:
    """Return the day at whose end (Beijing time) the answer is due."""
    due = compute_due_at(created_at, working_days=days, exceptions=exceptions)
    assert (due.hour, due.minute) == (0, 0)
    return date.fromordinal(due.date().toordinal() - 1)


def test_deadline_counts_working_days_after_the_day_in_beijing() -> None:
    monday = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert due_on(monday, 1, {}) == date(2026, 11, 24)
    assert due_on(monday, 10, {}) == date(2026, 12, 7)
    late_friday = datetime(2026, 11, 26, 16, 30, tzinfo=UTC)
    assert due_on(late_friday, 1, {}) == date(2026, 11, 30)


def test_deadline_skips_holidays_and_counts_make_up_days() -> None:
    friday = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
    exceptions = {date(2026, 11, 28): True, date(2026, 11, 30): False}
    assert due_on(friday, 2, exceptions) == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"item": "NOPE", "equals": "1"}, "ITEM"),
        ({"item": "ZJXY", "equals": "1"}, "ITEM"),
        ({"item": ["XM"], "equals": "1"}, "ITEM"),
        ({"item": "XM"}, "FORM"),
        ({"item": "XM", "like": "%"}, "FORM"),
        ({"item": "XM", "equals": "1", "in": ["1"]}, "FORM"),
        ({"item": "XM", "in": []}, "VALUES"),
        ({"item": "XM", "in": "1"}, "VALUES"),
        ({"item": "XM", "prefix": ""}, "PREFIX"),
        ({"item": "CSRQ", "prefix": "19"}, "PREFIX"),
        ({"item": "CSRQ", "equals": "soon"}, "VALUE"),
        ({"item": "XM", "equals": None}, "VALUE"),
        ({"item": "XM", "equals": "a\x00"}, "VALUE"),
        ("XM = 1", "FORM"),
    ],
)
def test_row_filter_outside_the_language_is_refused(body: object, code: str) -> None:
    errors, conditions = assess_row_filter(RESOURCE, {"one": body})
    assert [(error.pointer, error.code) for error in errors] == [("/row_filter/one", code)]
    assert conditions == ()
    with pytest.raises(BadInput):
        parse_row_filter(RESOURCE, {"one": body})  # type: ignore[dict-item]


def test_row_filter_compiles_values_into_parameters_only() -> None:
    hostile = "'); DROP TABLE data.people; --"
    conditions = parse_row_filter(
        RESOURCE, {"a": {"item": "XM", "equals": hostile}, "b": {"item": "HJSZD", "in": [hostile, "1"]}}
    )
    parameters: list[object] = ["first"]
    text = compile_row_filter(conditions, row="d", parameters=parameters)
    assert text == 'coalesce(d."XM" = $2 AND d."HJSZD" = ANY($3), false)'
    assert parameters == ["first", hostile, [hostile, "1"]]


def test_row_filter_with_hostile_item_name_stays_one_quoted_name() -> None:
    condition = Condition(label="x", item='a" OR true --', operator=FilterOperator.PREFIX, values=("1",))
    text = compile_row_filter((condition,), row="d", parameters=[])
    assert text == f"coalesce(starts_with(d.{quote_name(condition.item)}, $1), false)"
    assert '"a"" OR true --"' in text
