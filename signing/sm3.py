"""SM3 and HMAC-SM3.

Source: GB/T 32905-2016 (SM3), GB/T 15852.2 and RFC 2104 (HMAC). The work is done by `cryptography`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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


def hasher() -> hashes.Hash:
    """Return a running hash: call `update(data)` any number of times, then `finalize()` once."""
    return _EMPTY.copy()


def hmac(key: bytes, data: bytes) -> bytes:
    """Compute the 32 octets of HMAC-SM3 over `data`; compare results with `hmac.compare_digest` only."""
    state = _hmac.HMAC(key, _SM3)
    state.update(data)
    return state.finalize()
