"""A source and a sink without a fault, over memory: what tests of the kit break on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pyarrow as pa
from pydantic import SecretStr

from connectors import TerminalError, TransientError
from connectors.kit.model import Row
from connectors.model import (
    Batch,
    Cursor,
    Operation,
    Parcel,
    Reading,
    Receipt,
    SinkCapabilities,
    SourceCapabilities,
)
from connectors.options import Options
from connectors.protocols import BaseSink, BaseSource

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("amount", pa.string()), ("day", pa.date32())])
Entry = tuple[int, Operation, Row]


class Memory:
    """A log of changes in memory, as the system behind; it is the stage, too."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.away = False

    def reset(self) -> None:
        self.log.clear()

    def put(self, rows: Sequence[Row]) -> None:
        self.log += [(len(self.log) + n, Operation.UPSERT, row) for n, row in enumerate(rows, start=1)]

    def remove(self, ids: Sequence[int]) -> None:
        self.log += [(len(self.log) + n, Operation.DELETE, Row(id=i)) for n, i in enumerate(ids, start=1)]

    def cut(self) -> None:
        self.away = True

    def restore(self) -> None:
        self.away = False


class MemoryOptions(Options):
    password: SecretStr = SecretStr("open-sesame")


class LogSource(BaseSource):
    """A source without a fault: the log of changes, deletes included."""

    options_model: ClassVar[type[Options]] = MemoryOptions
    size = 50

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @property
    def capabilities(self) -> SourceCapabilities:
        return SourceCapabilities(
            reading=Reading.INCREMENTAL, deletes=True, repeats=True, acknowledges=True, key=("id",)
        )

    def fetch_schema(self) -> pa.Schema:
        return SCHEMA

    def entries(self, after: int) -> list[Entry]:
        return [entry for entry in self.memory.log if entry[0] > after]

    def position(self, cursor: Cursor | None) -> int:
        if cursor is None:
            return 0
        if set(cursor) != {"after"} or not isinstance(cursor["after"], int):
            msg = "the cursor is none of this source"
            raise TerminalError(msg)
        return int(cursor["after"])

    def build(self, rows: list[Row]) -> pa.RecordBatch:
        values = [
            {"id": r.id, "name": r.name, "amount": None if r.amount is None else str(r.amount), "day": r.day}
            for r in rows
        ]
        return pa.RecordBatch.from_pylist(values, schema=self.fetch_schema())

    def cursor(self, last: Entry) -> Cursor | None:
        return {"after": last[0]}

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        if self.memory.away:
            msg = "the system is away"
            raise TransientError(msg)
        entries = self.entries(self.position(cursor))
        while entries:
            operation = entries[0][1]
            size = next((n for n, e in enumerate(entries[: self.size]) if e[1] is not operation), self.size)
            part, entries = entries[:size], entries[size:]
            yield Batch(
                rows=self.build([e[2] for e in part]), operation=operation, cursor=self.cursor(part[-1])
            )


class MemorySink(BaseSink):
    """A sink without a fault; the stage is the class's own memory."""

    options_model: ClassVar[type[Options]] = MemoryOptions

    def __init__(self, memory: SinkMemory) -> None:
        self.memory = memory

    @property
    def capabilities(self) -> SinkCapabilities:
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        if self.memory.away:
            msg = "the system is away"
            raise TransientError(msg)
        if parcel.key in self.memory.receipts:
            return self.memory.receipts[parcel.key]
        rows = [Row(**values) for batch in parcel.read() for values in batch.to_pylist()]
        if parcel.operation is Operation.SNAPSHOT:
            self.memory.rows.clear()
        for row in rows:
            if parcel.operation is Operation.DELETE:
                self.memory.rows.pop(row.id, None)
            else:
                self.memory.rows[row.id] = self.keep(row)
        return self.answer(parcel)

    def keep(self, row: Row) -> Row:
        return row

    def answer(self, parcel: Parcel) -> Receipt:
        self.memory.receipts[parcel.key] = Receipt(accepted=parcel.rows)
        return self.memory.receipts[parcel.key]


class SinkMemory:
    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.receipts: dict[str, Receipt] = {}
        self.away = False

    def reset(self) -> None:
        self.rows.clear()
        self.receipts.clear()

    def read(self) -> list[Row]:
        return list(self.rows.values())

    def cut(self) -> None:
        self.away = True

    def restore(self) -> None:
        self.away = False
