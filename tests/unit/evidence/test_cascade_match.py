"""Which changes a cascade rule is about, and by which identities cases are found."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from core.errors import SchemaViolation
from core.log.writer import LogWriter
from evidence.cascade.document import dump_rule, parse_rule
from evidence.cascade.match import find_holder, hash_identities, is_about
from evidence.cascade.model import Operation, RowChange, RowSource
from hub.services import utc_now

TODAY = date(2026, 1, 2)
DOCUMENT: dict[str, Any] = {
    "code": "death",
    "title": "死亡即暂停",
    "source": {
        "kind": "row",
        "resource": "rk_jbxx",
        "holder": "GMSFHM",
        "on": ["insert", "update", "delete"],
        "when": [{"item": "SWRQ", "test": "filled"}, {"item": "ZXZT", "test": "equals", "values": ["1"]}],
    },
    "target": "T",
    "action": "suspend",
}
ALIVE = {"GMSFHM": "A", "SWRQ": None, "ZXZT": "0"}
DEAD = {"GMSFHM": "A", "SWRQ": date(2026, 1, 1), "ZXZT": "1"}
HALF = DEAD | {"ZXZT": "0"}


def source(**changes: Any) -> RowSource:
    found = parse_rule(DOCUMENT | {"source": DOCUMENT["source"] | changes}).source
    assert isinstance(found, RowSource)
    return found


@pytest.mark.parametrize(
    ("operation", "before", "after", "holder"),
    [
        ("update", ALIVE, DEAD, "A"),
        ("update", HALF, DEAD, "A"),
        ("insert", None, DEAD, "A"),
        ("delete", ALIVE, None, "A"),
        ("update", DEAD, DEAD, None),
        ("update", DEAD, ALIVE, None),
        ("update", ALIVE, HALF, None),
        ("insert", None, ALIVE, None),
        ("update", ALIVE, DEAD | {"GMSFHM": None}, None),
    ],
)
def test_rule_is_about_rows_that_come_to_meet_it(
    operation: str, before: dict[str, object] | None, after: dict[str, object] | None, holder: str | None
) -> None:
    change = RowChange(operation=Operation(operation), before=before, after=after)
    assert (find_holder("GMSFHM", change) if is_about(source(), change, today=TODAY) else None) == holder


def test_rule_is_about_its_operations_only() -> None:
    change = RowChange(operation=Operation.DELETE, before=ALIVE, after=None)
    assert not is_about(source(on=["update"]), change, today=TODAY)


def test_identities_are_those_of_both_sides_and_of_every_set_of_items() -> None:
    log = LogWriter(subject_key=b"k" * 32, now=utc_now)
    names = [frozenset({"GMSFHM"}), frozenset({"GMSFHM", "ZXZT"}), frozenset({"SWRQ"})]
    moved = RowChange(operation=Operation.UPDATE, before=ALIVE, after=DEAD | {"GMSFHM": "B"})
    found = hash_identities(log, "r", moved, names)
    assert len(found) == 5
    same = RowChange(operation=Operation.UPDATE, before=ALIVE, after=ALIVE)
    assert hash_identities(log, "r", same, names[:1]) < found
    assert not hash_identities(log, "other", same, names[:1]) & found


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"code": "a/b"}, "/code"),
        ({"title": " "}, "/title"),
        ({"action": "delete"}, "/action"),
        ({"surplus": 1}, "/surplus"),
        ({"source": {"kind": "row", "resource": "r"}}, "/source/on"),
        ({"source": DOCUMENT["source"] | {"on": []}}, "/source/on"),
        (
            {
                "source": DOCUMENT["source"]
                | {"when": [{"item": "x", "test": "equals", "values": ["$a.code"]}]}
            },
            "/source/when/0/values",
        ),
        (
            {"source": DOCUMENT["source"] | {"when": [{"item": "x", "test": "filled", "values": ["1"]}]}},
            "/source/when/0/values",
        ),
        ({"source": {"kind": "certificate", "type_code": "T", "statuses": ["revoked"]}}, "/target"),
        ({"source": {"kind": "certificate", "type_code": "U", "statuses": []}}, "/source/statuses"),
    ],
)
def test_rule_that_makes_no_sense_is_refused_with_a_pointer(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SchemaViolation) as caught:
        parse_rule(DOCUMENT | change)
    assert pointer in {each.pointer for each in caught.value.errors}


def test_rule_survives_a_round_trip() -> None:
    assert dump_rule(parse_rule(DOCUMENT)) == DOCUMENT
