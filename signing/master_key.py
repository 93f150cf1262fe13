"""The master key: 32 octets that everything else at rest depends on.

It comes from the environment (`SHUZHENG_MASTER_KEY`) or from a file with mode 0600, written as 64
hexadecimal digits or as base64. Nothing here repeats what was written when it is wrong.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signing.errors import KeyUnusable

MASTER_KEY_VARIABLE: Final = "SHUZHENG_MASTER_KEY"
MASTER_KEY_BYTES: Final = 32
_MAX_FILE_BYTES: Final = 4096


def load_master_key(env: Mapping[str, str] = os.environ, path: Path | None = None) -> bytes:
    """Return the master key from the environment, else from the file at `path`.

    Raises KeyUnusable when neither is there, when the text is not 32 octets in hexadecimal or base64, or
    when the file may be read by anyone but its owner.
    """
    text = env.get(MASTER_KEY_VARIABLE, "").strip()
    if text:
        return parse_master_key(text)
    if path is None:
        message = f"no master key: set {MASTER_KEY_VARIABLE} or name a file of mode 0600"
        raise KeyUnusable(message)
    return parse_master_key(_read_private_file(path))


def parse_master_key(text: str) -> bytes:
    """Read 64 hexadecimal digits, or base64 of 32 octets; raise KeyUnusable without repeating the text."""
    compact = "".join(text.split())
    try:
        key = bytes.fromhex(compact) if len(compact) == 2 * MASTER_KEY_BYTES else _decode_base64(compact)
    except ValueError:
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        message = "the master key must be 32 octets, as 64 hexadecimal digits or in base64"
        raise KeyUnusable(message)
    return key


def create_master_key(path: Path) -> bytes:
    """Write a new random master key into a new file of mode 0600 and return it.

    If the file is there already its key is returned, so two processes that begin together agree.
    """
    text = secrets.token_hex(MASTER_KEY_BYTES)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    except OSError as error:
        raise _unreadable(error, action="written") from None
    return parse_master_key(_read_private_file(path))


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _read_private_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            octets = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise _unreadable(error, action="read") from None
    if mode & 0o077:
        message = f"the master key file has mode {mode:04o}; take it away from others with mode 0600"
        raise KeyUnusable(message)
    return octets.decode("ascii", errors="replace")


def _unreadable(error: OSError, *, action: str) -> KeyUnusable:
    reason = os.strerror(error.errno) if error.errno else "input or output failed"
    return KeyUnusable(f"the master key file cannot be {action}: {reason}")
