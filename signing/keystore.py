"""A directory of encrypted private keys under one master key.

Layout: `<name>/<version>.p8` is PKCS#8 (PBES2, SM4-CBC, PBKDF2-HMAC-SM3) whose password is the
hexadecimal HMAC-SM3 of the text `shuzheng key <name>.<version>` under the master key: a file moved to
another key's place does not open, and whoever holds the master key can open any file with standard
tools. `<name>/current` holds the version in use. `.master` lets a wrong master key be told at once.

Files have mode 0600 and directories 0700; every write is to a new file that is flushed and then linked
or renamed into place, so a crash leaves the old state or the new one. Processes may share a directory:
of two that create the same key at once, one wins and both get its key; rotations wait for each other.

An identifier `<name>.<version>` names one key for ever; a bare name means the version in use.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signing import sm3
from signing.errors import DecodeError, KeyUnusable, SigningError
from signing.master_key import MASTER_KEY_BYTES, create_master_key, load_master_key
from signing.pkcs8 import Protection
from signing.sm2 import PrivateKey, PublicKey

__all__ = ("KeyStore", "StoredKey", "create_master_key", "load_master_key")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_KEY_ID: Final = re.compile(rf"({_NAME.pattern})\.([1-9][0-9]{{0,8}})")
_KEY_FILE: Final = re.compile(r"([1-9][0-9]{0,8})\.p8")
_POINTER: Final = "current"
_MASTER_CHECK: Final = ".master"
_MAX_FILE_BYTES: Final = 64 * 1024
_ITERATIONS: Final = 2048  # the password has 256 bits of its own; stretching adds nothing to it


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoredKey:
    """A key out of the store; a `signing.signer.Signer`. Its private half cannot be taken out here."""

    key_id: str
    _key: PrivateKey

    def __repr__(self) -> str:
        return f"<StoredKey {self.key_id}>"

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._key.public_key

    def sign(self, message: bytes) -> bytes:
        """Sign with the default distinguishing identifier: DER `SEQUENCE { r, s }`."""
        return self._key.sign(message)

    def sign_many(self, messages: Iterable[bytes]) -> list[bytes]:
        """Sign each message, in order."""
        return self._key.sign_many(messages)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Open a DER SM2Cipher; raise DecryptionFailed."""
        return self._key.decrypt(ciphertext)


