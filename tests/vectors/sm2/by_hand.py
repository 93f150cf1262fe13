"""SM2 and SM3 written from the standard with nothing but integers: the third opinion.

Slow, leaky, and deliberately independent of `signing`, libcrypto and gmssl. It signs with a nonce of the
caller's choice, which no real engine must allow and which the edge cases need.

Source: GB/T 32905-2016 (SM3), GB/T 32918.1/.2/.4/.5 (SM2).
"""

from __future__ import annotations

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
Point = tuple[int, int] | None  # None is the point at infinity

_IV = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)
_MASK = 0xFFFFFFFF


def _rotate(x: int, n: int) -> int:
    n %= 32
    return ((x << n) | (x >> (32 - n))) & _MASK


def _p0(x: int) -> int:
    return x ^ _rotate(x, 9) ^ _rotate(x, 17)


def _p1(x: int) -> int:
    return x ^ _rotate(x, 15) ^ _rotate(x, 23)


def _compress(v: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    for j in range(16, 68):
        w.append(_p1(w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)) ^ _rotate(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = v
    for j in range(64):
        t = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(t, j)) & _MASK, 7)
        ss2 = ss1 ^ _rotate(a, 12)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & _MASK & g)
        tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & _MASK
        tt2 = (gg + h + ss1 + w[j]) & _MASK
        d, c, b, a = c, _rotate(b, 9), a, tt1
        h, g, f, e = g, _rotate(f, 19), e, _p0(tt2)
    return tuple(x ^ y for x, y in zip(v, (a, b, c, d, e, f, g, h), strict=True))


def sm3(data: bytes) -> bytes:
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    v: tuple[int, ...] = _IV
    for i in range(0, len(padded), 64):
        v = _compress(v, padded[i : i + 64])
    return b"".join(word.to_bytes(4, "big") for word in v)


def add(left: Point, right: Point) -> Point:
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if left == right else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(factor: int, point: Point) -> Point:
    total: Point = None
    for bit in bin(factor)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def octets(point: Point) -> bytes:
    assert point is not None
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def public_point(d: int) -> tuple[int, int]:
    point = multiply(d, G)
    assert point is not None
    return point


def message_hash(point: tuple[int, int], message: bytes, identity: bytes) -> int:
    numbers = (A, B, *G, *point)
    head = (8 * len(identity)).to_bytes(2, "big") + identity
    z = sm3(head + b"".join(number.to_bytes(32, "big") for number in numbers))
    return int.from_bytes(sm3(z + message), "big")


def sign(d: int, k: int, message: bytes, identity: bytes) -> tuple[int, int]:
    x, _ = public_point(k)
    r = (message_hash(public_point(d), message, identity) + x) % N
    s = pow(1 + d, -1, N) * (k - r * d) % N
    assert 0 not in (r, r + k - N, s)
    return r, s


def encode_integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return bytes((2, len(content))) + content


def encode_signature(r: int, s: int) -> bytes:
    content = encode_integer(r) + encode_integer(s)
    return bytes((0x30, len(content))) + content


def decode_signature(signature: bytes) -> tuple[int, int] | None:
    """Accept what re-encodes to the same octets, and nothing else."""
    try:
        size = signature[3]
        r = int.from_bytes(signature[4 : 4 + size], "big", signed=True)
        s = int.from_bytes(signature[6 + size :], "big", signed=True)
    except IndexError:
        return None
    if not (0 < r < N and 0 < s < N) or encode_signature(r, s) != signature:
        return None
    return r, s


def verify(point: tuple[int, int], signature: bytes, message: bytes, identity: bytes) -> bool:
    numbers = decode_signature(signature)
    if numbers is None:
        return False
    r, s = numbers
    t = (r + s) % N
    total = add(multiply(s, G), multiply(t, point)) if t else None
    return total is not None and (message_hash(point, message, identity) + total[0]) % N == r


def key_stream(shared: bytes, size: int) -> bytes:
    blocks = range(1, -(-size // 32) + 1)
    return b"".join(sm3(shared + block.to_bytes(4, "big")) for block in blocks)[:size]


def encrypt(point: tuple[int, int], k: int, plaintext: bytes) -> tuple[tuple[int, int], bytes, bytes]:
    """Return C1, C3, C2; an all-zero key stream is not refused here."""
    shared = octets(multiply(k, point))[1:]
    stream = key_stream(shared, len(plaintext))
    c2 = bytes(left ^ right for left, right in zip(plaintext, stream, strict=True))
    return public_point(k), sm3(shared[:32] + plaintext + shared[32:]), c2


def decrypt(d: int, c1: tuple[int, int], c3: bytes, c2: bytes) -> bytes | None:
    x, y = c1
    if not (0 <= x < P and 0 <= y < P) or (y * y - x * x * x - A * x - B) % P or not c2:
        return None
    shared = octets(multiply(d, c1))[1:]
    stream = key_stream(shared, len(c2))
    plaintext = bytes(left ^ right for left, right in zip(c2, stream, strict=True))
    good = any(stream) and sm3(shared[:32] + plaintext + shared[32:]) == c3
    return plaintext if good else None
