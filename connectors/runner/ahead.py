"""A source that is read one batch ahead: it fetches the next while the last is mapped and written."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar, TypeVar

import pyarrow as pa

from connectors.model import Batch, Cursor, SourceCapabilities
from connectors.options import Options
from connectors.protocols import Source

Made = TypeVar("Made")


class SourceAhead:
    """Does with a source what it is asked to, always in one thread, which also makes and closes it.

    That thread holds one batch beyond those that were asked for.
    """

    options_model: ClassVar[type[Options]] = Options

    def __init__(self, make: Callable[[], Source]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="source")
        try:
            self._source = self._do(make)
        except BaseException:
            self._pool.shutdown()
            raise

    @property
    def capabilities(self) -> SourceCapabilities:
        """What the source can do."""
        return self._do(lambda: self._source.capabilities)

    def fetch_schema(self) -> pa.Schema:
        """Return the columns that the source yields."""
        return self._do(self._source.fetch_schema)

    def read(self, cursor: Cursor | None) -> Generator[Batch, None, None]:
        """Yield what the source does, one behind it. Close what this returns before the source."""
        batches = self._do(lambda: iter(self._source.read(cursor)))

        def fetch() -> Batch | None:
            return next(batches, None)

        coming: Future[Batch | None] = self._pool.submit(fetch)
        try:
            while (batch := coming.result()) is not None:
                coming = self._pool.submit(fetch)
                yield batch
        finally:
            coming.cancel()
            if isinstance(batches, Generator):
                self._do(batches.close)

    def acknowledge(self, cursor: Cursor) -> None:
        """Let the source learn what has reached the sink."""
        self._do(lambda: self._source.acknowledge(cursor))

    def close(self) -> None:
        """Close the source, and end its thread."""
        try:
            self._do(self._source.close)
        finally:
            self._pool.shutdown()

    def _do(self, act: Callable[[], Made]) -> Made:
        return self._pool.submit(act).result()
