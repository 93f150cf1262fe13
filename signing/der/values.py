"""Elements of DER read as values: numbers, identifiers, bits, text, times.

Source: ITU-T X.690 8 and 11, RFC 5280 4.1.2.5 (times).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from signing.der.elements import Node, Tag, tag_name
from signing.errors import DecodeError

MAX_INTEGER_BYTES: Final = 128
MAX_OID_BYTES: Final = 128
MAX_ARC_BYTES: Final = 20


def read_integer(
    node: Node, what: str = "INTEGER", *, max_bytes: int = MAX_INTEGER_BYTES, tag: int = Tag.INTEGER
) -> int:
    """Read an INTEGER (or, by `tag`, an ENUMERATED or implicitly tagged one) of at most `max_bytes`."""
    size = len(node.expect(tag, what))
    if not 1 <= size <= max_bytes:
        message = f"{what}: an INTEGER of {size} octets, 1 to {max_bytes} are allowed"
        raise DecodeError(message)
    content = node.content
    if size > 1 and (content[0], content[1] & 0x80) in ((0x00, 0x00), (0xFF, 0x80)):
        message = f"{what}: the INTEGER is not in its shortest form"
        raise DecodeError(message)
    return int.from_bytes(content, "big", signed=True)


def read_oid(node: Node, what: str = "OBJECT IDENTIFIER") -> str:
    """Read an OBJECT IDENTIFIER as dotted decimals."""
    content = node.expect(Tag.OID, what).content if len(node) <= MAX_OID_BYTES else b""
    return oid_from_content(content, what)


@lru_cache(maxsize=1024)
def oid_from_content(content: bytes, what: str = "OBJECT IDENTIFIER") -> str:
    """Decode the content octets of an OBJECT IDENTIFIER (X.690 8.19)."""
    if not content or len(content) > MAX_OID_BYTES or content[-1] & 0x80:
        message = f"{what}: an OBJECT IDENTIFIER is empty, too long or cut short"
        raise DecodeError(message)
    arcs: list[int] = []
    value = size = 0
    for octet in content:
        if size == 0 and octet == 0x80:
            message = f"{what}: an OBJECT IDENTIFIER arc is not in its shortest form"
            raise DecodeError(message)
        value, size = (value << 7) | (octet & 0x7F), size + 1
        if size > MAX_ARC_BYTES:
            message = f"{what}: an OBJECT IDENTIFIER arc is too large"
            raise DecodeError(message)
        if not octet & 0x80:
            arcs.append(value)
            value = size = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def read_boolean(node: Node, what: str = "BOOLEAN") -> bool:
    """Read a BOOLEAN: 00 or FF."""
    content = node.expect(Tag.BOOLEAN, what).content
    if content not in (b"\x00", b"\xff"):
        message = f"{what}: a BOOLEAN must be 00 or FF"
        raise DecodeError(message)
    return content == b"\xff"


def read_null(node: Node, what: str = "NULL") -> None:
    """Read a NULL."""
    if len(node.expect(Tag.NULL, what)):
        message = f"{what}: a NULL must be empty"
        raise DecodeError(message)


def read_octet_string(node: Node, what: str = "OCTET STRING", *, tag: int = Tag.OCTET_STRING) -> bytes:
    """Read an OCTET STRING (primitive only)."""
    return node.expect(tag, what).content


def read_bit_string(node: Node, what: str = "BIT STRING") -> bytes:
    """Read a BIT STRING that is a whole number of octets."""
    content, unused = read_bits(node, what)
    if unused:
        message = f"{what}: a BIT STRING of whole octets was expected"
        raise DecodeError(message)
    return content


def read_bits(node: Node, what: str = "BIT STRING", *, tag: int = Tag.BIT_STRING) -> tuple[bytes, int]:
    """Read a BIT STRING as (octets, unused bits); the unused bits must be zero.

    Trailing zero bits of a named-bit list are accepted: real CAs write `03 02 00 c0` for key usage.
    """
    if not len(node.expect(tag, what)):
        message = f"{what}: a BIT STRING needs its first octet"
        raise DecodeError(message)
    content = node.content
    unused, octets = content[0], content[1:]
    if unused > 7 or (unused and not octets) or (octets and octets[-1] & ((1 << unused) - 1)):
        message = f"{what}: the unused bits of a BIT STRING are wrong"
        raise DecodeError(message)
    return octets, unused


def read_named_bits(node: Node, what: str = "BIT STRING") -> frozenset[int]:
    """Read a named-bit list as the set of bit numbers that are one (bit 0 is the highest)."""
    octets, _ = read_bits(node, what)
    if len(octets) > 8:
        message = f"{what}: more than 64 named bits"
        raise DecodeError(message)
    return frozenset(i for i in range(8 * len(octets)) if octets[i // 8] >> (7 - i % 8) & 1)


_CODECS: Final[dict[int, str]] = {
    Tag.UTF8_STRING: "utf-8",
    Tag.NUMERIC_STRING: "ascii",
    Tag.PRINTABLE_STRING: "ascii",
    Tag.TELETEX_STRING: "latin-1",
    Tag.IA5_STRING: "ascii",
    Tag.VISIBLE_STRING: "ascii",
    Tag.UNIVERSAL_STRING: "utf-32-be",
    Tag.BMP_STRING: "utf-16-be",
}
STRING_TAGS: Final = frozenset(_CODECS)


def read_string(node: Node, what: str = "string") -> str:
    """Read any character string type as text.

    The alphabets of PrintableString and NumericString are not enforced: CAs break them, and nothing
    here depends on them.
    """
    codec = _CODECS.get(node.tag)
    if codec is None:
        message = f"{what}: a character string expected, {tag_name(node.tag)} found at octet {node.start}"
        raise DecodeError(message)
    try:
        return node.content.decode(codec)
    except UnicodeDecodeError as error:
        message = f"{what}: the {tag_name(node.tag)} at octet {node.start} is not valid text"
        raise DecodeError(message) from error


_UTC_TIME = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z\Z")
_GENERALIZED_TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z\Z")


def read_time(node: Node, what: str = "time", *, fraction: bool = False) -> datetime:
    """Read a UTCTime or GeneralizedTime as aware UTC: always seconds, always Z.

    A fraction of a second is refused unless `fraction` (RFC 3161 allows one); digits beyond
    microseconds are dropped. UTCTime years 50–99 are 19xx.
    """
    if node.tag not in (Tag.UTC_TIME, Tag.GENERALIZED_TIME):
        node.expect(Tag.GENERALIZED_TIME, what)
    pattern = _UTC_TIME if node.tag == Tag.UTC_TIME else _GENERALIZED_TIME
    match = pattern.match(node.content) if len(node) <= 32 else None
    micros = match.groups()[6:] if match else ()
    if match is None or (any(micros) and not fraction):
        message = f"{what}: not a time with seconds and Z"
        raise DecodeError(message)
    year, *others = (int(group) for group in match.groups()[:6])
    if node.tag == Tag.UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:
        moment = datetime(year, *others, tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:
        message = f"{what}: no such day or time of day"
        raise DecodeError(message) from error
    digits = micros[0] if micros and micros[0] else b""
    return moment + timedelta(microseconds=int(digits[:6].ljust(6, b"0"))) if digits else moment
