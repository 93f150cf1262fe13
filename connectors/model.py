"""The words of the SDK: cursors, batches, what sources and sinks can do, parcels, receipts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as pa_ipc

from connectors.errors import TerminalError

Cursor = Mapping[str, Any]
"""Where a source goes on: an object that JSON can hold, which only the source reads. The runner keeps it."""


class Operation(StrEnum):
    """What the rows of a batch are for."""

    UPSERT = "upsert"
    DELETE = "delete"  # the columns of the key suffice
    SNAPSHOT = "snapshot"  # the whole truth: what is missing is deleted


class Reading(StrEnum):
    """What one call of `Source.read` yields."""

    FULL = "full"  # every row there is, each time; the cursor is not used
    INCREMENTAL = "incremental"  # what changed after the cursor; everything where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCapabilities:
    """What a source can do, with the options that it was made with.

    `deletes`: it yields DELETE batches. `repeats`: one read may yield a row more than once, the newest last
    (a log of changes does). `acknowledges`: `acknowledge` matters to it. `key`: the columns that name a row,
    where it knows them; needed where it repeats.
    """

    reading: Reading
    deletes: bool = False
    repeats: bool = False
    acknowledges: bool = False
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCapabilities:
    """What a sink can do.

    `idempotent`: the same parcel written twice has the effect, and the answer, of once. `judges_rows`: it
    may refuse single rows and counts them.
    """

    operations: frozenset[Operation]
    idempotent: bool = True
    judges_rows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows as a source yields them.

    `cursor` is where to go on once these rows, and all before them, are safe; None where the source cannot
    stop here. Every batch of one `read` has the schema that `fetch_schema` gives, save that those of
    DELETE may have fewer columns.
    """

    rows: pa.RecordBatch
    operation: Operation = Operation.UPSERT
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Rows on their way: an Arrow IPC stream in a file that never changes, and a key that names it.

    `key` is the Idempotency-Key; the same key always comes with the same bytes. Parcels are numbered from
    1 without gaps and are written in that order. `digest` is the SHA-256 of the file in hexadecimal.
    """

    connector: str
    number: int
    key: str
    operation: Operation
    path: Path
    rows: int
    size_bytes: int
    digest: str

    def read_schema(self) -> pa.Schema:
        """Return the schema of the rows. Raises TerminalError for a file that is cut or damaged."""
        with self._told_plainly(), pa_ipc.open_stream(pa.memory_map(str(self.path))) as reader:
            return reader.schema

    def read(self) -> Iterator[pa.RecordBatch]:
        """Read the rows, a batch at a time. Raises TerminalError where they are not all there."""
        rows = 0
        with self._told_plainly(), pa_ipc.open_stream(pa.memory_map(str(self.path))) as reader:
            for batch in reader:
                rows += batch.num_rows
                yield batch
        if rows != self.rows:  # a stream that ends between two batches is whole to Arrow
            why = f"{rows} of {self.rows} rows are there"
            raise self._damaged(why)

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as trouble:
            raise self._damaged(type(trouble).__name__) from trouble

    def _damaged(self, why: str) -> TerminalError:
        msg = (
            f"the file of parcel {self.number} is cut or damaged ({why}); is the disk sound? `connector park`"
            " puts it aside, `connector reset` begins anew and reads everything again"
        )
        return TerminalError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a sink made of a parcel: accepted + rejected = the rows of the parcel.

    `reasons` counts why rows were rejected, `reference` names the writing at the sink (a batch at a hub),
    `effect` counts what the sink says beyond (inserted, updated, unchanged, deleted).
    """

    accepted: int
    rejected: int = 0
    reference: str = ""
    reasons: Mapping[str, int] = field(default_factory=dict)
    effect: Mapping[str, int] = field(default_factory=dict)
