"""Signatures and ciphertexts as octets.

Source: GB/T 35276-2017 (GM/T 0009-2012) 7.2 and 7.3: `SM2Signature ::= SEQUENCE { r INTEGER, s INTEGER }`,
`SM2Cipher ::= SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING (32), ciphertext OCTET STRING }`.
"""

from __future__ import annotations

from dataclasses import dataclass

from signing import der
from signing.curve import FIELD_BYTES, N, is_on_curve
from signing.errors import DecodeError

RAW_SIGNATURE_BYTES = 2 * FIELD_BYTES
_INTEGER_BYTES = FIELD_BYTES + 1


def parse_signature(signature: bytes) -> tuple[int, int]:
    """Read a strict DER signature as (r, s), both in [1, n-1]; raise DecodeError otherwise."""
    reader = der.parse_der(signature, max_depth=1).expect(der.Tag.SEQUENCE, "SM2 signature")
    fields = reader.reader("SM2 signature", limit=2)
    r = der.read_integer(fields.any(), "r", max_bytes=_INTEGER_BYTES)
    s = der.read_integer(fields.last(), "s", max_bytes=_INTEGER_BYTES)
    if not (0 < r < N and 0 < s < N):
        message = "r and s of an SM2 signature lie between 1 and the group order"
        raise DecodeError(message)
    return r, s


def build_signature(r: int, s: int) -> bytes:
    """Write (r, s) as DER."""
    return der.sequence(der.integer(r), der.integer(s))


def join_signature(r: bytes, s: bytes) -> bytes:
    """Write r and s, each 32 octets and not zero, as DER: `build_signature` for those in a hurry."""
    body = _write_integer(r) + _write_integer(s)
    return b"\x30" + bytes((len(body),)) + body


def _write_integer(octets: bytes) -> bytes:
    least = octets.lstrip(b"\0")
    if least[0] & 0x80:
        return bytes((2, len(least) + 1, 0)) + least
    return bytes((2, len(least))) + least


def raw_to_der(raw: bytes) -> bytes:
    """Convert r ‖ s, exactly 64 octets, to DER; raise DecodeError for another length."""
    if len(raw) != RAW_SIGNATURE_BYTES:
        message = f"a raw SM2 signature has {RAW_SIGNATURE_BYTES} octets, not {len(raw)}"
        raise DecodeError(message)
    r, s = int.from_bytes(raw[:FIELD_BYTES], "big"), int.from_bytes(raw[FIELD_BYTES:], "big")
    return build_signature(r, s)


def der_to_raw(signature: bytes) -> bytes:
    """Convert a strict DER signature to r ‖ s, 64 octets; raise DecodeError for anything else."""
    r, s = parse_signature(signature)
    return r.to_bytes(FIELD_BYTES, "big") + s.to_bytes(FIELD_BYTES, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """An SM2 ciphertext: C1 = (x, y), C3 = digest, C2 = masked."""

    x: int
    y: int
    digest: bytes
    masked: bytes


def parse_ciphertext(ciphertext: bytes) -> Ciphertext:
    """Read a strict DER SM2Cipher whose point lies on the curve; raise DecodeError otherwise."""
    outer = der.parse_der(ciphertext, max_depth=1).expect(der.Tag.SEQUENCE, "SM2 ciphertext")
    fields = outer.reader("SM2 ciphertext", limit=4)
    x = der.read_integer(fields.any(), "x", max_bytes=_INTEGER_BYTES)
    y = der.read_integer(fields.any(), "y", max_bytes=_INTEGER_BYTES)
    digest = der.read_octet_string(fields.any(), "hash")
    masked = der.read_octet_string(fields.last(), "ciphertext")
    if not is_on_curve(x, y) or len(digest) != FIELD_BYTES or not masked:
        message = "an SM2 ciphertext has a point of the curve, 32 octets of hash and at least one of text"
        raise DecodeError(message)
    return Ciphertext(x=x, y=y, digest=digest, masked=masked)


def build_ciphertext(parts: Ciphertext) -> bytes:
    """Write an SM2Cipher as DER."""
    return der.sequence(
        der.integer(parts.x),
        der.integer(parts.y),
        der.octet_string(parts.digest),
        der.octet_string(parts.masked),
    )
