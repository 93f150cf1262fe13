"""SM2 by the pure-Python package `gmssl`: the fallback, and the second opinion in tests.

Only the point arithmetic is taken from `gmssl` 3.2. What lies around it (nonces, Z, the encodings, the
checks) is done here, because that package draws nonces from a predictable generator, fails on public
keys whose first digits are 0 or 4, knows no point at infinity, doubles without normalising, and
returns a decrypted text without looking at its hash. It is slow (about 200 signatures a second) and
its running time depends on the secret: `shuzheng doctor` says so.

Source: GB/T 32918.2-2016 6.1 and 7.1 (signatures), GB/T 32918.4-2016 6.1 and 7.1 (encryption).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from signing import curve, sm3
from signing.curve import FIELD_BYTES, N
from signing.engines import encoding
from signing.errors import DecodeError, DecryptionFailed, EngineUnavailable

_HEX_DIGITS: Final = 2 * FIELD_BYTES
_BASE: Final = f"{curve.GX:064x}{curve.GY:064x}"


class GmsslEngine:
    """An SM2 engine over `gmssl.sm2`."""

    name: Final = "gmssl"

    def __init__(self) -> None:
        try:
            from gmssl.sm2 import CryptSM2  # noqa: PLC0415 - the fallback is loaded only when it is used

            self.version = f"gmssl {version('gmssl')} (pure Python)"
        except (ImportError, PackageNotFoundError):
            message = "the Python package gmssl is not installed"
            raise EngineUnavailable(message) from None
        self._points = _Points(CryptSM2(private_key="", public_key=""))

    def derive_point(self, scalar: bytes) -> bytes:
        """Multiply the base point."""
        return b"\x04" + bytes.fromhex(self._points.multiply(int.from_bytes(scalar, "big"), _BASE))

    def load_public(self, point: bytes) -> GmsslPublicHandle:
        """Keep a point."""
        return GmsslPublicHandle(self._points, point)

    def load_private(self, scalar: bytes, point: bytes) -> GmsslPrivateHandle:
        """Keep a scalar and its point."""
        return GmsslPrivateHandle(self._points, scalar, point)


class _Points:
    """Affine points as 128 hexadecimal digits, over gmssl's Jacobian arithmetic."""

    __slots__ = ("_gmssl",)

    def __init__(self, gmssl: Any) -> None:
        self._gmssl = gmssl

    def multiply(self, factor: int, point: str) -> str:
        """Multiply by a factor in [1, n-1]."""
        product: str = self._gmssl._kg(factor, point)
        return product

    def add(self, left: str, right: str) -> str | None:
        """Add two points; None stands for the point at infinity."""
        if left == right:
            total = self._gmssl._double_point(left + "1")
        elif left[:_HEX_DIGITS] == right[:_HEX_DIGITS]:
            return None
        else:
            total = self._gmssl._add_point(left + "1", right)
        affine: str = self._gmssl._convert_jacb_to_nor(total)
        return affine


def _message_hash(point: bytes, message: bytes, identity: bytes) -> int:
    z = curve.identity_digest(point, identity)
    return int.from_bytes(sm3.digest_parts((z, message)), "big")


def _random_scalar() -> int:
    return 1 + secrets.randbelow(N - 1)


def _key_stream(shared: bytes, size: int) -> bytes:
    """Derive `size` octets from x2 ‖ y2 (GB/T 32918.4 5.4.3)."""
    blocks = range(1, -(-size // sm3.DIGEST_BYTES) + 1)
    return b"".join(sm3.digest(shared + block.to_bytes(4, "big")) for block in blocks)[:size]


def _mask(text: bytes, stream: bytes) -> bytes:
    return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")


class GmsslPublicHandle:
    """A public point."""

    __slots__ = ("_hex", "_point", "_points")

    def __init__(self, points: _Points, point: bytes) -> None:
        self._points = points
        self._point = point
        self._hex = point[1:].hex()

    def verify(self, signature: bytes, message: bytes, identity: bytes) -> bool:
        """Tell whether the signature is good."""
        try:
            r, s = encoding.parse_signature(signature)
        except DecodeError:
            return False
        t = (r + s) % N
        if t == 0:
            return False
        total = self._points.add(self._points.multiply(s, _BASE), self._points.multiply(t, self._hex))
        if total is None:
            return False
        e = _message_hash(self._point, message, identity)
        return (e + int(total[:_HEX_DIGITS], 16)) % N == r

    def verify_many(self, pairs: Iterable[tuple[bytes, bytes]], identity: bytes) -> list[bool]:
        """Judge (signature, message) pairs."""
        return [self.verify(signature, message, identity) for signature, message in pairs]

    def encrypt(self, plaintext: bytes) -> bytes:
        """Encrypt under a fresh nonce, again if the key stream is all zero."""
        stream = b""
        while not any(stream):
            k = _random_scalar()
            shared = bytes.fromhex(self._points.multiply(k, self._hex))
            stream = _key_stream(shared, len(plaintext))
        c1 = self._points.multiply(k, _BASE)
        parts = encoding.Ciphertext(
            x=int(c1[:_HEX_DIGITS], 16),
            y=int(c1[_HEX_DIGITS:], 16),
            digest=sm3.digest_parts((shared[:FIELD_BYTES], plaintext, shared[FIELD_BYTES:])),
            masked=_mask(plaintext, stream),
        )
        return encoding.build_ciphertext(parts)


class GmsslPrivateHandle:
    """A private scalar and its point."""

    __slots__ = ("_d", "_point", "_points")

    def __init__(self, points: _Points, scalar: bytes, point: bytes) -> None:
        self._points = points
        self._d = int.from_bytes(scalar, "big")
        self._point = point

    def __reduce__(self) -> str:
        message = "a private key cannot be pickled"
        raise TypeError(message)

    def sign(self, message: bytes, identity: bytes) -> bytes:
        """Sign under a fresh nonce from the operating system."""
        e = _message_hash(self._point, message, identity)
        while True:
            k = _random_scalar()
            x = int(self._points.multiply(k, _BASE)[:_HEX_DIGITS], 16)
            r = (e + x) % N
            s = pow(1 + self._d, -1, N) * (k - r * self._d) % N
            if r and r + k != N and s:
                return encoding.build_signature(r, s)

    def sign_many(self, messages: Iterable[bytes], identity: bytes) -> list[bytes]:
        """Sign each message."""
        return [self.sign(message, identity) for message in messages]

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt; raise DecryptionFailed when any check fails."""
        try:
            parts = encoding.parse_ciphertext(ciphertext)
        except DecodeError:
            raise DecryptionFailed from None
        shared = bytes.fromhex(self._points.multiply(self._d, f"{parts.x:064x}{parts.y:064x}"))
        stream = _key_stream(shared, len(parts.masked))
        plaintext = _mask(parts.masked, stream)
        digest = sm3.digest_parts((shared[:FIELD_BYTES], plaintext, shared[FIELD_BYTES:]))
        if not any(stream) or not hmac.compare_digest(digest, parts.digest):
            raise DecryptionFailed
        return plaintext
