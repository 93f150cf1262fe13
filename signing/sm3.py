"""SM3 and HMAC-SM3.

Source: GB/T 32905-2016 (SM3), GB/T 15852.2 and RFC 2104 (HMAC). The work is done by `cryptography`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as _hmac

DIGEST_BYTES: Final = 32
BLOCK_BYTES: Final = 64

_SM3: Final = hashes.SM3()
_EMPTY: Final = hashes.Hash(_SM3)  # copied for every digest: cheaper than looking the algorithm up again


def digest(data: bytes) -> bytes:
    """Hash `data` into 32 octets."""
    state = _EMPTY.copy()
    state.update(data)
    return state.finalize()


def digest_parts(parts: Iterable[bytes]) -> bytes:
    """Hash the concatenation of `parts` without joining them."""
    state = _EMPTY.copy()
    for part in parts:
        state.update(part)
    return state.finalize()


def _find_own() -> Any:
    """Return the state of the SM3 that Python itself was built with; None where its OpenSSL has none."""
    try:
        return hashlib.new("sm3")
    except ValueError:
        return None


_OWN: Final = _find_own()


def digest_each(messages: Iterable[bytes]) -> bytes:
    """Hash each message, and return the digests one behind the other.

    For millions of short messages: Python's own SM3, where there is one, starts a hash a third faster.
    """
    if _OWN is None:
        return b"".join(map(digest, messages))
    digests = []
    start = _OWN.copy
    for message in messages:
        state = start()
        state.update(message)
        digests.append(state.digest())
    return b"".join(digests)


def hasher() -> hashes.Hash:
    """Return a running hash: call `update(data)` any number of times, then `finalize()` once."""
    return _EMPTY.copy()


def hmac(key: bytes, data: bytes) -> bytes:
    """Compute the 32 octets of HMAC-SM3 over `data`; compare results with `hmac.compare_digest` only."""
    state = _hmac.HMAC(key, _SM3)
    state.update(data)
    return state.finalize()


def keyed_hmac(key: bytes) -> Callable[[bytes], bytes]:
    """Return `hmac` under one key, for many short messages: the key is taken in once."""
    keyed = _hmac.HMAC(key, _SM3)

    def compute(data: bytes) -> bytes:
        state = keyed.copy()
        state.update(data)
        return state.finalize()

    return compute
