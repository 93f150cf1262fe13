"""The runner: reading in this thread, delivery in another, the spool between them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from connectors.config import Config, FullReading
from connectors.errors import ConnectorError, TerminalError, TransientError, describe_fault
from connectors.mapping.apply import Mapper, load_mapper
from connectors.model import Batch, Cursor, Operation, Parcel, Reading, SourceCapabilities
from connectors.protocols import Source
from connectors.runner import mapped, store
from connectors.runner.ahead import SourceAhead
from connectors.runner.cutter import CutRules, Cutter
from connectors.runner.deliver import Deliverer
from connectors.runner.diff import Differ
from connectors.runner.lock import locked
from connectors.runner.patience import Patience
from connectors.runner.report import Report
from connectors.runner.schedule import Schedule
from connectors.runner.spool import clean_spool
from connectors.runner.steps import require_fit, shape_full

FULL_SPOOL_POLL_S: Final = 0.1
REMEMBERED_ROWS: Final = 500_000  # of a parcel, where the key of each is held in memory until it is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended: rows read by it, and parcels that still wait for the sink; parked ones do not."""

    rows_read: int
    waiting: int

    @property
    def is_delivered(self) -> bool:
        """Tell whether everything that was read has its answer."""
        return self.waiting == 0


class Runner:
    """Runs one connector. Only one at a time for one state, whatever process it is in.

    `stop` may be set at any moment; what was begun is finished or taken up again by the next run.
    """

    def __init__(self, config: Config, *, report: Report, stop: threading.Event | None = None) -> None:
        self._config = config
        self._report = report
        self._stop = stop or threading.Event()
        self._acknowledged: Cursor | None = None
        self._is_unheard = False  # the source could not be told what has reached the sink
        self._mapper: Mapper | None = load_mapper(config.mapping)

    def run_once(self) -> Outcome:
        """Read what there is and deliver it, or leave it in the spool where the sink is away too long.

        Raises ConnectorError for what waiting does not mend, and where the source is away too long.
        """
        patience_s = self._config.run.patience_s
        with self._opened(patience_s=patience_s) as (connection, deliverer):
            rows = self._read_patiently(connection, deliverer, self._patience(patience_s))
        return self._tell_end("stopped", rows)

    def run_scheduled(self, schedule: Schedule) -> None:
        """Read again and again until stopped; the sink is waited for for ever. Raises ConnectorError."""
        with self._opened(patience_s=None) as (connection, deliverer):
            tell_left_s = schedule.await_next(started_s=time.monotonic())
            if schedule.starts_at_once:
                tell_left_s = float
            while True:
                self._pause(connection, deliverer, tell_left_s)
                if self._stop.is_set():
                    break
                started_s = time.monotonic()
                rows = self._read_patiently(connection, deliverer, self._patience(None))
                self._tell_end("caught_up", rows)
                tell_left_s = schedule.await_next(started_s=started_s)
        self._report("stopped", {"waiting": self._count_waiting()})

    def _tell_end(self, event: str, rows: int) -> Outcome:
        """Tell that a read is over, and whether it ended well: nothing is left to be done."""
        outcome = Outcome(rows_read=rows, waiting=self._count_waiting())
        ended_well = outcome.is_delivered and not self._is_unheard and not self._stop.is_set()
        fields = {"rows_read": rows, "waiting": outcome.waiting, "ended_well": ended_well}
        self._report(event, fields)
        return outcome

    def _patience(self, total_s: float | None) -> Patience:
        return Patience(stop=self._stop, max_wait_s=self._config.run.max_wait_s, total_s=total_s)

    @contextmanager
    def _opened(self, *, patience_s: float | None) -> Iterator[tuple[sqlite3.Connection, Deliverer]]:
        """Hold the lock and the state; deliver meanwhile, and at the end until nothing waits."""
        state = self._config.state
        with locked(state), closing(store.open_state(state)) as connection:
            store.drop_held(connection)
            clean_spool(state / "spool", needed=store.load_files(connection))
            self._enter_mapping(connection)
            deliverer = Deliverer(
                name=self._config.name,
                folder=state,
                make_sink=self._config.make_sink,
                patience=self._patience(patience_s),
                report=self._report,
            )
            thread = threading.Thread(target=deliverer.run, name="deliverer", daemon=True)
            thread.start()
            is_begun = store.load_cursor(connection) is not None
            self._report("started", {"cursor": is_begun, "mapping": self._mapping_version})
            try:
                yield connection, deliverer
            finally:
                deliverer.finish.set()
                thread.join()
                self._acknowledge_late(connection)
            if deliverer.error is not None:
                raise deliverer.error

    @property
    def _mapping_version(self) -> int | None:
        return None if self._mapper is None else self._mapper.document.version

    def _enter_mapping(self, connection: sqlite3.Connection) -> None:
        """Note the mapping, and tell where it is not that of the run before."""
        number = store.load_next_number(connection)
        change = mapped.enter_mapping(connection, self._mapper, next_parcel=number)
        if change is not None:
            said = "; raise mapping.version, which stayed" if not change.is_raised else ""
            reason = f"rows from parcel {number} on are mapped anew, those sent before stay as they are{said}"
            fields = {"before": change.before, "mapping": change.after, "parcel": number, "reason": reason}
            self._report("mapping_changed", fields)

    def _save_counts(self, connection: sqlite3.Connection) -> None:
        """Keep and tell how the values of a read fitted the mapping."""
        if self._mapper is None:
            return
        counts = self._mapper.take_counts()
        if any(count.values for count in counts.values()):
            mapped.save_counts(connection, counts)
            fields = {"mapping": self._mapping_version, "columns": mapped.tell_counts(counts)}
            self._report("mapped", fields)

    def _read_patiently(
        self, connection: sqlite3.Connection, deliverer: Deliverer, patience: Patience
    ) -> int:
        """Read until the source has no more; a source that is away is opened anew."""
        while True:
            try:
                with closing(SourceAhead(self._config.make_source)) as source:
                    return self._read(connection, deliverer, source)
            except ConnectorError as trouble:
                store.drop_held(connection)
                if not trouble.is_transient:
                    self._tell_failed(str(trouble))
                    raise
                wait_s = patience.next_wait_s()
                self._report("waiting", {"where": "source", "wait_s": wait_s, "reason": str(trouble)})
                if wait_s is None:
                    raise
                if not patience.wait(wait_s):
                    return 0
            except sqlite3.Error as trouble:
                self._tell_failed(f"SQLite failed with {type(trouble).__name__}")
                raise
            except Exception as fault:
                raise self._tell_fault(fault, part="source or mapping") from fault
            finally:
                self._save_counts(connection)

    def _tell_failed(self, reason: str) -> None:
        self._report("failed", {"where": "source", "reason": reason})

    def _tell_fault(self, fault: Exception, *, part: str) -> TerminalError:
        described = describe_fault(fault, part=part)
        self._tell_failed(str(described))
        return described

    def _read(self, connection: sqlite3.Connection, deliverer: Deliverer, source: SourceAhead) -> int:
        capabilities = source.capabilities
        require_fit(self._config, capabilities, self._key(capabilities))
        cutter = self._make_cutter(connection, capabilities)
        rows = 0
        try:
            with closing(source.read(store.load_cursor(connection))) as batches:
                for batch, digests in self._shape(connection, source, self._map(batches)):
                    if not self._make_room(connection, deliverer, cutter, batch):
                        cutter.drop()
                        return rows
                    cutter.add(batch, digests)
                    rows += batch.rows.num_rows
                    self._report("read", {"rows": batch.rows.num_rows})
                    self._acknowledge(connection, source)
            cutter.finish()
        except ConnectorError:
            cutter.keep()
            raise
        except BaseException:
            cutter.drop()
            raise
        return rows

    def _make_cutter(self, connection: sqlite3.Connection, capabilities: SourceCapabilities) -> Cutter:
        run = self._config.run
        remembers = capabilities.repeats or (
            capabilities.reading is Reading.FULL and run.full_reading is FullReading.DIFF
        )
        rules = CutRules(
            connector=self._config.name,
            epoch=store.load_epoch(connection),
            folder=self._config.state / "spool",
            rows=min(run.parcel_rows, REMEMBERED_ROWS) if remembers else run.parcel_rows,
            size_bytes=run.parcel_bytes,
            unique_by=self._key(capabilities) if capabilities.repeats else (),
            needs_cursor=capabilities.reading is Reading.INCREMENTAL,
        )

        def tell(parcel: Parcel) -> None:
            fields = {"parcel": parcel.number, "rows": parcel.rows, "bytes": parcel.size_bytes}
            self._report("spooled", fields | {"mapping": self._mapping_version})

        return Cutter(connection, rules, tell)

    def _key(self, capabilities: SourceCapabilities) -> tuple[str, ...]:
        """The columns that name a row, under their names after mapping."""
        if self._config.run.key or self._mapper is None:
            return self._config.run.key or capabilities.key
        return self._mapper.rename(capabilities.key)

    def _map(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        return batches if self._mapper is None else map(self._mapper.apply, batches)

    def _shape(
        self, connection: sqlite3.Connection, source: Source, batches: Iterator[Batch]
    ) -> Iterator[tuple[Batch, Any]]:
        """Say what is done with each batch, and what is to be known of it later."""
        full = self._config.run.full_reading
        if source.capabilities.reading is Reading.INCREMENTAL or full is FullReading.UPSERT:
            return ((batch, ()) for batch in batches)
        if full is FullReading.SNAPSHOT:
            return shape_full(batches, lambda: self._make_empty(source))
        differ = Differ(connection, self._key(source.capabilities), self._config.run.max_deleted_share)
        return self._differ(differ, source, batches)

    def _make_empty(self, source: Source) -> Batch | None:
        """Make the snapshot of a source without a row; None, and say so, where it is not permitted."""
        if not self._config.run.allow_empty_snapshot:
            reason = (
                "the source has no row; its snapshot would delete all: set run.allow_empty_snapshot for it"
            )
            self._report("empty", {"reason": reason})
            return None
        schema = source.fetch_schema()
        if self._mapper is not None:
            schema = self._mapper.map_schema(schema)
        return Batch(rows=pa.RecordBatch.from_pylist([], schema=schema), operation=Operation.SNAPSHOT)

    def _differ(
        self, differ: Differ, source: Source, batches: Iterator[Batch]
    ) -> Iterator[tuple[Batch, Any]]:
        differ.begin()
        for batch in batches:
            yield differ.compare(batch)
        schema = source.fetch_schema()
        yield from differ.find_deleted(schema if self._mapper is None else self._mapper.map_schema(schema))
        if differ.respelt:
            yield from map(differ.take_again, self._map(source.read(None)))

    def _make_room(
        self, connection: sqlite3.Connection, deliverer: Deliverer, cutter: Cutter, batch: Batch
    ) -> bool:
        """Wait while the spool is too full for a batch; tell whether to go on.

        Raises TransientError where it stays full, and TerminalError where it is full of parcels that wait for
        a cursor of the source, as none of them can be delivered.
        """
        told, limit = False, self._config.run.spool_bytes
        while not self._stop.is_set() and deliverer.error is None:
            waiting, held = store.load_spooled_bytes(connection)
            if waiting + held < limit:
                return True
            if waiting == 0 and not cutter.release():
                if batch.cursor is not None:
                    return True
                raise _no_cursor(held, limit)
            if deliverer.has_given_up:
                msg = "the spool is full and the sink is away"
                raise TransientError(msg)
            if not told:
                self._report("waiting", {"where": "spool", "reason": "the spool is full"})
            told = True
            time.sleep(FULL_SPOOL_POLL_S)
        return False

    def _pause(
        self, connection: sqlite3.Connection, deliverer: Deliverer, tell_left_s: Callable[[], float]
    ) -> None:
        """Wait until it is time, or until stopped or failed, and acknowledge what has arrived meanwhile."""
        while not self._stop.is_set() and deliverer.error is None and (left_s := tell_left_s()) > 0:
            self._acknowledge_late(connection)
            self._stop.wait(min(1.0, left_s))
        if deliverer.error is not None:
            self._stop.set()

    def _acknowledge_late(self, connection: sqlite3.Connection) -> None:
        """Acknowledge while no source is open. A source that is away learns it at the next occasion."""
        cursor = store.load_written_cursor(connection)
        if cursor is None or cursor == self._acknowledged:
            return
        try:
            with closing(self._config.make_source()) as source:
                self._acknowledge(connection, source)
        except ConnectorError as trouble:
            self._is_unheard = True
            self._report("waiting", {"where": "source", "reason": str(trouble)})
        except Exception as fault:
            raise self._tell_fault(fault, part="source") from fault

    def _acknowledge(self, connection: sqlite3.Connection, source: Source) -> None:
        if source.capabilities.acknowledges:
            cursor = store.load_written_cursor(connection)
            if cursor is not None and cursor != self._acknowledged:
                source.acknowledge(cursor)
                self._acknowledged = cursor
        self._is_unheard = False

    def _count_waiting(self) -> int:
        connection = store.open_state(self._config.state)
        try:
            return store.count_waiting(connection)
        finally:
            connection.close()


def _no_cursor(held_bytes: int, limit_bytes: int) -> TerminalError:
    return TerminalError(
        f"{held_bytes} bytes were read without a cursor of the source, before which nothing is delivered, "
        f"and run.spool_bytes ({limit_bytes}) allows no more: set run.spool_bytes higher than all that "
        "the source yields up to a cursor (in a first read that may be everything)"
    )
