"""The kit can fail: sinks broken on purpose, each caught by the check that is meant for it."""

from __future__ import annotations

import pytest

from connectors import TerminalError
from connectors.kit import Outcome, assess_sink, describe
from connectors.kit.model import Row
from connectors.kit.registry import SINK_CHECKS
from connectors.model import (
    Parcel,
    Receipt,
)
from tests.kit_memory import MemorySink, SinkMemory


class Doubling(MemorySink):
    def answer(self, parcel: Parcel) -> Receipt:
        return Receipt(accepted=parcel.rows)


class Uncounting(MemorySink):
    def answer(self, parcel: Parcel) -> Receipt:
        return Receipt(accepted=0)


class FirstBatch(MemorySink):
    def write(self, parcel: Parcel) -> Receipt:
        rows = next(parcel.read()).to_pylist()
        self.memory.rows |= {values["id"]: Row(**values) for values in rows}
        return Receipt(accepted=parcel.rows)


class Halving(MemorySink):
    """Writes batch by batch."""

    def write(self, parcel: Parcel) -> Receipt:
        for batch in parcel.read():
            self.memory.rows |= {values["id"]: Row(**values) for values in batch.to_pylist()}
        return self.answer(parcel)


class Adding(MemorySink):
    def keep(self, row: Row) -> Row:
        return self.memory.rows.get(row.id, row)


class Cutting(MemorySink):
    def keep(self, row: Row) -> Row:
        return Row(id=row.id, name=row.name and row.name[:10], amount=row.amount, day=row.day)


class Unreachable(MemorySink):
    def write(self, parcel: Parcel) -> Receipt:
        if self.memory.away:
            msg = "cannot be reached"
            raise TerminalError(msg)
        return super().write(parcel)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Doubling, "sink-repeat"),
        (Uncounting, "sink-receipt"),
        (FirstBatch, "sink-rows"),
        (Halving, "sink-whole-or-nothing"),
        (Halving, "sink-delete"),
        (Halving, "sink-snapshot"),
        (Adding, "sink-change"),
        (Cutting, "sink-huge-row"),
        (Cutting, "sink-hostile-text"),
        (Unreachable, "sink-connection-lost"),
    ],
)
def test_broken_sink_fails_the_check_that_is_meant_for_it(broken: type[MemorySink], check: str) -> None:
    memory = SinkMemory()
    found = {f.check: f for f in assess_sink(lambda: broken(memory), memory)}
    assert found[check].outcome is Outcome.FAILED
    assert found[check].mend


def test_sound_sink_passes_every_check() -> None:
    memory = SinkMemory()
    findings = assess_sink(lambda: MemorySink(memory), memory)
    assert {f.outcome for f in findings} == {Outcome.PASSED}, describe(findings)
    assert len(findings) == len(SINK_CHECKS)
