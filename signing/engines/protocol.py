"""What an SM2 engine must do. Points, scalars and identities arrive checked; see `signing.sm2`.

Handles are made once per key, shared between threads, and never pickled. Signatures are strict DER
`SEQUENCE { r, s }`; ciphertexts are DER `SM2Cipher` (C1C3C2). Engines must accept and refuse exactly
the same signatures and ciphertexts: the tests run them against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class PublicHandle(Protocol):
    """A public key inside an engine."""

    def verify(self, signature: bytes, message: bytes, identity: bytes) -> bool:
        """Tell whether the signature is good; a malformed one is simply not good."""
        ...

    def verify_many(self, pairs: Iterable[tuple[bytes, bytes]], identity: bytes) -> list[bool]:
        """Judge (signature, message) pairs, in order."""
        ...

    def encrypt(self, plaintext: bytes) -> bytes:
        """Encrypt at least one octet; the key stream is never all zero."""
        ...


class PrivateHandle(Protocol):
    """A private key inside an engine."""

    def sign(self, message: bytes, identity: bytes) -> bytes:
        """Sign; two calls give two different signatures."""
        ...

    def sign_many(self, messages: Iterable[bytes], identity: bytes) -> list[bytes]:
        """Sign each message, in order."""
        ...

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt; raise DecryptionFailed, always the same, when anything is wrong."""
        ...


class Engine(Protocol):
    """An implementation of SM2."""

    @property
    def name(self) -> str:
        """A short stable name: `libcrypto` or `gmssl`."""
        ...

    @property
    def version(self) -> str:
        """What the implementation calls itself."""
        ...

    def derive_point(self, scalar: bytes) -> bytes:
        """Compute the public point (65 octets) of a private scalar (32 octets)."""
        ...

    def load_public(self, point: bytes) -> PublicHandle:
        """Take in a public point."""
        ...

    def load_private(self, scalar: bytes, point: bytes) -> PrivateHandle:
        """Take in a private scalar and its public point."""
        ...
