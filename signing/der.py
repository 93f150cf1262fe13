"""Strict DER, read by byte range and written by small functions.

Reading keeps the original octets: a `Node` is a window on the buffer it came from, so that what is
verified is what was sent, never a re-encoding. Descent is lazy (one level per call), bounded in
depth and in the number of elements, and every length is checked against its parent before anything
is sliced: time and memory are linear in what is visited. Refused: indefinite, non-minimal,
over-long and negative lengths, tag numbers above 30, trailing octets, depth beyond `max_depth`.

Source: ITU-T X.690 (DER), RFC 5280 4.1.2.5 (times).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final

from signing.errors import DecodeError, EncodeError

MAX_DEPTH: Final = 64
MAX_CHILDREN: Final = 10_000
MAX_INTEGER_BYTES: Final = 128
MAX_OID_BYTES: Final = 128
MAX_ARC_BYTES: Final = 20


class Tag(IntEnum):
    """Identifier octets of the universal types used here (class, constructed bit and number)."""

    BOOLEAN = 0x01
    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    NULL = 0x05
    OID = 0x06
    ENUMERATED = 0x0A
    UTF8_STRING = 0x0C
    NUMERIC_STRING = 0x12
    PRINTABLE_STRING = 0x13
    TELETEX_STRING = 0x14
    IA5_STRING = 0x16
    UTC_TIME = 0x17
    GENERALIZED_TIME = 0x18
    VISIBLE_STRING = 0x1A
    UNIVERSAL_STRING = 0x1C
    BMP_STRING = 0x1E
    SEQUENCE = 0x30
    SET = 0x31


def context(number: int, *, constructed: bool = True) -> int:
    """Give the identifier octet of context-specific tag `number` (explicit tags are constructed)."""
    return 0x80 | (0x20 if constructed else 0) | number


def tag_name(tag: int) -> str:
    """Name an identifier octet for a message."""
    try:
        return Tag(tag).name.replace("_", " ")
    except ValueError:
        return f"[{tag & 0x1F}]" if tag & 0xC0 == 0x80 else f"tag 0x{tag:02x}"


# ---------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """One element: a window [`start`, `end`) on `source` whose content begins at `start + header_len`."""

    source: bytes
    start: int
    header_len: int
    end: int
    tag: int
    depth_left: int

    def __repr__(self) -> str:
        return f"<Node {tag_name(self.tag)} of {self.end - self.start} octets at {self.start}>"

    @property
    def constructed(self) -> bool:
        """Tell whether the content is itself a run of elements."""
        return bool(self.tag & 0x20)

    @property
    def content(self) -> bytes:
        """The octets after the header."""
        return self.source[self.start + self.header_len : self.end]

    @property
    def raw(self) -> bytes:
        """The octets including the header, as they were received."""
        return self.source[self.start : self.end]

    def __len__(self) -> int:
        return self.end - self.start - self.header_len

    def expect(self, tag: int, what: str) -> Node:
        """Return this node if it bears `tag`; raise DecodeError otherwise."""
        if self.tag != tag:
            message = f"{what}: {tag_name(tag)} expected, {tag_name(self.tag)} found at octet {self.start}"
            raise DecodeError(message)
        return self

    def children(self, *, limit: int = MAX_CHILDREN) -> tuple[Node, ...]:
        """Read the elements directly inside this one; at most `limit` of them."""
        if not self.constructed:
            message = f"{tag_name(self.tag)} at octet {self.start} holds no elements"
            raise DecodeError(message)
        if self.depth_left <= 0:
            message = f"elements are nested too deeply at octet {self.start}"
            raise DecodeError(message)
        found: list[Node] = []
        position = self.start + self.header_len
        while position < self.end:
            if len(found) >= limit:
                message = f"more than {limit} elements in {tag_name(self.tag)} at octet {self.start}"
                raise DecodeError(message)
            node = _read_node(self.source, position, self.end, self.depth_left - 1)
            found.append(node)
            position = node.end
        return tuple(found)

    def only_child(self, what: str) -> Node:
        """Return the one element inside this one (what an explicit tag must hold)."""
        return self.reader(what).last()

    def reader(self, what: str, *, limit: int = MAX_CHILDREN) -> Reader:
        """Return a cursor over the children; `what` names the structure in messages."""
        return Reader(self.children(limit=limit), what)


class Reader:
    """Walk a structure's elements in order, naming the structure when something is amiss."""

    __slots__ = ("_index", "_nodes", "_what")

    def __init__(self, nodes: tuple[Node, ...], what: str) -> None:
        self._nodes = nodes
        self._what = what
        self._index = 0

    @property
    def remaining(self) -> int:
        """How many elements have not been taken yet."""
        return len(self._nodes) - self._index

    def peek(self) -> int | None:
        """Return the next element's identifier octet, or None at the end."""
        return self._nodes[self._index].tag if self.remaining else None

    def any(self) -> Node:
        """Take the next element whatever its tag."""
        if not self.remaining:
            message = f"{self._what} ends too early"
            raise DecodeError(message)
        self._index += 1
        return self._nodes[self._index - 1]

    def take(self, tag: int, field: str = "") -> Node:
        """Take the next element, which must bear `tag`."""
        name = f"{self._what}.{field}" if field else self._what
        return self.any().expect(tag, name)

    def optional(self, *tags: int) -> Node | None:
        """Take the next element if it bears one of `tags`."""
        return self.any() if self.peek() in tags else None

    def rest(self) -> tuple[Node, ...]:
        """Take all remaining elements."""
        taken = self._nodes[self._index :]
        self._index = len(self._nodes)
        return taken

    def last(self) -> Node:
        """Take the next element, which must be the last."""
        node = self.any()
        self.finish()
        return node

    def finish(self) -> None:
        """Raise DecodeError if an element is left over."""
        if self.remaining:
            extra = self._nodes[self._index]
            message = f"{self._what}: unexpected {tag_name(extra.tag)} at octet {extra.start}"
            raise DecodeError(message)


