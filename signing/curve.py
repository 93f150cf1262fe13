"""The SM2 curve: its numbers, its points as octets, and the hash that binds a key to its owner.

Only public values pass through the arithmetic here, so none of it needs constant time; signing and
decryption belong to the engines.

Source: GB/T 32918.5-2017 (parameters), GB/T 32918.1-2016 4.2 (points as octets), GB/T 32918.2-2016
5.5 (Z).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from signing import sm3
from signing.errors import EncodeError, KeyUnusable

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX: Final = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY: Final = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

FIELD_BYTES: Final = 32
POINT_BYTES: Final = 65
COMPRESSED_POINT_BYTES: Final = 33
MAX_ID_BYTES: Final = 8190  # 16 bits could tell 8191, which libcrypto refuses

_DOMAIN: Final = b"".join(value.to_bytes(FIELD_BYTES, "big") for value in (A, B, GX, GY))


def is_on_curve(x: int, y: int) -> bool:
    """Tell whether (x, y), both below the field prime, satisfies the curve equation."""
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x + A) * x - B) % P == 0


def encode_point(x: int, y: int) -> bytes:
    """Write 04 ‖ x ‖ y, 65 octets."""
    return b"\x04" + x.to_bytes(FIELD_BYTES, "big") + y.to_bytes(FIELD_BYTES, "big")


def parse_point(octets: bytes) -> bytes:
    """Check a public point and return it as 65 octets.

    The uncompressed (04) and compressed (02, 03) forms are read. The point at infinity, the hybrid
    forms, coordinates not below the field prime and points off the curve raise KeyUnusable. The curve
    has cofactor 1, so every point on it but infinity is a good key.
    """
    form = octets[0] if octets else -1
    if form == 4 and len(octets) == POINT_BYTES:
        x, y = int.from_bytes(octets[1:33], "big"), int.from_bytes(octets[33:], "big")
        if is_on_curve(x, y):
            return bytes(octets)
    elif form in (2, 3) and len(octets) == COMPRESSED_POINT_BYTES:
        x = int.from_bytes(octets[1:], "big")
        y = _recover_y(x, odd=form == 3)
        if is_on_curve(x, y):
            return encode_point(x, y)
    else:
        message = "an SM2 public key is a point of 65 octets (04, x, y) or 33 octets (02 or 03, x)"
        raise KeyUnusable(message)
    message = "the SM2 public key is not a point of the curve"
    raise KeyUnusable(message)


def _recover_y(x: int, *, odd: bool) -> int:
    """Take the square root of the curve equation's right side (P ≡ 3 mod 4); wrong if there is none."""
    root = pow((x * x + A) * x + B, (P + 1) // 4, P)
    return root if root & 1 == odd else P - root


@lru_cache(maxsize=256)
def identity_digest(point: bytes, identity: bytes) -> bytes:
    """Compute Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ point): who signs, on which curve, with which key."""
    require_identity(identity)
    entl = (8 * len(identity)).to_bytes(2, "big")
    return sm3.digest_parts((entl, identity, _DOMAIN, point[1:]))


def require_identity(identity: bytes) -> None:
    """Raise EncodeError when `identity` is too long for the 16 bits that hold its length."""
    if len(identity) > MAX_ID_BYTES:
        message = f"a distinguishing identifier has at most {MAX_ID_BYTES} octets"
        raise EncodeError(message)
