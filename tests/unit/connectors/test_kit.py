"""The kit can fail: sources broken on purpose, each caught by the check that is meant for it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest
from pydantic import ConfigDict

from connectors import TransientError
from connectors.kit import Outcome, assess_source, describe
from connectors.kit.model import Row
from connectors.kit.registry import SINK_CHECKS, SOURCE_CHECKS
from connectors.model import (
    Batch,
    Cursor,
    Operation,
    Reading,
    SourceCapabilities,
)
from connectors.options import Options
from tests.kit_memory import SCHEMA, Entry, LogSource, Memory


def assess(source: type[LogSource]) -> dict[str, Outcome]:
    memory = Memory()
    return {f.check: f.outcome for f in assess_source(lambda: source(memory), memory)}


def test_sound_source_passes_every_check_that_applies() -> None:
    memory = Memory()
    findings = assess_source(lambda: LogSource(memory), memory)
    assert not [f for f in findings if f.outcome is Outcome.FAILED], describe(findings)
    skipped = {f.check for f in findings if f.outcome is Outcome.SKIPPED}
    assert skipped == {"key-unique", "reading-honest"}
    assert len(findings) == len(SOURCE_CHECKS)


def test_kit_has_forty_checks_and_more_and_each_says_what_to_mend() -> None:
    checks = SOURCE_CHECKS | SINK_CHECKS
    assert len(checks) >= 40
    assert all(check.mend and check.run.__doc__ for check in checks.values())


class LaxOptions(Options):
    model_config = ConfigDict(extra="ignore")


class ShownOptions(Options):
    password: str = ""


class Lax(LogSource):
    options_model = LaxOptions


class Shown(LogSource):
    options_model = ShownOptions


class Moody(LogSource):
    """Says something else each time."""

    made = 0

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        Moody.made += 1
        self.tells = bool(Moody.made % 2)

    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(reading=Reading.INCREMENTAL, key=("id",), deletes=self.tells, repeats=True)


class Restless(LogSource):
    """Turns its columns round."""

    turns = 0

    def fetch_schema(self) -> pa.Schema:
        Restless.turns += 1
        return SCHEMA if Restless.turns % 2 else pa.schema(list(SCHEMA)[::-1])


class Nested(LogSource):
    def fetch_schema(self) -> pa.Schema:
        return pa.schema([*SCHEMA, ("more", pa.list_(pa.int64()))])


class Keyless(LogSource):
    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(reading=Reading.INCREMENTAL, deletes=True, repeats=True, acknowledges=True)


class NoSuchKey(LogSource):
    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(reading=Reading.INCREMENTAL, key=("nothing",), deletes=True, repeats=True)


class OtherBatches(LogSource):
    def build(self, rows: list[Row]) -> pa.RecordBatch:
        return super().build(rows).rename_columns(["id", "name", "amount", "tag"])


class Unsaid(LogSource):
    """Repeats, and does not say so."""

    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(reading=Reading.INCREMENTAL, key=("name",), deletes=True)

    def build(self, rows: list[Row]) -> pa.RecordBatch:
        return super().build([Row(id=row.id, name="same") for row in rows])


class NullKey(Unsaid):
    def build(self, rows: list[Row]) -> pa.RecordBatch:
        return LogSource.build(self, [Row(id=row.id, name=None) for row in rows])


class BytesCursor(LogSource):
    def cursor(self, last: Entry) -> Cursor | None:
        return {"after": last[0], "raw": b"x"}


class LongCursor(LogSource):
    def cursor(self, last: Entry) -> Cursor | None:
        return {"after": last[0], "seen": "x" * 100_000}


class NoCursor(LogSource):
    def cursor(self, last: Entry) -> Cursor | None:
        return None


class SameCursor(LogSource):
    def cursor(self, last: Entry) -> Cursor | None:
        return {"after": 7}


class Loser(LogSource):
    """Goes on one row too late."""

    def entries(self, after: int) -> list[Entry]:
        return super().entries(after + 1 if after else 0)


class Repeater(LogSource):
    """Goes on one row too early."""

    def entries(self, after: int) -> list[Entry]:
        return super().entries(after - 1)


class Credulous(LogSource):
    def position(self, cursor: Cursor | None) -> int:
        return int((cursor or {}).get("after", 0) if isinstance((cursor or {}).get("after", 0), int) else 0)


class Scribbler(LogSource):
    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        yield from super().read(cursor)
        if isinstance(cursor, dict):
            cursor["seen"] = True


class Forgetful(LogSource):
    """Yields rows once for each instance."""

    done = False

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        if not self.done:
            self.done = True
            yield from super().read(cursor)


class Once(LogSource):
    def close(self) -> None:
        del self.memory


class Trimming(LogSource):
    def acknowledge(self, cursor: Cursor) -> None:
        self.memory.log.clear()


class Talker(LogSource):
    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        for batch in super().read(cursor):
            print(batch.rows.num_rows)  # noqa: T201
            yield batch


class Logger(LogSource):
    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        for batch in super().read(cursor):
            logging.getLogger("mine").debug("%s", batch.rows.to_pylist())
            yield batch


class NoLater(LogSource):
    """Never sees what came after the first read."""

    def entries(self, after: int) -> list[Entry]:
        return super().entries(0) if not after else []


class Backwards(LogSource):
    def entries(self, after: int) -> list[Entry]:
        return super().entries(after)[::-1]

    def cursor(self, last: Entry) -> Cursor | None:
        return {"after": max(last[0], len(self.memory.log))}


class Undeleting(LogSource):
    def entries(self, after: int) -> list[Entry]:
        return [entry for entry in super().entries(after) if entry[1] is not Operation.DELETE]


class Emptying(LogSource):
    """Takes null for empty."""

    def build(self, rows: list[Row]) -> pa.RecordBatch:
        return super().build([Row(id=r.id, name=r.name or "", amount=r.amount, day=r.day) for r in rows])


class Ascii(LogSource):
    def build(self, rows: list[Row]) -> pa.RecordBatch:
        cut = [(r.name or "").encode("ascii", "replace").decode() if r.name else r.name for r in rows]
        return super().build(
            [Row(id=r.id, name=name, amount=r.amount, day=r.day) for r, name in zip(rows, cut, strict=True)]
        )


class Short(LogSource):
    def build(self, rows: list[Row]) -> pa.RecordBatch:
        return super().build(
            [Row(id=r.id, name=r.name and r.name[:4000], amount=r.amount, day=r.day) for r in rows]
        )


class Floating(LogSource):
    def build(self, rows: list[Row]) -> pa.RecordBatch:
        floats = [r.amount and type(r.amount)(str(float(r.amount))) for r in rows]
        return super().build(
            [Row(id=r.id, name=r.name, amount=a, day=r.day) for r, a in zip(rows, floats, strict=True)]
        )


class Recent(LogSource):
    """Forgets days before 1970."""

    def build(self, rows: list[Row]) -> pa.RecordBatch:
        return super().build(
            [
                Row(id=r.id, name=r.name, amount=r.amount, day=r.day and max(r.day, type(r.day)(1970, 1, 1)))
                for r in rows
            ]
        )


class Silent(LogSource):
    """Takes a system that is away for one without rows."""

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        if not self.memory.away:
            yield from super().read(cursor)


class Raw(LogSource):
    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        if self.memory.away:
            msg = "connection refused"
            raise OSError(msg)
        yield from super().read(cursor)


class Chatty(LogSource):
    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        if self.memory.away:
            raise TransientError(json.dumps([row.name for _, _, row in self.memory.log], ensure_ascii=False))
        yield from super().read(cursor)


class Clocked(LogSource):
    """Reads what this machine's clock takes for past."""

    def entries(self, after: int) -> list[Entry]:
        return super().entries(after) if time.time() > 1_770_000_000 else []


