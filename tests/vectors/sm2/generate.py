"""Write the SM2 edge sets: `python -m tests.vectors.sm2.generate` from the root of the repository.

Everything is derived from fixed numbers, so two runs write the same files. Each signature and each
ciphertext is judged by `by_hand`, by libcrypto and by the gmssl engine; the run stops if they differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signing.engine import load_engine
from signing.errors import DecryptionFailed
from tests.vectors.sm2 import by_hand
from tests.vectors.sm2.by_hand import N, P, encode_integer, encode_signature

HERE = Path(__file__).resolve().parent
D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
POINT = by_hand.public_point(D)
OTHER_POINT = by_hand.public_point(D + 1)
MESSAGE = b"message digest"
DEFAULT_ID = b"1234567812345678"
LONG_ID = b"1234567812345678" * 511 + b"12345678123456"

NOTES = {
    "Standard": "a worked example of GB/T 32918",
    "Valid": "ordinary and unusual values that must be accepted",
    "RangeCheck": "r or s outside [1, n-1]",
    "Arithmetic": "a value that drives the point arithmetic into a special case",
    "Encoding": "not the one DER encoding of its values",
    "Identity": "the distinguishing identifier is not the one that was signed under",
    "Forgery": "well formed, and wrong",
    "Point": "not a public point in a form that is read",
    "Algorithm": "another key type or another curve",
    "KeyStream": "the derived key stream is all zero",
}


@dataclass(frozen=True, slots=True)
class Case:
    comment: str
    flag: str
    message: bytes
    octets: bytes


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = bytes((tag, size)) if size < 0x80 else bytes((tag, 0x81, size))
    return head + content


def _short_numbers() -> Iterator[Case]:
    """Find messages for which r, or s, has a leading zero octet; k is fixed, so this is only hashing."""
    x, _ = by_hand.public_point(K)
    for name, index in (("r", 0), ("s", 1)):
        for counter in range(10_000):
            message = f"short {name} {counter}".encode()
            r = (by_hand.message_hash(POINT, message, DEFAULT_ID) + x) % N
            s = pow(1 + D, -1, N) * (K - r * D) % N
            if (r, s)[index] >> 247 == 0:
                yield Case(f"{name} is one octet short", "Valid", message, encode_signature(r, s))
                break


def _values(r: int, s: int) -> Iterator[tuple[str, str, bytes]]:
    infinity = -r * D * pow(1 + D, -1, N) % N
    equal = r * D * pow(1 - D, -1, N) % N
    for comment, flag, numbers in (
        ("r is zero", "RangeCheck", (0, s)),
        ("s is zero", "RangeCheck", (r, 0)),
        ("both are zero", "RangeCheck", (0, 0)),
        ("r is n", "RangeCheck", (N, s)),
        ("s is n", "RangeCheck", (r, N)),
        ("r + n instead of r", "RangeCheck", (r + N, s)),
        ("s + n instead of s", "RangeCheck", (r, s + N)),
        ("r - n instead of r", "RangeCheck", (r - N, s)),
        ("s - n instead of s", "RangeCheck", (r, s - N)),
        ("r is -r", "RangeCheck", (-r, s)),
        ("r is p", "RangeCheck", (P, s)),
        ("r is 2^256", "RangeCheck", (1 << 256, s)),
        ("s is 2^256 - 1", "RangeCheck", (r, (1 << 256) - 1)),
        ("s is 2^960", "RangeCheck", (r, 1 << 960)),
        ("r + s = n, with the right r", "Arithmetic", (r, N - r)),
        ("r + s = n, with the right s", "Arithmetic", (N - s, s)),
        ("r = 1, s = n - 1", "Arithmetic", (1, N - 1)),
        ("[s]G + [t]P is the point at infinity", "Arithmetic", (r, infinity)),
        ("[s]G equals [t]P", "Arithmetic", (r, equal)),
        ("r = s = 1", "Forgery", (1, 1)),
        ("r = s = n - 1", "Forgery", (N - 1, N - 1)),
        ("s is n - s", "Forgery", (r, N - s)),
        ("r and s exchanged", "Forgery", (s, r)),
        ("r + 1", "Forgery", (r + 1, s)),
    ):
        yield comment, flag, encode_signature(*numbers)


def _encodings(r: int, s: int) -> Iterator[tuple[str, bytes]]:
    good = encode_signature(r, s)
    one, two = encode_integer(r), encode_integer(s)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    yield "empty", b""
    yield "raw r, s: 64 octets", raw
    yield "raw r, s in an OCTET STRING", _element(4, raw)
    yield "in a BIT STRING", _element(3, b"\x00" + good)
    yield "in a second SEQUENCE", _element(0x30, good)
    yield "one octet after the end", good + b"\x00"
    yield "a second signature after the end", good + good
    yield "one octet inside, after s", _element(0x30, one + two + b"\x00")
    yield "a third INTEGER", _element(0x30, one + two + encode_integer(1))
    yield "a NULL inside, after s", _element(0x30, one + two + b"\x05\x00")
    yield "s missing", _element(0x30, one)
    yield "an empty SEQUENCE", b"\x30\x00"
    yield "a SET instead of a SEQUENCE", b"\x31" + good[1:]
    yield "an OCTET STRING for r", _element(0x30, b"\x04" + one[1:] + two)
    yield "an ENUMERATED for s", _element(0x30, one + b"\x0a" + two[1:])
    yield "the length of the SEQUENCE in long form", b"\x30\x81" + good[1:]
    yield "the length of the SEQUENCE in longer form", b"\x30\x82\x00" + good[1:]
    yield "an indefinite length", b"\x30\x80" + one + two + b"\x00\x00"
    yield "the length of r in long form", _element(0x30, b"\x02\x81" + one[1:] + two)
    yield "the length of s in long form", _element(0x30, one + b"\x02\x81" + two[1:])
    yield "a needless zero octet before r", _element(0x30, _element(2, b"\x00" + one[2:]) + two)
    yield "a needless zero octet before s", _element(0x30, one + _element(2, b"\x00" + two[2:]))
    yield "no zero octet before r, which makes it negative", _element(0x30, _element(2, one[3:]) + two)
    yield "no zero octet before s, which makes it negative", _element(0x30, one + _element(2, two[3:]))
    yield "an INTEGER without octets for r", _element(0x30, b"\x02\x00" + two)
    yield "an INTEGER without octets for s", _element(0x30, one + b"\x02\x00")
    yield "cut short by one octet", good[:-1]
    yield "only the tag", good[:1]
    yield "the length of the SEQUENCE one too large", bytes((0x30, good[1] + 1)) + good[2:]
    yield "the length of the SEQUENCE one too small", bytes((0x30, good[1] - 1)) + good[2:]
    yield "a length of 2^32 - 1", b"\x30\x84\xff\xff\xff\xff" + good[2:]
    yield "a constructed INTEGER", _element(0x30, b"\x22" + one[1:] + two)
    yield "hexadecimal text", good.hex().encode()


def _default_cases() -> Iterator[Case]:
    r, s = by_hand.sign(D, K, MESSAGE, DEFAULT_ID)
    good = encode_signature(r, s)
    yield Case("the example of GB/T 32918.5 A.2", "Standard", MESSAGE, good)
    yield from _short_numbers()
    for comment, message in (("no message", b""), ("a message of zero octets", bytes(100))):
        yield Case(comment, "Valid", message, encode_signature(*by_hand.sign(D, K + 1, message, DEFAULT_ID)))
    for comment, flag, octets in _values(r, s):
        yield Case(comment, flag, MESSAGE, octets)
    for comment, octets in _encodings(r, s):
        yield Case(comment, "Encoding", MESSAGE, octets)
    yield Case("another message", "Forgery", MESSAGE + b".", good)
    yield Case("the empty identifier", "Identity", MESSAGE, _signed(b""))
    yield Case("another identifier", "Identity", MESSAGE, _signed(b"ALICE123@YAHOO.COM"))
    yield Case("SM3 without Z", "Forgery", MESSAGE, encode_signature(*_sign_hash(by_hand.sm3(MESSAGE))))
    yield Case("ECDSA over the same hash", "Forgery", MESSAGE, encode_signature(*_ecdsa(MESSAGE)))
    other = by_hand.sign(D + 1, K, MESSAGE, DEFAULT_ID)
    yield Case("another key", "Forgery", MESSAGE, encode_signature(*other))


def _signed(identity: bytes) -> bytes:
    return encode_signature(*by_hand.sign(D, K, MESSAGE, identity))


def _sign_hash(digest: bytes) -> tuple[int, int]:
    r = (int.from_bytes(digest, "big") + by_hand.public_point(K)[0]) % N
    return r, pow(1 + D, -1, N) * (K - r * D) % N


def _ecdsa(message: bytes) -> tuple[int, int]:
    r = by_hand.public_point(K)[0] % N
    return r, pow(K, -1, N) * (by_hand.message_hash(POINT, message, DEFAULT_ID) + r * D) % N


def _identity_cases(identity: bytes) -> Iterator[Case]:
    yield Case("signed under this identifier", "Valid", MESSAGE, _signed(identity))
    yield Case("signed under the default identifier", "Identity", MESSAGE, _signed(DEFAULT_ID))


def build_signatures() -> dict[str, Any]:
    groups, number = [], 0
    named = ((DEFAULT_ID, "default"), (b"", "empty"), (LONG_ID, "longest"), ("签章者".encode(), "Chinese"))
    for identity, name in named:
        cases = _default_cases() if name == "default" else _identity_cases(identity)
        tests = []
        for number, case in enumerate(cases, number + 1):  # noqa: B020 - it counts on across groups
            good = _agreed_verdict(case, identity)
            tests.append(_test(number, case.comment, case.flag, good, msg=case.message, sig=case.octets))
        groups.append(
            {"type": "Sm2Verify", "idName": name, "id": identity.hex(), **_public_key(), "tests": tests}
        )
    return _file("SM2 signatures", number, groups)


def _agreed_verdict(case: Case, identity: bytes) -> bool:
    verdicts = {by_hand.verify(POINT, case.octets, case.message, identity)}
    for name in ("libcrypto", "gmssl"):
        handle = load_engine(name).load_public(by_hand.octets(POINT))
        verdicts.add(handle.verify(case.octets, case.message, identity))
    if len(verdicts) != 1:
        message = f"the implementations differ about: {case.comment}"
        raise SystemExit(message)
    return verdicts.pop()


# --------------------------------------------------------------------------------------- ciphertexts


def _cipher_der(c1: tuple[int, int], c3: bytes, c2: bytes) -> bytes:
    return _element(0x30, encode_integer(c1[0]) + encode_integer(c1[1]) + _element(4, c3) + _element(4, c2))


def _ciphertexts() -> Iterator[tuple[str, str, bytes]]:
    text = b"encryption standard"
    c1, c3, c2 = by_hand.encrypt(POINT, K, text)
    good = _cipher_der(c1, c3, c2)
    x, y, digest, masked = encode_integer(c1[0]), encode_integer(c1[1]), _element(4, c3), _element(4, c2)
    yield "the example of GB/T 32918.5 A.3", "Standard", good
    yield "one octet", "Valid", _cipher_der(*by_hand.encrypt(POINT, K + 1, b"\x00"))
    yield "100 octets", "Valid", _cipher_der(*by_hand.encrypt(POINT, K + 2, bytes(100)))
    yield "a bit of C2 flipped", "Forgery", _cipher_der(c1, c3, bytes((c2[0] ^ 1,)) + c2[1:])
    yield "a bit of C3 flipped", "Forgery", _cipher_der(c1, bytes((c3[0] ^ 1,)) + c3[1:], c2)
    yield "C2 cut short", "Forgery", _cipher_der(c1, c3, c2[:-1])
    yield "C1 of another ciphertext", "Forgery", _cipher_der(by_hand.public_point(K + 1), c3, c2)
    yield "C1 negated", "Forgery", _cipher_der((c1[0], P - c1[1]), c3, c2)
    yield "C1 off the curve", "Point", _cipher_der((c1[0], c1[1] ^ 1), c3, c2)
    yield "C1 = (0, 0)", "Point", _cipher_der((0, 0), c3, c2)
    yield "x + p instead of x", "Point", _cipher_der((c1[0] + P, c1[1]), c3, c2)
    yield "x negative", "Point", _cipher_der((c1[0] - P, c1[1]), c3, c2)
    yield "made for another key", "Forgery", _cipher_der(*by_hand.encrypt(OTHER_POINT, K, text))
    yield "C1C2C3 order", "Encoding", _element(0x30, x + y + masked + digest)
    yield "C1 C3 C2 without DER", "Encoding", by_hand.octets(c1) + c3 + c2
    yield "C3 of 31 octets", "Encoding", _cipher_der(c1, c3[1:], c2)
    yield "an empty C2", "Encoding", _cipher_der(c1, by_hand.sm3(b""), b"")
    yield "no C2", "Encoding", _element(0x30, x + y + digest)
    yield "one octet after the end", "Encoding", good + b"\x00"
    yield "a NULL inside, at the end", "Encoding", _element(0x30, x + y + digest + masked + b"\x05\x00")
    yield (
        "the length of C2 in long form",
        "Encoding",
        _element(0x30, x + y + digest + b"\x04\x81" + masked[1:]),
    )
    yield (
        "a needless zero octet before x",
        "Encoding",
        _element(0x30, b"\x02\x22\x00" + x[2:] + y + digest + masked),
    )
    yield "empty", "Encoding", b""
    yield "an all-zero key stream", "KeyStream", _zero_stream()


def _zero_stream() -> bytes:
    """Encrypt one octet under a nonce whose key stream is zero, which an encryptor must not use."""
    for k in range(2, 10_000):
        shared = by_hand.octets(by_hand.multiply(k, POINT))[1:]
        if not any(by_hand.key_stream(shared, 1)):
            return _cipher_der(*by_hand.encrypt(POINT, k, b"z"))
    raise AssertionError


def build_ciphertexts() -> dict[str, Any]:
    scalar = D.to_bytes(32, "big")
    handles = [
        load_engine(name).load_private(scalar, by_hand.octets(POINT)) for name in ("libcrypto", "gmssl")
    ]
    tests = []
    for number, (comment, flag, ciphertext) in enumerate(_ciphertexts(), 1):
        opened = {_decrypt(handle, ciphertext) for handle in handles}
        if len(opened) != 1:
            message = f"the implementations differ about: {comment}"
            raise SystemExit(message)
        plaintext = opened.pop()
        tests.append(_test(number, comment, flag, plaintext is not None, ct=ciphertext, msg=plaintext or b""))
    group = {"type": "Sm2Decrypt", "privateKey": f"{D:064x}", **_public_key(), "tests": tests}
    return _file("SM2 decryption", len(tests), [group])


def _decrypt(handle: Any, ciphertext: bytes) -> bytes | None:
    try:
        plaintext: bytes = handle.decrypt(ciphertext)
    except DecryptionFailed:
        return None
    return plaintext


# --------------------------------------------------------------------------------------- public keys


def _spki(point: bytes, algorithm: str = "06072a8648ce3d020106082a811ccf5501822d") -> bytes:
    return _element(0x30, _element(0x30, bytes.fromhex(algorithm)) + _element(3, b"\x00" + point))


def _public_keys() -> Iterator[tuple[str, str, bytes, bool]]:
    x, y = (number.to_bytes(32, "big") for number in POINT)
    point = by_hand.octets(POINT)
    prefix = bytes((2 + POINT[1] % 2,))
    wrong = bytes((3 - POINT[1] % 2,))
    yield "uncompressed", "Valid", _spki(point), True
    yield "compressed", "Valid", _spki(prefix + x), True
    yield "compressed, the other root", "Valid", _spki(wrong + x), True
    yield "hybrid", "Point", _spki(bytes((6 + POINT[1] % 2,)) + x + y), False
    yield "the point at infinity", "Point", _spki(b"\x00"), False
    yield "the point at infinity as 65 octets", "Point", _spki(bytes(65)), False
    yield "(0, 0)", "Point", _spki(b"\x04" + bytes(64)), False
    yield "off the curve", "Point", _spki(b"\x04" + x + y[:-1] + bytes((y[-1] ^ 1,))), False
    yield "x is p", "Point", _spki(b"\x04" + P.to_bytes(32, "big") + y), False
    yield "x has no y", "Point", _spki(b"\x02" + _without_y().to_bytes(32, "big")), False
    yield "compressed, x above p", "Point", _spki(b"\x02" + b"\xff" * 32), False
    yield "cut short", "Point", _spki(point[:-1]), False
    yield "one octet too long", "Point", _spki(point + b"\x00"), False
    yield "no point", "Point", _spki(b""), False
    yield "no leading 04", "Point", _spki(x + y), False
    yield "on curve P-256", "Algorithm", _spki(point, "06072a8648ce3d020106082a8648ce3d030107"), False
    yield "no curve", "Algorithm", _spki(point, "06072a8648ce3d0201"), False
    yield "NULL for the curve", "Algorithm", _spki(point, "06072a8648ce3d02010500"), False
    yield "Ed25519", "Algorithm", _spki(x, "06032b6570"), False
    yield "an unused bit in the BIT STRING", "Encoding", _spki(point)[:26] + b"\x01" + point, False
    yield "one octet after the end", "Encoding", _spki(point) + b"\x00", False
    yield "the point alone", "Encoding", point, False
    yield "empty", "Encoding", b"", False


def _without_y() -> int:
    return next(x for x in range(2, 1000) if pow(x**3 + by_hand.A * x + by_hand.B, (P - 1) // 2, P) == P - 1)


def build_public_keys() -> dict[str, Any]:
    tests = [
        _test(number, comment, flag, good, spki=spki)
        for number, (comment, flag, spki, good) in enumerate(_public_keys(), 1)
    ]
    group = {"type": "Sm2PublicKey", "tests": tests}
    return {**_file("SM2 public keys", len(tests), [group]), "agreedBy": ["by_hand", "openssl pkey"]}


# ---------------------------------------------------------------------------------------------- file


def _public_key() -> dict[str, Any]:
    point = by_hand.octets(POINT)
    return {
        "publicKey": {
            "type": "EcPublicKey",
            "curve": "sm2p256v1",
            "keySize": 256,
            "uncompressed": point.hex(),
        },
        "publicKeyDer": _spki(point).hex(),
        "sha": "SM3",
    }


def _test(number: int, comment: str, flag: str, good: bool, **octets: bytes) -> dict[str, Any]:
    values = {name: value.hex() for name, value in octets.items()}
    return {
        "tcId": number,
        "comment": comment,
        "flags": [flag],
        **values,
        "result": "valid" if good else "invalid",
    }


def _file(algorithm: str, count: int, groups: list[dict[str, Any]]) -> dict[str, Any]:
    used = {flag for group in groups for test in group["tests"] for flag in test["flags"]}
    return {
        "algorithm": algorithm,
        "generatorVersion": "1",
        "numberOfTests": count,
        "agreedBy": ["by_hand", "libcrypto", "gmssl"],
        "notes": {flag: {"description": NOTES[flag]} for flag in sorted(used)},
        "testGroups": groups,
    }


def build_files() -> dict[str, str]:
    built = {
        "sm2_verify.json": build_signatures(),
        "sm2_decrypt.json": build_ciphertexts(),
        "sm2_public_key.json": build_public_keys(),
    }
    return {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in built.items()}


if __name__ == "__main__":
    for file_name, text in build_files().items():
        (HERE / file_name).write_text(text, encoding="utf-8")