class KeyStore:
    """The keys of one directory. Instances hold no state but the master key; threads may share one."""

    __slots__ = ("_directory", "_master_key")

    def __init__(self, directory: Path, master_key: bytes) -> None:
        """Open or begin a store; raise KeyUnusable when it belongs to another master key."""
        if len(master_key) != MASTER_KEY_BYTES:
            message = f"a master key has {MASTER_KEY_BYTES} octets"
            raise KeyUnusable(message)
        self._directory = Path(directory)
        self._master_key = bytes(master_key)
        with _storage_errors():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_own_directory(self._directory)
            self._check_master_key()

    def __repr__(self) -> str:
        return "<KeyStore>"

    def __reduce__(self) -> str:
        message = "a key store cannot be pickled; open it again"
        raise TypeError(message)

    def create(self, name: str) -> StoredKey:
        """Return the current key `name`, making it first if there is none."""
        folder = self._folder(name)
        with _storage_errors():
            if not _versions(folder):
                self._add(name, 1, PrivateKey.generate())
        return self.load(name)

    def add(self, name: str, key: PrivateKey) -> StoredKey:
        """Take in a key made elsewhere as version 1 of `name`; raise KeyUnusable if the name is taken."""
        self._folder(name)
        with _storage_errors():
            if not self._add(name, 1, key):
                message = f"the key store already has a key named {name}"
                raise KeyUnusable(message)
        return self.load(f"{name}.1")

    def load(self, name: str) -> StoredKey:
        """Return a key by name (the version in use) or by identifier `<name>.<version>`."""
        base, version = self._resolve(name)
        with _storage_errors():
            return StoredKey(key_id=f"{base}.{version}", _key=self._read(base, version))

    def export(self, name: str, password: bytes, protection: Protection | None = None) -> bytes:
        """Return a key as PKCS#8 encrypted with `password`, for backup or another system."""
        base, version = self._resolve(name)
        with _storage_errors():
            return self._read(base, version).to_pkcs8(password, protection=protection)

    def rotate(self, name: str, *, activate: bool = True) -> StoredKey:
        """Make the next version of `name`; old ones stay readable by identifier.

        With `activate=False` the version in use stays: fetch a certificate for the new key first, then
        `activate` it. Rotations of several processes wait for each other: each makes a version of its own,
        and the last one activated is the one in use.
        """
        folder = self._folder(name)
        with _storage_errors(), _lock(folder):
            versions = _versions(folder)
            if not versions:
                raise _unknown(name)
            version = versions[-1] + 1
            self._add(name, version, PrivateKey.generate())
            if activate:
                _replace(folder / _POINTER, f"{version}\n".encode())
        return self.load(f"{name}.{version}")

    def activate(self, key_id: str) -> None:
        """Make an existing version the one in use."""
        name, version = self._resolve(key_id)
        folder = self._folder(name)
        with _storage_errors(), _lock(folder):
            if version not in _versions(folder):
                raise _unknown(key_id)
            _replace(folder / _POINTER, f"{version}\n".encode())

    def destroy(self, name: str) -> bool:
        """Remove every version of a key for good; False where there is none. Nothing brings it back."""
        folder = self._folder(name)
        with _storage_errors():
            versions = _versions(folder)
            if not versions:
                return False
            with _lock(folder):
                for version in versions:
                    (folder / f"{version}.p8").unlink(missing_ok=True)
                (folder / _POINTER).unlink(missing_ok=True)
                _sync_directory(folder)
        return True

    def names(self) -> tuple[str, ...]:
        """List the names in the store, sorted."""
        with _storage_errors():
            found = [entry for entry in self._directory.iterdir() if _NAME.fullmatch(entry.name)]
            return tuple(sorted(entry.name for entry in found if _versions(entry)))

    def key_ids(self, name: str) -> tuple[str, ...]:
        """List the identifiers of all versions of `name`, oldest first."""
        with _storage_errors():
            return tuple(f"{name}.{version}" for version in _versions(self._folder(name)))

    def current_id(self, name: str) -> str:
        """Return the identifier of the version in use."""
        base, version = self._resolve(name)
        return f"{base}.{version}"

    def rewrap(self, directory: Path, master_key: bytes) -> KeyStore:
        """Copy every key into another, empty directory under another master key and return that store."""
        target = KeyStore(directory, master_key)
        if target.names():
            message = "keys are copied into an empty key store only"
            raise KeyUnusable(message)
        for name in self.names():
            for key_id in self.key_ids(name):
                _, version = self._resolve(key_id)
                target._add(name, version, self._read(name, version))
            target.activate(self.current_id(name))
        return target

    # ------------------------------------------------------------------------------------ inside

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            message = "a key's name has 1 to 64 letters, digits, hyphens or underscores"
            raise KeyUnusable(message)
        return self._directory / name

    def _resolve(self, name: str) -> tuple[str, int]:
        match = _KEY_ID.fullmatch(name)
        if match:
            return match[1], int(match[2])
        folder = self._folder(name)
        with _storage_errors():
            try:
                pointed = _read(folder / _POINTER).strip()
            except FileNotFoundError:
                pointed = None
            versions = _versions(folder)  # looked at after the pointer: what it points to was there before
        if not versions:
            raise _unknown(name)
        if pointed is None:
            return name, versions[0]  # a crash between the key and its pointer
        if not pointed.isdigit() or int(pointed) not in versions:
            message = f"the key store does not say which version of {name} is in use"
            raise KeyUnusable(message)
        return name, int(pointed)

    def _password(self, key_id: str) -> bytes:
        return sm3.hmac(self._master_key, b"shuzheng key " + key_id.encode()).hex().encode()

    def _add(self, name: str, version: int, key: PrivateKey) -> bool:
        """Write one version; False if another process was first."""
        folder = self._folder(name)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(self._directory)
        octets = key.to_pkcs8(
            self._password(f"{name}.{version}"), protection=Protection(iterations=_ITERATIONS)
        )
        added = _create(folder / f"{version}.p8", octets)
        if version == 1:
            _create(folder / _POINTER, b"1\n")
        return added

    def _read(self, name: str, version: int) -> PrivateKey:
        key_id = f"{name}.{version}"
        try:
            octets = _read(self._folder(name) / f"{version}.p8")
        except FileNotFoundError:
            raise _unknown(key_id) from None
        try:
            return PrivateKey.from_pkcs8(octets, self._password(key_id))
        except (DecodeError, KeyUnusable):
            message = f"the file of key {key_id} was altered or belongs to another key"
            raise KeyUnusable(message) from None

    def _check_master_key(self) -> None:
        path = self._directory / _MASTER_CHECK
        expected = sm3.hmac(self._master_key, b"shuzheng key store").hex().encode()
        if not path.exists():
            _create(path, expected)
        if not hmac.compare_digest(_read(path).strip(), expected):
            message = "the key store belongs to another master key than the one given"
            raise KeyUnusable(message)


def _unknown(name: str) -> KeyUnusable:
    return KeyUnusable(f"the key store has no key {name}")


class _storage_errors:  # noqa: N801 - used as a statement
    """Turn what the file system refuses into one of our errors, without its paths."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            reason = os.strerror(error.errno) if error.errno else "input or output failed"
            message = f"the key store cannot be read or written: {reason}"
            raise SigningError(message) from None


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from changing which version of a key is in use."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _unknown(folder.name) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _require_own_directory(directory: Path) -> None:
    if stat.S_IMODE(directory.stat().st_mode) & 0o022:
        message = "the key store's directory may be written by others; give it mode 0700"
        raise KeyUnusable(message)


def _versions(folder: Path) -> list[int]:
    try:
        matches = [_KEY_FILE.fullmatch(entry.name) for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(match[1]) for match in matches if match)


def _read(path: Path) -> bytes:
    """Read a small file of mode 0600 that is no symbolic link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            message = "a file of the key store may be read or written by others; give it mode 0600"
            raise KeyUnusable(message)
        return file.read(_MAX_FILE_BYTES)


def _write_beside(path: Path, octets: bytes) -> Path:
    """Write a new file of mode 0600 beside `path`, flushed to disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(descriptor)
    return temporary


def _create(path: Path, octets: bytes) -> bool:
    """Put a new file in place whole; False, and nothing changed, if there is one already."""
    temporary = _write_beside(path, octets)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    _sync_directory(path.parent)
    return True


def _replace(path: Path, octets: bytes) -> None:
    os.replace(_write_beside(path, octets), path)  # noqa: PTH105
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