class Liar(LogSource):
    """Says that it reads in full."""

    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(reading=Reading.FULL, deletes=True, repeats=True, key=("id",))


class Crashing(LogSource):
    def build(self, rows: list[Row]) -> pa.RecordBatch:
        if not rows or any(row.name is None for row in rows):
            raise ZeroDivisionError
        return super().build(rows)


BROKEN: dict[type[LogSource], str] = {
    Lax: "options-strict",
    Shown: "options-secret",
    Moody: "capabilities-steady",
    Restless: "schema-steady",
    Nested: "schema-types",
    Keyless: "schema-key",
    NoSuchKey: "schema-key",
    OtherBatches: "batch-schema",
    Unsaid: "key-unique",
    NullKey: "key-complete",
    BytesCursor: "cursor-json",
    LongCursor: "cursor-small",
    NoCursor: "cursor-last",
    SameCursor: "cursor-advances",
    Loser: "cursor-restart",
    Repeater: "cursor-caught-up",
    Credulous: "cursor-foreign",
    Scribbler: "cursor-untouched",
    Forgetful: "read-repeatable",
    Once: "close-twice",
    Trimming: "acknowledge-harmless",
    Talker: "quiet",
    Logger: "log-clean",
    NoLater: "new-row",
    Backwards: "changed-twice",
    Undeleting: "deleted-row",
    Emptying: "null",
    Ascii: "hostile-text",
    Short: "huge-row",
    Floating: "numbers-exact",
    Recent: "days-far",
    Silent: "connection-lost",
    Raw: "connection-lost",
    Chatty: "secrets-kept",
    Clocked: "clock-change",
    Liar: "reading-honest",
    Crashing: "null",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda kind: kind.__name__)
def test_broken_source_fails_the_check_that_is_meant_for_it(broken: type[LogSource]) -> None:
    assert assess(broken)[BROKEN[broken]] is Outcome.FAILED
