"""What sources of files share: their options, what a file is known by, where files lie."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from connectors.options import Options
from connectors.sources.tables import BATCH_ROWS

UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".uploading")


class Format(StrEnum):
    """How rows are written in a file."""

    CSV = "csv"
    EXCEL = "excel"
    PARQUET = "parquet"


class Taking(StrEnum):
    """Which files are read."""

    EACH = "each"  # every file, once, in order; what it holds is added to what came before
    NEWEST = "newest"  # the last file in order, which holds everything there is


class Order(StrEnum):
    """What files are ordered by."""

    NAME = "name"
    TIME = "time"


class FileOptions(Options):
    """Which files are read, and how.

    Files whose names begin with a dot or end like those of unfinished transfers (`.tmp`, `.part`, …) never
    count. With `done_suffix` a file counts when another of its name and that suffix lies beside it.
    Cells of CSV and Excel are read as text, empty ones as null; Parquet keeps its types.
    """

    pattern: str = Field(default="*", description="of the names, as in `licences-*.csv`")
    format: Format | None = Field(default=None, description="from the name's ending where it is not given")
    take: Taking = Taking.EACH
    order: Order = Order.NAME
    done_suffix: str | None = Field(default=None, pattern=r"^\.[A-Za-z0-9_.-]+$")
    operation: Literal["upsert", "delete"] = "upsert"
    key: tuple[str, ...] = Field(default=(), description="the columns that name a row")
    columns: tuple[str, ...] = Field(default=(), description="all of them where none is named")
    encoding: str = Field(default="utf-8", description="of CSV: utf-8, gb18030, …")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    sheet: str | None = Field(default=None, description="of Excel; the first where none is named")
    header_row: int = Field(default=1, ge=1, description="of Excel: the row of the names, counted from 1")
    batch_rows: int = Field(default=BATCH_ROWS, ge=1, le=1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file: its name below the place, a mark that changes when its bytes do, when it was written."""

    name: str
    mark: str
    written_s: float


def has_settled(entry: Entry, options: FileOptions, *, settle_s: float, now_s: float) -> bool:
    """Tell whether the last writing is some time ago; one in the future is of another clock.

    Where a marker file says when a file is whole its time does not matter.
    """
    return options.done_suffix is not None or abs(now_s - entry.written_s) >= settle_s


class Place(Protocol):
    """Where files lie. Methods raise TransientError and TerminalError."""

    def list_files(self) -> Sequence[Entry]:
        """List everything there, unfinished files and marker files too."""

    def is_settled(self, entry: Entry) -> bool:
        """Tell whether nobody is still writing it, as far as can be told from outside."""

    def fetch(self, entry: Entry) -> AbstractContextManager[Path]:
        """Give a local file with the bytes of the entry, until the block ends."""

    def put_away(self, entry: Entry, *, names: Sequence[str]) -> None:
        """Move what was read, and the marker files named, to where it does not count any more."""

    def close(self) -> None:
        """Let go of connections."""
