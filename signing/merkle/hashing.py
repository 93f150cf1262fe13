"""The hash of a Merkle tree: SM3 (default) or SHA-256, with the domain separation of RFC 9162 2.1.1.

A leaf hashes as H(0x00 || entry), an inner node as H(0x01 || left || right). The hash function is the one
degree of freedom, so that tools which know only SHA-256 can check the same code's trees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes

HASH_BYTES: Final = 32

Digest = Callable[[bytes], bytes]
NodeHash = Callable[[bytes, bytes], bytes]


class HashSuite(StrEnum):
    """Names of the supported hash functions, as written into receipts and settings."""

    SM3 = "sm3"
    SHA256 = "sha-256"

    @property
    def digest(self) -> Digest:
        """The plain hash function: bytes in, 32 bytes out."""
        return _DIGESTS[self]

    @property
    def leaf_hash(self) -> Digest:
        """Hash one log entry to its leaf: H(0x00 || entry)."""
        return _LEAF_HASHES[self]

    @property
    def node_hash(self) -> NodeHash:
        """Hash two children (32 bytes each, left first) to their parent: H(0x01 || left || right)."""
        return _NODE_HASHES[self]

    @property
    def empty_root(self) -> bytes:
        """The root of the tree without leaves: the hash of nothing."""
        return self.digest(b"")


def _prefixed(algorithm: str, prefix: bytes) -> Digest:
    """Make H(prefix || data) by copying a context that has already absorbed the prefix.

    The copy costs less than a new context, since OpenSSL looks up the algorithm once only.
    """
    start = hashlib.new(algorithm, prefix).copy

    def digest(data: bytes) -> bytes:
        context = start()
        context.update(data)
        return context.digest()

    return digest


def _prefixed_sm3_without_openssl(prefix: bytes) -> Digest:
    """Make H(prefix || data) with `cryptography`, where Python's OpenSSL was built without SM3."""
    absorbed = hashes.Hash(hashes.SM3())
    absorbed.update(prefix)

    def digest(data: bytes) -> bytes:
        context = absorbed.copy()
        context.update(data)
        return context.finalize()

    return digest


def _maker(suite: HashSuite) -> Callable[[bytes], Digest]:
    if suite is HashSuite.SHA256:
        return lambda prefix: _prefixed("sha256", prefix)
    if "sm3" in hashlib.algorithms_available:
        return lambda prefix: _prefixed("sm3", prefix)
    return _prefixed_sm3_without_openssl


def _node_hash(prefixed: Digest) -> NodeHash:
    def node_hash(left: bytes, right: bytes) -> bytes:
        return prefixed(left + right)

    return node_hash


_DIGESTS: Final = {suite: _maker(suite)(b"") for suite in HashSuite}
_LEAF_HASHES: Final = {suite: _maker(suite)(b"\x00") for suite in HashSuite}
_NODE_HASHES: Final = {suite: _node_hash(_maker(suite)(b"\x01")) for suite in HashSuite}
