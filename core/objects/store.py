"""The object store interface, its directory form, and the choice between the two forms."""

from __future__ import annotations

import errno
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.errors import BadInput, Conflict, NotFound, Unavailable
from core.settings import Settings

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*(/[A-Za-z0-9][A-Za-z0-9._=-]*)*")
MAX_KEY_CHARACTERS = 512
_NO_NAMELESS_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EPERM}
"""What Linux answers to O_TMPFILE, or to linking by /proc, where either is missing."""


class ObjectStore(Protocol):
    """Methods that block: call them off the event loop (`asyncio.to_thread`).

    Keys are `/`-joined parts of ASCII letters, digits, `.`, `_`, `=` and `-`; none begins with a dot. Objects
    are written whole or not at all and are never changed in place.
    """

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`, durable on return. Writing the same bytes again is harmless; other
        bytes under a key in use raise Conflict."""

    def get(self, key: str) -> bytes:
        """Return the bytes under `key`. Raises NotFound."""

    def size(self, key: str) -> int:
        """Return how many bytes are under `key`. Raises NotFound."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes under `key`, at least one, from `start` on. Raises NotFound."""

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under `key`."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List the keys that begin with `prefix`, in order."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none."""


def check_key(key: str) -> str:
    """Return `key` if it may name an object, else raise BadInput."""
    if len(key) > MAX_KEY_CHARACTERS or not _KEY.fullmatch(key):
        msg = "an object key consists of parts of letters, digits, . _ = - joined by /"
        raise BadInput(msg)
    return key


class DirectoryStore:
    """Objects as files below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, key: str, data: bytes) -> None:
        """Write a file without a name, fsync, and link it into place, so that the first writer wins."""
        target = self._root / check_key(key)
        try:
            try:
                _write_new(target, data)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write_new(target, data)
        except FileExistsError:
            if target.read_bytes() != data:
                msg = f"another object is already stored as {key}"
                raise Conflict(msg) from None
        except OSError as trouble:
            msg = "the object store refuses to write; check its disk space and permissions"
            raise Unavailable(msg) from trouble

    def get(self, key: str) -> bytes:
        """Return the bytes under `key`. Raises NotFound."""
        try:
            return (self._root / check_key(key)).read_bytes()
        except FileNotFoundError:
            raise _missing(key) from None
        except OSError as trouble:
            msg = "the object store cannot be read"
            raise Unavailable(msg) from trouble

    def size(self, key: str) -> int:
        """Return how many bytes are under `key`. Raises NotFound."""
        try:
            return (self._root / check_key(key)).stat().st_size
        except FileNotFoundError:
            raise _missing(key) from None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes under `key`, at least one, from `start` on. Raises NotFound."""
        try:
            with (self._root / check_key(key)).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError:
            raise _missing(key) from None
        except OSError as trouble:
            msg = "the object store cannot be read"
            raise Unavailable(msg) from trouble

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under `key`."""
        return (self._root / check_key(key)).is_file()

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List the keys that begin with `prefix`, in order."""
        found = (
            path.relative_to(self._root).as_posix()
            for path in self._root.rglob("*")
            if path.is_file() and not path.name.startswith(".put-")
        )
        yield from sorted(key for key in found if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none."""
        (self._root / check_key(key)).unlink(missing_ok=True)


def _missing(key: str) -> NotFound:
    return NotFound(f"no object is stored as {key}")


def _write_new(target: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole and durable. Raises FileExistsError, FileNotFoundError."""
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        try:
            _link_nameless(folder, target.name, data)
        except OSError as trouble:
            if trouble.errno not in _NO_NAMELESS_FILES:
                raise
            _link_temporary(target, data)
        finally:
            os.fsync(folder)
    finally:
        os.close(folder)


def _link_nameless(folder: int, name: str, data: bytes) -> None:
    """Write by a file that has no name before it is whole: nothing is left behind by a kill -9."""
    if not hasattr(os, "O_TMPFILE"):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    handle = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600, dir_fd=folder)
    with os.fdopen(handle, "wb", buffering=0) as file:
        _write_all(file, data)
        os.link(f"/proc/self/fd/{handle}", name, dst_dir_fd=folder, follow_symlinks=True)


def _link_temporary(target: Path, data: bytes) -> None:
    """Write by a temporary name, where files without one are unknown: macOS, some network file systems."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".put-")
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            _write_all(file, data)
        os.link(name, target)
    finally:
        Path(name).unlink(missing_ok=True)


def _write_all(file: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def open_object_store(settings: Settings) -> ObjectStore:
    """Open the store that the settings name. Raises BadInput for settings that do not fit together."""
    place = settings.object_store
    if place is not None and place.startswith("s3://"):
        from core.objects.s3 import open_s3_store  # noqa: PLC0415 - the SDK loads slowly

        return open_s3_store(place, settings)
    if place is not None and "://" in place:
        msg = "SHUZHENG_OBJECT_STORE must be s3://bucket[/prefix] or a directory"
        raise BadInput(msg)
    return DirectoryStore(directory_of(settings))


def directory_of(settings: Settings) -> Path:
    """Return the directory that a directory store of these settings lies in."""
    return settings.home / "objects" if settings.object_store is None else Path(settings.object_store)
