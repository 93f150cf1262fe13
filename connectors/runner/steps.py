"""What a runner checks before it reads, and how a full reading becomes a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.config import Config, FullReading
from connectors.errors import TerminalError
from connectors.model import Batch, Operation, Reading, SourceCapabilities
from connectors.runner.cutter import Digests


def require_fit(config: Config, source: SourceCapabilities, key: tuple[str, ...]) -> None:
    """Let source, sink and options pass that go together. Raises TerminalError that says what does not."""
    sink = config.make_sink()
    try:
        operations = sink.capabilities.operations
    finally:
        sink.close()
    full = config.run.full_reading if source.reading is Reading.FULL else None
    wanted = {Operation.SNAPSHOT} if full is FullReading.SNAPSHOT else {Operation.UPSERT}
    if source.deletes or full is FullReading.DIFF:
        wanted.add(Operation.DELETE)
    if missing := sorted(wanted - operations):
        msg = f"the sink {config.sink.kind} does not take {', '.join(missing)}, which this source needs"
        raise TerminalError(msg)
    if (full is FullReading.DIFF or source.repeats) and not key:
        msg = "set run.key: the columns that name a row"
        raise TerminalError(msg)


def shape_full(
    batches: Iterator[Batch], make_empty: Callable[[], Batch | None]
) -> Iterator[tuple[Batch, Digests]]:
    """Make one snapshot of everything. For a source without a row `make_empty` says whether there is one."""
    rows = 0
    for batch in batches:
        rows += batch.rows.num_rows
        if batch.rows.num_rows:
            yield replace(batch, operation=Operation.SNAPSHOT, cursor=None), ()
    if rows == 0 and (empty := make_empty()) is not None:
        yield empty, ()
