"""Credentials of targets, sealed under a key that is derived from the hub's master key."""

from __future__ import annotations

from uuid import UUID

from core.errors import Unavailable
from signing import sm4
from signing.errors import SigningError


class SecretBox:
    """Seals and opens secrets (SM4-GCM), each bound to its target. `key` has at least 16 octets."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:16]

    def seal(self, secret: str | None, *, target_id: UUID) -> bytes | None:
        """Seal a secret; none stays none."""
        if secret is None:
            return None
        return sm4.seal_gcm(self._key, secret.encode(), associated_data=_bind(target_id))

    def open(self, sealed: bytes | None, *, target_id: UUID) -> str | None:
        """Open a secret. Raises Unavailable where it was sealed under another master key."""
        if sealed is None:
            return None
        try:
            return sm4.open_gcm(self._key, sealed, associated_data=_bind(target_id)).decode()
        except SigningError as wrong:
            msg = "the target's credential was sealed under another master key; set it anew"
            raise Unavailable(msg) from wrong


def _bind(target_id: UUID) -> bytes:
    return f"shuzheng-target/1 {target_id}".encode()
