"""The object store interface, its directory form, and the choice between the two forms."""

from __future__ import annotations

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
        """Write through a temporary file, fsync, and link it into place, so that the first writer wins."""
        target = self._root / check_key(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".put-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(name, target)
            except FileExistsError:
                if target.read_bytes() != data:
                    msg = f"another object is already stored as {key}"
                    raise Conflict(msg) from None
            finally:
                Path(name).unlink(missing_ok=True)
            _sync_directory(target.parent)
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


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
