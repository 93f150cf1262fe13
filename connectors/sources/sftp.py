"""A drop folder on an SFTP server."""

from __future__ import annotations

import posixpath
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from connectors.errors import TransientError
from connectors.sftp import Line, ServerOptions
from connectors.sources.files.feed import FileSource
from connectors.sources.files.model import Entry, FileOptions, has_settled


class SftpOptions(ServerOptions, FileOptions):
    """The options of `kind = "sftp"`: CSV, Excel and Parquet files of a folder, not of folders in it.

    A file counts once nothing has written to it for `settle_s` by the server's times; where its clock is not
    ours, let `done_suffix` say when a file is whole.
    """

    settle_s: float = Field(default=30, ge=0)
    move_to: str | None = Field(default=None, description="a folder of the server for what was read")


class SftpSource(FileSource):
    """Reads the files of a folder, each through a temporary file."""

    options_model = SftpOptions

    def __init__(self, options: SftpOptions) -> None:
        super().__init__(options, SftpPlace(options), puts_away=options.move_to is not None)


class SftpPlace:
    """Files of one folder of a server. `now` tells the time, as the server does."""

    def __init__(self, options: SftpOptions, *, now: Callable[[], float] = time.time) -> None:
        self._options = options
        self._line = Line(options)
        self._now = now

    def list_files(self) -> Sequence[Entry]:
        """List the files."""
        with self._line.used() as sftp:
            found = sftp.listdir_attr(self._options.folder)
        return [_describe(item.filename, item) for item in found if stat.S_ISREG(item.st_mode or 0)]

    def is_settled(self, entry: Entry) -> bool:
        """Tell whether the last writing is some time ago."""
        return has_settled(entry, self._options, settle_s=self._options.settle_s, now_s=self._now())

    @contextmanager
    def fetch(self, entry: Entry) -> Iterator[Path]:
        """Download a file. Raises TransientError where it was changed before it was here."""
        place = posixpath.join(self._options.folder, entry.name)
        with tempfile.TemporaryDirectory(prefix="shuzheng-") as folder:
            path = Path(folder) / entry.name
            with self._line.used() as sftp:
                sftp.get(place, str(path))
                now = _describe(entry.name, sftp.stat(place))
            if now.mark != entry.mark:
                msg = f"{entry.name} was changed while it was read; it is read anew"
                raise TransientError(msg)
            yield path

    def put_away(self, entry: Entry, *, names: Sequence[str]) -> None:
        """Move the file; one of that name that lies there already keeps it."""
        target = str(self._options.move_to)
        with self._line.used() as sftp:
            with suppress(OSError):
                sftp.mkdir(target)
            for name in (entry.name, *names):
                stem, suffix = posixpath.splitext(name)
                place = posixpath.join(target, name)
                if _exists(sftp, place):
                    place = posixpath.join(target, f"{stem}.{entry.mark.replace(':', '-')}{suffix}")
                sftp.rename(posixpath.join(self._options.folder, name), place)

    def close(self) -> None:
        """Hang up."""
        self._line.close()


def _describe(name: str, found: Any) -> Entry:
    return Entry(name=name, mark=f"{found.st_size}:{found.st_mtime}", written_s=float(found.st_mtime or 0))


def _exists(sftp: Any, place: str) -> bool:
    try:
        sftp.stat(place)
    except FileNotFoundError:
        return False
    return True
