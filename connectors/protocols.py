"""What a source and a sink are, and base classes that give the parts that most do not need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Protocol

import pyarrow as pa

from connectors.model import Batch, Cursor, Parcel, Receipt, SinkCapabilities, SourceCapabilities
from connectors.options import Options


class Source(Protocol):
    """Where rows come from. Made with one argument, a value of `options_model`; it connects to nothing yet.

    Methods raise TransientError where waiting may help (a connection that broke) and TerminalError where it
    cannot (a table that is not there). After a TransientError the runner closes the source, makes a new one
    and reads again from the last cursor that it kept. One thread at a time uses it.
    """

    options_model: ClassVar[type[Options]]

    @property
    def capabilities(self) -> SourceCapabilities:
        """What this source can do, with its options."""

    def fetch_schema(self) -> pa.Schema:
        """Return the columns that `read` yields."""

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Yield what there is after the cursor, and end when there is no more for now.

        Memory stays bounded: batches of some thousand rows, fetched as they are asked for. Reading twice
        from one cursor yields the same rows where nothing changed between.
        """

    def acknowledge(self, cursor: Cursor) -> None:
        """Learn that everything up to the cursor has reached the sink (move a file, let a log be trimmed).

        It may be told the same twice.
        """

    def close(self) -> None:
        """Let go of connections and files. It may be called twice."""


class Sink(Protocol):
    """Where parcels go. Made with one argument, a value of `options_model`; it connects to nothing yet."""

    options_model: ClassVar[type[Options]]

    @property
    def capabilities(self) -> SinkCapabilities:
        """What this sink can do, with its options."""

    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel whole or not at all, and answer for every row of it.

        The runner writes a parcel again when it did not learn the answer: a parcel of a key that was
        written already gets the first answer and changes nothing. Raises TransientError, TerminalError,
        HubError.
        """

    def close(self) -> None:
        """Let go of connections and files. It may be called twice."""


class BaseSource(ABC):
    """A source with nothing to acknowledge and nothing to close."""

    options_model: ClassVar[type[Options]] = Options

    @property
    @abstractmethod
    def capabilities(self) -> SourceCapabilities:
        """What this source can do, with its options."""

    @abstractmethod
    def fetch_schema(self) -> pa.Schema:
        """Return the columns that `read` yields."""

    @abstractmethod
    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Yield what there is after the cursor."""

    def acknowledge(self, cursor: Cursor) -> None:  # noqa: B027 - most sources have nothing to do
        """Learn that everything up to the cursor has reached the sink."""

    def close(self) -> None:  # noqa: B027
        """Let go of connections and files."""


class BaseSink(ABC):
    """A sink with nothing to close."""

    options_model: ClassVar[type[Options]] = Options

    @property
    @abstractmethod
    def capabilities(self) -> SinkCapabilities:
        """What this sink can do, with its options."""

    @abstractmethod
    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel whole or not at all."""

    def close(self) -> None:  # noqa: B027
        """Let go of connections and files."""
