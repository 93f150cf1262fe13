"""What it takes to sign: the one protocol between callers and whatever holds the key.

A key in memory (`signing.sm2.PrivateKey`), a key from the key store, or a key that never leaves a device
(PKCS#11, GM/T 0018 SDF; `signing.digest_signer` adapts one) look the same to a caller.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from signing.sm2 import PublicKey


@runtime_checkable
class Signer(Protocol):
    """Something that signs with one SM2 key.

    `sign` returns strict DER `SEQUENCE { r, s }` made with SM3 and the default distinguishing
    identifier. It may block (an HSM over the network), may be called from several threads at once, and
    raises an error of `signing.errors`.
    """

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself, not its hash."""
        ...
