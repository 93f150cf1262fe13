"""DER, written by small functions that each return octets.

Source: ITU-T X.690 8 and 11, RFC 5280 4.1.2.5 (times).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from signing.der.elements import Tag, context
from signing.errors import EncodeError

_MAX_OID_CHARACTERS: Final = 512
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*\Z")


def encode(tag: int, content: bytes) -> bytes:
    """Write one element."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """Write a SEQUENCE of parts already encoded; empty parts stand for absent fields."""
    return encode(Tag.SEQUENCE, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """Write a SET OF, its parts in DER order (X.690 11.6)."""
    return encode(Tag.SET, b"".join(sorted(parts)))


def integer(value: int) -> bytes:
    """Write an INTEGER."""
    return encode(Tag.INTEGER, _integer_content(value))


def enumerated(value: int) -> bytes:
    """Write an ENUMERATED."""
    return encode(Tag.ENUMERATED, _integer_content(value))


def _integer_content(value: int) -> bytes:
    bits = (value if value >= 0 else ~value).bit_length()
    return value.to_bytes(bits // 8 + 1, "big", signed=True)


@lru_cache(maxsize=1024)
def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER given as dotted decimals; raise EncodeError for a malformed one."""
    if len(dotted) > _MAX_OID_CHARACTERS or not re.fullmatch(r"[0-2](\.(0|[1-9]\d{0,38}))+", dotted):
        message = "an object identifier must be decimal numbers with dots between them"
        raise EncodeError(message)
    arcs = [int(arc) for arc in dotted.split(".")]
    if arcs[0] < 2 and arcs[1] > 39:
        message = "the second number of this object identifier must be below 40"
        raise EncodeError(message)
    return encode(Tag.OID, b"".join(_base128(arc) for arc in (40 * arcs[0] + arcs[1], *arcs[2:])))


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(0x80 | (value & 0x7F))
    return bytes(reversed(octets))


def octet_string(value: bytes) -> bytes:
    """Write an OCTET STRING."""
    return encode(Tag.OCTET_STRING, value)


def bit_string(value: bytes, unused: int = 0) -> bytes:
    """Write a BIT STRING."""
    return encode(Tag.BIT_STRING, bytes((unused,)) + value)


def named_bits(bits: Iterable[int]) -> bytes:
    """Write a named-bit list without trailing zero bits (X.690 11.2.2)."""
    numbers = set(bits)
    if not numbers:
        return bit_string(b"")
    octets = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        octets[number // 8] |= 0x80 >> (number % 8)
    return bit_string(bytes(octets), 7 - max(numbers) % 8)


def utf8(text: str) -> bytes:
    """Write a UTF8String."""
    return encode(Tag.UTF8_STRING, text.encode())


def printable(text: str) -> bytes:
    """Write a PrintableString; raise EncodeError for characters outside its alphabet."""
    if not _PRINTABLE.match(text):
        message = "a PrintableString holds Latin letters, digits, space and '()+,-./:=? only"
        raise EncodeError(message)
    return encode(Tag.PRINTABLE_STRING, text.encode("ascii"))


def ia5(text: str) -> bytes:
    """Write an IA5String; raise EncodeError for text that is not ASCII."""
    if not text.isascii():
        message = "an IA5String holds ASCII only"
        raise EncodeError(message)
    return encode(Tag.IA5_STRING, text.encode("ascii"))


def null() -> bytes:
    """Write a NULL."""
    return b"\x05\x00"


def boolean(value: bool) -> bytes:
    """Write a BOOLEAN."""
    return b"\x01\x01\xff" if value else b"\x01\x01\x00"


def utc_time(moment: datetime) -> bytes:
    """Write a UTCTime; the moment must be aware and lie in 1950–2049."""
    utc = _whole_seconds(moment)
    if not 1950 <= utc.year <= 2049:
        message = "a UTCTime reaches from 1950 to 2049"
        raise EncodeError(message)
    return encode(Tag.UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode())


def generalized_time(moment: datetime, *, fraction: bool = False) -> bytes:
    """Write a GeneralizedTime; with `fraction` the microseconds too, without trailing zeros."""
    utc = _whole_seconds(moment)
    micros = f".{moment.microsecond:06d}".rstrip("0").rstrip(".") if fraction else ""
    digits = f"{utc.year:04d}{utc:%m%d%H%M%S}{micros}Z"
    return encode(Tag.GENERALIZED_TIME, digits.encode())


def time(moment: datetime) -> bytes:
    """Write a time as certificates do: UTCTime through 2049, GeneralizedTime after (RFC 5280 4.1.2.5)."""
    year = _whole_seconds(moment).year
    return utc_time(moment) if 1950 <= year <= 2049 else generalized_time(moment)


def _whole_seconds(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        message = "a time must carry its zone"
        raise EncodeError(message)
    return moment.astimezone(UTC).replace(microsecond=0)


def explicit(number: int, part: bytes) -> bytes:
    """Wrap an encoded part in context tag [`number`] EXPLICIT."""
    return encode(context(number), part)


def implicit(number: int, part: bytes) -> bytes:
    """Replace the tag of an encoded part by context tag [`number`] IMPLICIT."""
    return bytes((context(number, constructed=bool(part[0] & 0x20)),)) + part[1:]
