"""What checks of a sink work with: fresh instances, parcels made for it, the stage."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from connectors.kit.model import Row, SinkStage, Skipped
from connectors.model import Operation, Parcel, Receipt
from connectors.protocols import Sink
from connectors.runner.spool import ParcelFile

SCHEMA = pa.schema(
    [("id", pa.int64()), ("name", pa.string()), ("amount", pa.decimal128(38, 6)), ("day", pa.date32())]
)


@dataclass(slots=True, kw_only=True)
class SinkTrial:
    """One sink under test, whose key is `id`."""

    make: Callable[[], Sink]
    folder: Path
    stage: SinkStage | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def opened(self) -> Iterator[Sink]:
        """A fresh sink, closed afterwards."""
        sink = self.make()
        try:
            yield sink
        finally:
            sink.close()

    def staged(self) -> SinkStage:
        """Return the stage, emptied. Skips the check where there is none."""
        if self.stage is None:
            msg = "needs a stage"
            raise Skipped(msg)
        self.stage.reset()
        return self.stage

    def require_operation(self, operation: Operation) -> None:
        """Skip the check for a sink that does not take an operation."""
        with self.opened() as sink:
            if operation not in sink.capabilities.operations:
                msg = f"the sink does not take {operation}"
                raise Skipped(msg)

    def parcel(
        self,
        rows: Sequence[Row],
        operation: Operation = Operation.UPSERT,
        *,
        schema: pa.Schema = SCHEMA,
        batch_rows: int = 500,
    ) -> Parcel:
        """Make a parcel of rows."""
        number = next(self._numbers)
        file = ParcelFile(
            self.folder, number=number, operation=operation, schema=schema, joined_rows=batch_rows
        )
        values = [{name: getattr(row, name) for name in schema.names} for row in rows]
        for start in range(0, max(len(values), 1), batch_rows):
            part = values[start : start + batch_rows]
            file.write(pa.RecordBatch.from_pylist(part, schema=schema))
        return file.close(connector="kit", key=f"kit.{id(self)}.{number}")

    def write(self, rows: Sequence[Row], operation: Operation = Operation.UPSERT) -> Receipt:
        """Write rows by a fresh sink."""
        with self.opened() as sink:
            return sink.write(self.parcel(rows, operation))

    def read(self) -> list[Row]:
        """Return what the sink has written, by id."""
        assert self.stage is not None
        return sorted(self.stage.read(), key=lambda row: row.id)
