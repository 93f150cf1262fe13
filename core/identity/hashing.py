"""Secrets and passwords kept as Argon2id hashes (RFC 9106), compared in a time that tells nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

SECRET_BYTES: Final = 32


class SecretHasher:
    """Hashes what is proved by knowing it; off the event loop, because that takes time on purpose."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._decoy_hash = self._hasher.hash(secrets.token_urlsafe(SECRET_BYTES))

    async def hash(self, secret: str) -> str:
        """Return the hash to keep of a secret."""
        return await asyncio.to_thread(self._hasher.hash, _encode(secret))

    async def find(self, hashes: Sequence[str], secret: str) -> int | None:
        """Return which hash is that of `secret`; None for no one's.

        All are compared, and a decoy where there is none, so that the time does not tell.
        """
        right = [await asyncio.to_thread(self._is, each, secret) for each in hashes or [self._decoy_hash]]
        return next((place for place, good in enumerate(right) if good and hashes), None)

    def _is(self, secret_hash: str, secret: str) -> bool:
        try:
            return self._hasher.verify(secret_hash, _encode(secret))
        except VerificationError:
            return False


def _encode(secret: str) -> bytes:
    """Write any text as octets, lone surrogates too, which a caller may send and no secret holds."""
    return secret.encode("utf-8", "surrogatepass")
