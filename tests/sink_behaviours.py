"""What every sink into a table does, as one behaviour that tests of each run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import TerminalError
from connectors.model import Operation
from connectors.protocols import Sink
from tests.parcels import build_parcel

HARD = ["'; DROP TABLE x; --", "\\", '"', "🀄", "a\nb\t", "%s %", "a", "A", "a ", ""]
ROW = {
    "id": "x",
    "名称%:": "第一",
    "n": Decimal("1.50"),
    "d": date(2026, 1, 2),
    "t": datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC),
    "ok": True,
    "big": -(2**62),
    "raw": b"\x00\xff",
    "f": 0.5,
}


def check_table_sink(
    make: Callable[[], Sink], read: Callable[[str], list[tuple[Any, ...]]], folder: Path
) -> None:
    """Write parcels and read the table `t` back (`read(columns)`, ordered by id)."""
    sink = make()
    assert sink.capabilities.idempotent
    first = build_parcel(folder, 1, [ROW | {"id": text} for text in HARD])
    assert sink.write(first).accepted == len(HARD)
    assert {row[0] for row in read("id")} == set(HARD)
    change = build_parcel(folder, 2, [ROW | {"id": "a", "n": Decimal("2.00"), "new": "加"}])
    sink.write(change)
    sink.write(build_parcel(folder, 3, [{"id": text} for text in HARD[:6]], Operation.DELETE))
    assert sink.write(first) == sink.write(first)
    sink.close()
    assert {row[0]: row[1] for row in read("id, n")} == {
        "a": Decimal("2.00"), "A": Decimal("1.50"), "a ": Decimal("1.50"), "": Decimal("1.50"),
    }  # fmt: skip
    with pytest.raises(TerminalError, match="no column id"):
        make().write(build_parcel(folder, 4, [{"other": 1}]))
    with pytest.raises(TerminalError, match="no value in id"):
        make().write(build_parcel(folder, 5, [{"id": "q"}, {"id": None}]))
    twice = [ROW | {"id": "z"}, ROW | {"id": "z", "n": Decimal("9.00")}]
    make().write(build_parcel(folder, 6, twice, Operation.SNAPSHOT))
    assert [(row[0], row[1]) for row in read("id, n")] == [("z", Decimal("9.00"))]


def check_failed_parcel_leaves_nothing(
    make: Callable[[], Sink], read: Callable[[str], list[tuple[Any, ...]]], folder: Path
) -> None:
    """Write a parcel whose last row the table cannot hold: nothing of it stays, and no content is told."""
    make().write(build_parcel(folder, 1, [{"id": f"{n}", "n": Decimal("1.5")} for n in range(4)]))
    rows = [{"id": f"{n}", "n": Decimal("2.5")} for n in range(4)] + [{"id": "9", "n": Decimal("123456789")}]
    bad = build_parcel(folder, 2, rows)
    for _ in range(2):
        with pytest.raises(TerminalError) as refused:
            make().write(bad)
        assert "123456789" not in str(refused.value)
    assert {row[0] for row in read("n")} == {Decimal("1.5")}
