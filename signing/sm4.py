"""SM4 in the two modes in use: GCM for data at rest, CBC for PKCS#8.

Source: GB/T 32907-2016 (SM4), GB/T 17964-2021 (modes), RFC 8998 (SM4-GCM). The work is done by
`cryptography`. Nonces and initialisation vectors come from the caller unless the function says
otherwise; one pair of key and nonce must never seal two messages.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from signing.errors import DecryptionFailed, EncodeError

KEY_BYTES: Final = 16
BLOCK_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


def seal_gcm(key: bytes, plaintext: bytes, *, associated_data: bytes = b"") -> bytes:
    """Encrypt and authenticate under a fresh random nonce: nonce (12) ‖ ciphertext ‖ tag (16)."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + encrypt_gcm(key, nonce, plaintext, associated_data=associated_data)


def open_gcm(key: bytes, sealed: bytes, *, associated_data: bytes = b"") -> bytes:
    """Open what `seal_gcm` made; raise DecryptionFailed when anything in it was altered."""
    return decrypt_gcm(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated_data=associated_data)


def encrypt_gcm(key: bytes, nonce: bytes, plaintext: bytes, *, associated_data: bytes = b"") -> bytes:
    """Encrypt with a nonce of 12 octets; return ciphertext ‖ tag (16)."""
    _require_size("nonce", nonce, NONCE_BYTES)
    encryptor = Cipher(_algorithm(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(associated_data)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def decrypt_gcm(key: bytes, nonce: bytes, sealed: bytes, *, associated_data: bytes = b"") -> bytes:
    """Open ciphertext ‖ tag (16); raise DecryptionFailed unless key, nonce, data and tag all agree."""
    if len(nonce) != NONCE_BYTES or len(sealed) < TAG_BYTES:
        raise DecryptionFailed
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    decryptor = Cipher(_algorithm(key), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(associated_data)
    try:
        return decryptor.update(ciphertext) + decryptor.finalize()
    except InvalidTag:
        raise DecryptionFailed from None


def encrypt_cbc(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Encrypt in CBC mode with PKCS#7 padding. Nothing is authenticated: for PKCS#8 only."""
    _require_size("initialisation vector", iv, BLOCK_BYTES)
    padder = padding.PKCS7(8 * BLOCK_BYTES).padder()
    encryptor = Cipher(_algorithm(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def decrypt_cbc(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Decrypt CBC mode with PKCS#7 padding; raise DecryptionFailed when the padding is wrong."""
    if len(iv) != BLOCK_BYTES or not ciphertext or len(ciphertext) % BLOCK_BYTES:
        raise DecryptionFailed
    decryptor = Cipher(_algorithm(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(8 * BLOCK_BYTES).unpadder()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise DecryptionFailed from None


def _algorithm(key: bytes) -> algorithms.SM4:
    _require_size("key", key, KEY_BYTES)
    return algorithms.SM4(key)


def _require_size(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        message = f"an SM4 {name} has {size} octets, not {len(value)}"
        raise EncodeError(message)
