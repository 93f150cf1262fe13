"""Reading one batch ahead: one thread for all that is asked of a source, and nothing lost or left open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from connectors import TerminalError
from connectors.model import Batch, Cursor, Operation, Reading, SourceCapabilities
from connectors.protocols import BaseSource
from connectors.runner.ahead import SourceAhead
from connectors.runner.spool import ParcelFile

SCHEMA = pa.schema([("id", pa.int64())])


class Watched(BaseSource):
    """Ten batches of one row; notes which threads call, and how far it was read."""

    def __init__(self) -> None:
        self.threads = {threading.get_ident()}
        self.calls: list[str] = []
        self.read_rows = 0
        self.fails_at = 99

    def _note(self, call: str) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append(call)

    @property
    def capabilities(self) -> SourceCapabilities:
        self._note("capabilities")
        return SourceCapabilities(reading=Reading.INCREMENTAL, acknowledges=True)

    def fetch_schema(self) -> pa.Schema:
        self._note("fetch_schema")
        return SCHEMA

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        try:
            for number in range(10):
                self._note("read")
                if number == self.fails_at:
                    msg = "no more"
                    raise TerminalError(msg)
                self.read_rows += 1
                rows = pa.RecordBatch.from_pydict({"id": [number]}, schema=SCHEMA)
                yield Batch(rows=rows, cursor={"at": number})
        finally:
            self._note("left")

    def acknowledge(self, cursor: Cursor) -> None:
        self._note("acknowledge")

    def close(self) -> None:
        self._note("close")


def open_watched() -> tuple[SourceAhead, Watched]:
    made: list[Watched] = []

    def make() -> Watched:
        made.append(Watched())
        return made[0]

    return SourceAhead(make), made[0]


def test_everything_is_done_in_one_thread_that_is_not_the_callers() -> None:
    ahead, watched = open_watched()
    assert ahead.capabilities.acknowledges
    assert ahead.fetch_schema() == SCHEMA
    numbers = []
    for batch in ahead.read(None):
        numbers += batch.rows.column("id").to_pylist()
        ahead.acknowledge(batch.cursor or {})
    ahead.close()
    assert numbers == list(range(10))
    assert len(watched.threads) == 1
    assert threading.get_ident() not in watched.threads
    assert watched.calls[-2:] == ["acknowledge", "close"]


def test_read_that_is_left_closes_the_source_and_is_one_batch_ahead_at_most() -> None:
    ahead, watched = open_watched()
    batches = iter(ahead.read(None))
    for _ in range(3):
        next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert watched.calls[-1] == "left"
    assert watched.read_rows in {3, 4}
    ahead.close()


def test_what_a_source_raises_comes_after_the_batches_before_it() -> None:
    ahead, watched = open_watched()
    watched.fails_at = 4
    numbers = []
    batches = ahead.read(None)
    for _ in range(4):
        numbers += next(batches).rows.column("id").to_pylist()
    with pytest.raises(TerminalError, match="no more"):
        next(batches)
    ahead.close()
    assert numbers == [0, 1, 2, 3]


def test_source_that_cannot_be_made_leaves_no_thread() -> None:
    before = threading.active_count()

    def make() -> Watched:
        msg = "no such thing"
        raise TerminalError(msg)

    with pytest.raises(TerminalError, match="no such thing"):
        SourceAhead(make)
    assert threading.active_count() == before


def test_parcel_holds_few_large_batches_of_many_small_ones(tmp_path: Path) -> None:
    file = ParcelFile(tmp_path, number=1, operation=Operation.UPSERT, schema=SCHEMA, joined_rows=10)
    for start in range(0, 25, 4):
        file.write(pa.RecordBatch.from_pydict({"id": list(range(start, min(start + 4, 25)))}, schema=SCHEMA))
    parcel = file.close(connector="c", key="k")
    batches = list(parcel.read())
    assert [batch.num_rows for batch in batches] == [10, 10, 5]
    assert [n for batch in batches for n in batch.column("id").to_pylist()] == list(range(25))


def test_cut_file_of_a_parcel_is_told_with_what_to_do(tmp_path: Path) -> None:
    file = ParcelFile(tmp_path, number=7, operation=Operation.UPSERT, schema=SCHEMA, joined_rows=10)
    for start in (0, 10, 20):
        file.write(pa.RecordBatch.from_pydict({"id": list(range(start, start + 10))}, schema=SCHEMA))
    parcel = file.close(connector="c", key="k")
    whole = parcel.path.read_bytes()
    heard = set()
    # Also where the cut lies between two batches, which to Arrow is a whole stream.
    for size in range(0, len(whole) - 8, 4):
        parcel.path.write_bytes(whole[:size])
        with pytest.raises(TerminalError, match=r"parcel 7 is cut or damaged .*connector reset") as told:
            list(parcel.read())
        heard.add(str(told.value).partition("(")[2].partition(")")[0])
    assert "20 of 30 rows are there" in heard
    parcel.path.unlink()
    with pytest.raises(TerminalError, match="cut or damaged"):
        parcel.read_schema()