def parse_der(data: bytes, *, max_depth: int = MAX_DEPTH) -> Node:
    """Read the one element that `data` consists of; trailing octets are refused.

    Raises DecodeError. Source: X.690 8.1, 10.1.
    """
    source = bytes(data)
    node = _read_node(source, 0, len(source), max_depth)
    if node.end != len(source):
        message = f"{len(source) - node.end} octets follow the end of the {tag_name(node.tag)}"
        raise DecodeError(message)
    return node


def element_at(source: bytes, start: int, *, end: int | None = None) -> Node:
    """Read the element that begins at octet `start` and does not reach beyond `end`; raise DecodeError."""
    return _read_node(source, start, len(source) if end is None else end, MAX_DEPTH)


def _read_node(source: bytes, start: int, limit: int, depth_left: int) -> Node:
    if limit - start < 2:
        message = f"an element is cut short at octet {start}"
        raise DecodeError(message)
    tag, length = source[start], source[start + 1]
    if tag & 0x1F == 0x1F:
        message = f"tag numbers above 30 are not used here (octet {start})"
        raise DecodeError(message)
    if tag == 0:
        message = f"a tag of zero at octet {start}"
        raise DecodeError(message)
    header_len = 2
    if length >= 0x80:
        length, header_len = _read_long_length(source, start, limit)
    end = start + header_len + length
    if end > limit:
        message = f"the element at octet {start} claims {length} octets, more than there are"
        raise DecodeError(message)
    return Node(source, start, header_len, end, tag, depth_left)


def _read_long_length(source: bytes, start: int, limit: int) -> tuple[int, int]:
    count = source[start + 1] & 0x7F
    if count == 0:
        message = f"an indefinite length at octet {start} is not DER"
        raise DecodeError(message)
    if count > 4:
        message = f"a length of {count} octets at octet {start}"
        raise DecodeError(message)
    if start + 2 + count > limit:
        message = f"a length is cut short at octet {start}"
        raise DecodeError(message)
    length = int.from_bytes(source[start + 2 : start + 2 + count], "big")
    if length < 0x80 or length >> (8 * (count - 1)) == 0:
        message = f"the length at octet {start} is not in its shortest form"
        raise DecodeError(message)
    return length, 2 + count


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


_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*\Z")
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


# ---------------------------------------------------------------------------------------- writing


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
    if len(dotted) > 4 * MAX_OID_BYTES or not re.fullmatch(r"[0-2](\.(0|[1-9]\d{0,38}))+", dotted):
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
