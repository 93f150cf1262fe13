"""The elements of DER, read by byte range.

Reading keeps the original octets: a `Node` is a window on the buffer it came from, so that what is
verified is what was sent, never a re-encoding. Descent is lazy (one level per call), bounded in
depth and in the number of elements, and every length is checked against its parent before anything
is sliced: time and memory are linear in what is visited. Refused: indefinite, non-minimal,
over-long and negative lengths, tag numbers above 30, trailing octets, depth beyond `max_depth`.

Source: ITU-T X.690 8.1, 10.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from signing.errors import DecodeError

MAX_DEPTH: Final = 64
MAX_CHILDREN: Final = 10_000


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
