"""Files in a folder of an SFTP server, Parquet or CSV, each with its manifest."""

from __future__ import annotations

import posixpath
from contextlib import suppress
from pathlib import Path

from connectors.sftp import Line, ServerOptions
from connectors.sinks.files import FileSink, FileSinkOptions


class SftpSinkOptions(ServerOptions, FileSinkOptions):
    """The options of `kind = "sftp"`."""


class SftpSink(FileSink):
    """Sends beside, compares the size, then renames: no reader meets half a file."""

    options_model = SftpSinkOptions

    def __init__(self, options: SftpSinkOptions) -> None:
        super().__init__(options)
        self._folder = options.folder
        self._line = Line(options)

    def load(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        with self._line.used() as sftp:
            try:
                with sftp.open(posixpath.join(self._folder, name), "rb") as opened:
                    return bytes(opened.read())
            except FileNotFoundError:
                return None

    def store(self, name: str, path: Path) -> None:
        """Store a file, in a folder that is made where it is missing."""
        beside = posixpath.join(self._folder, f".{name}.tmp")
        with self._line.used() as sftp:
            with suppress(OSError):
                sftp.mkdir(self._folder)
            sftp.put(str(path), beside, confirm=True)
            sftp.posix_rename(beside, posixpath.join(self._folder, name))

    def close(self) -> None:
        """Hang up."""
        self._line.close()
