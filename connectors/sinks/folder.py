"""Files in a folder, Parquet or CSV, each with its manifest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from connectors.errors import TransientError
from connectors.sinks.files import FileSink, FileSinkOptions


class FolderSinkOptions(FileSinkOptions):
    """The options of `kind = "folder"`."""

    folder: Path


class FolderSink(FileSink):
    """Writes beside, waits for the disk, then renames: no reader meets half a file."""

    options_model = FolderSinkOptions

    def __init__(self, options: FolderSinkOptions) -> None:
        super().__init__(options)
        self._folder = options.folder

    def load(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as trouble:
            raise _translate(self._folder, trouble) from trouble

    def store(self, name: str, path: Path) -> None:
        """Store a file."""
        beside = self._folder / f".{name}.tmp"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, beside.open("wb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            beside.replace(self._folder / name)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as trouble:
            raise _translate(self._folder, trouble) from trouble


def _translate(folder: Path, trouble: OSError) -> TransientError:
    return TransientError(f"the folder {folder} cannot be written ({trouble.strerror})")
