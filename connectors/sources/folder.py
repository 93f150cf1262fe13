"""A folder that files come into: exports of a department's system, a drop folder of SFTP."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from connectors.errors import TerminalError, TransientError
from connectors.sources.files.feed import FileSource
from connectors.sources.files.model import Entry, FileOptions, has_settled


class FolderOptions(FileOptions):
    """The options of `kind = "folder"`: CSV, Excel and Parquet files of a folder, not of folders in it.

    A file counts once nothing has written to it for `settle_s`, unless `done_suffix` says when it is whole.
    """

    folder: Path
    settle_s: float = Field(default=5, ge=0)
    move_to: Path | None = Field(default=None, description="a folder of the same disk for what was read")


class FolderSource(FileSource):
    """Reads the files of a folder."""

    options_model = FolderOptions

    def __init__(self, options: FolderOptions) -> None:
        super().__init__(options, FolderPlace(options), puts_away=options.move_to is not None)


class FolderPlace:
    """Files of one folder. `now` tells the time, as the file system does."""

    def __init__(self, options: FolderOptions, *, now: Callable[[], float] = time.time) -> None:
        self._options = options
        self._now = now

    def list_files(self) -> Sequence[Entry]:
        """List the files."""
        try:
            with os.scandir(self._options.folder) as found:
                return [_describe(entry.name, entry.stat()) for entry in found if entry.is_file()]
        except FileNotFoundError as trouble:
            msg = f"there is no folder {self._options.folder}"
            raise TerminalError(msg) from trouble
        except OSError as trouble:
            msg = f"the folder {self._options.folder} cannot be read ({trouble.strerror})"
            raise TransientError(msg) from trouble

    def is_settled(self, entry: Entry) -> bool:
        """Tell whether the last writing is some time ago."""
        return has_settled(entry, self._options, settle_s=self._options.settle_s, now_s=self._now())

    @contextmanager
    def fetch(self, entry: Entry) -> Iterator[Path]:
        """Give the file itself. Raises TransientError where it was changed before the block ended."""
        path = self._options.folder / entry.name
        self._require_same(path, entry)
        yield path
        self._require_same(path, entry)

    def put_away(self, entry: Entry, *, names: Sequence[str]) -> None:
        """Move the file; one of that name that lies there already keeps it."""
        target = self._options.move_to
        assert target is not None
        try:
            target.mkdir(parents=True, exist_ok=True)
            for name in (entry.name, *names):
                place = target / name
                if place.exists():
                    place = target / f"{place.stem}.{entry.mark.replace(':', '-')}{place.suffix}"
                (self._options.folder / name).rename(place)
        except OSError as trouble:
            msg = f"{entry.name} cannot be moved to {target} ({trouble.strerror})"
            raise TransientError(msg) from trouble

    def close(self) -> None:
        """Nothing is held."""

    def _require_same(self, path: Path, entry: Entry) -> None:
        try:
            now = _describe(entry.name, path.stat())
        except OSError as trouble:
            msg = f"{entry.name} cannot be read ({trouble.strerror})"
            raise TransientError(msg) from trouble
        if now.mark != entry.mark:
            msg = f"{entry.name} was changed while it was read; it is read anew"
            raise TransientError(msg)


def _describe(name: str, found: os.stat_result) -> Entry:
    """Describe a file. A sender can set its time back, as `scp -p` does, but not that of its inode."""
    return Entry(
        name=name, mark=f"{found.st_size}:{found.st_mtime_ns}", written_s=max(found.st_mtime, found.st_ctime)
    )
