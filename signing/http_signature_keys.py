"""Keys for HTTP message signatures: SM2 for us, Ed25519 and HMAC-SHA256 for others.

`sm2-sm3` is an algorithm label of our own: SM2 over the signature base with SM3 and the default ID of
GB/T 32918.2, the signature being r || s, 64 bytes, as RFC 9421 3.3.4 has it for ECDSA. Any other algorithm
plugs in through the two protocols.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signing import sm2
from signing.errors import SignatureInvalid
from signing.merkle.notes import verify_ed25519, verify_sm2
from signing.signer import Signer


class HttpAlgorithm(StrEnum):
    """Algorithm labels: one of our own, and those of RFC 9421 6.2.2 that are built in."""

    SM2_SM3 = "sm2-sm3"
    ED25519 = "ed25519"
    HMAC_SHA256 = "hmac-sha256"


class HttpSigner(Protocol):
    """A key that signs messages."""

    @property
    def algorithm(self) -> str:
        """The algorithm's label."""

    @property
    def key_id(self) -> str:
        """The name by which the verifier finds the key."""

    def sign(self, base: bytes) -> bytes:
        """Sign a signature base."""


class HttpVerifier(Protocol):
    """A key that checks signatures of messages."""

    @property
    def algorithm(self) -> str:
        """The algorithm's label: the one that this key is for, whatever a message says."""

    def verify(self, base: bytes, signature: bytes) -> None:
        """Check a signature over a signature base, or raise SignatureInvalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2HttpVerifier:
    """An SM2 public key."""

    public_key: sm2.PublicKey
    algorithm: str = HttpAlgorithm.SM2_SM3

    def verify(self, base: bytes, signature: bytes) -> None:
        """Check r || s over a signature base, or raise SignatureInvalid."""
        verify_sm2(self.public_key, signature, base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2HttpSigner:
    """An SM2 signer: a private key, a key store entry, an HSM."""

    key_id: str
    signer: Signer
    algorithm: str = HttpAlgorithm.SM2_SM3

    def sign(self, base: bytes) -> bytes:
        """Sign a signature base: r || s, 64 bytes."""
        return sm2.der_to_raw(self.signer.sign(base))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519HttpVerifier:
    """An Ed25519 public key, 32 bytes."""

    public_key: bytes
    algorithm: str = HttpAlgorithm.ED25519

    def verify(self, base: bytes, signature: bytes) -> None:
        """Check a signature over a signature base, or raise SignatureInvalid."""
        verify_ed25519(self.public_key, signature, base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519HttpSigner:
    """An Ed25519 private key."""

    key_id: str
    private_key: Ed25519PrivateKey
    algorithm: str = HttpAlgorithm.ED25519

    def sign(self, base: bytes) -> bytes:
        """Sign a signature base."""
        return self.private_key.sign(base)


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacSha256HttpKey:
    """A shared secret, which signs and verifies."""

    key_id: str
    secret: bytes = field(repr=False)
    algorithm: str = HttpAlgorithm.HMAC_SHA256

    def sign(self, base: bytes) -> bytes:
        """Authenticate a signature base."""
        return hmac.digest(self.secret, base, "sha256")

    def verify(self, base: bytes, signature: bytes) -> None:
        """Check the authenticator of a signature base, or raise SignatureInvalid."""
        if not hmac.compare_digest(self.sign(base), signature):
            message = "The HMAC-SHA256 signature does not verify."
            raise SignatureInvalid(message)
