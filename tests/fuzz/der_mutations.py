"""Mutations and bombs by the structure of DER."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from tests.fuzz.blind_mutations import BLIND, MAX_INPUT_BYTES, Bomb, Mutation

_MAX_NODES: Final = 400
_TREE_DEPTH: Final = 24


class Element:
    """One element of a seed: `children` where its content reads as elements, else `content`.

    `prefix` is what stands before the children (the first octet of a BIT STRING that wraps DER).
    """

    __slots__ = ("children", "content", "length", "prefix", "tag")

    def __init__(self, tag: int, content: bytes, prefix: bytes, children: list[Element] | None) -> None:
        self.tag = tag
        self.content = content
        self.prefix = prefix
        self.children = children
        self.length: bytes | None = None

    def encode(self) -> bytes:
        """Write the element with right lengths, or with the wrong one that a mutation gave it."""
        if self.children is not None:
            content = self.prefix + b"".join(child.encode() for child in self.children)
        else:
            content = self.content
        return bytes((self.tag,)) + (self.length or encode_length(len(content))) + content


def encode_length(size: int) -> bytes:
    """Write a definite length in its shortest form."""
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def read_elements(value: bytes, depth: int = _TREE_DEPTH) -> list[Element] | None:
    """Read a run of elements as a tree, looking into OCTET and BIT STRINGs too; None where it is none."""
    found: list[Element] = []
    at = 0
    while at < len(value):
        if at + 2 > len(value):
            return None
        tag, size, start = value[at], value[at + 1], at + 2
        if size >= 0x80:
            count = size & 0x7F
            size, start = int.from_bytes(value[start : start + count], "big"), start + count
        if start + size > len(value):
            return None
        found.append(_read_element(tag, value[start : start + size], depth))
        at = start + size
    return found


def _read_element(tag: int, content: bytes, depth: int) -> Element:
    prefix = content[:1] if tag == 0x03 else b""
    inside = content[len(prefix) :]
    wraps = tag & 0x20 or (tag in {0x03, 0x04} and inside[:1] == b"\x30")
    children = read_elements(inside, depth - 1) if wraps and depth and inside else None
    return Element(tag, content, prefix if children else b"", children)


def _flatten(elements: list[Element]) -> list[tuple[list[Element], int]]:
    """List every element as (its siblings, its place among them)."""
    places: list[tuple[list[Element], int]] = []
    queue = [elements]
    while queue and len(places) < _MAX_NODES:
        siblings = queue.pop()
        places += [(siblings, number) for number in range(len(siblings))]
        queue += [each.children for each in siblings if each.children]
    return places


def _edit(chance: Random, value: bytes, change: Callable[[Random, list[Element], int], None]) -> bytes:
    tree = read_elements(value)
    places = _flatten(tree) if tree else []
    if not tree or not places:
        return value[:-1]
    siblings, at = chance.choice(places)
    change(chance, siblings, at)
    return b"".join(each.encode() for each in tree)


def _wrong_length(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    """Write a length that is indefinite, negative-looking, padded, enormous, or off by a little."""

    def change(_: Random, siblings: list[Element], at: int) -> None:
        size = len(siblings[at].encode())
        siblings[at].length = chance.choice(
            (
                b"\x80",
                b"\x81" + bytes((size & 0x7F,)),
                b"\x82\x00" + bytes((size & 0xFF,)),
                b"\x84\xff\xff\xff\xff",
                b"\x84\x7f\xff\xff\xff",
                b"\x88" + b"\xff" * 8,
                b"\xff",
                b"\xfe" + bytes(126),
                encode_length(size + chance.randint(-3, 3) if size > 3 else size),
            )
        )

    return _edit(chance, value, change)


_CONTENTS: Final = (
    b"",
    b"\x00",
    b"\xff",
    b"\x80",
    b"\x00\x00",
    b"\x00\x7f",
    b"\xff\x80",
    b"\x80" + bytes(7),
    b"\x7f" + b"\xff" * 7,
    b"\xff" * 20,
    b"\x80" * 40,
    b"\xff" * 129,
    b"\x07",
    b"\x08\x00",
    b"\x2a\x81\x1c",
    b"\x80\x01",
    b"20260230000000Z",
    b"99991231235959Z",
    b"00000101000000Z",
    b"20260101000000.123Z",
    b"20260101000000+0800",
    b"260101000000Z",
    b"\xed\xa0\x80",
    b"\xd8\x00",
    "数证".encode(),
    "数证".encode("utf-16-be"),
    b"\x00\x11\x00\x00",
)
_TAGS: Final = (
    *(0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1C, 0x1E, 0x24, 0x30),
    *(0x31, 0x80, 0x81, 0x82, 0x86, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x1F, 0x00),
)


def _other_content(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    def change(_: Random, siblings: list[Element], at: int) -> None:
        siblings[at].children = None
        siblings[at].content = chance.choice(_CONTENTS)

    return _edit(chance, value, change)


def _other_tag(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    def change(_: Random, siblings: list[Element], at: int) -> None:
        siblings[at].tag = chance.choice(_TAGS)

    return _edit(chance, value, change)


def _drop(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    def change(_: Random, siblings: list[Element], at: int) -> None:
        del siblings[at]

    return _edit(chance, value, change)


def _copy(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    def change(_: Random, siblings: list[Element], at: int) -> None:
        siblings[at:at] = [siblings[at]] * chance.choice((1, 1, 2, 5, 70))

    return _edit(chance, value, change)


def _swap(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    def change(_: Random, siblings: list[Element], at: int) -> None:
        other = chance.randrange(len(siblings))
        siblings[at], siblings[other] = siblings[other], siblings[at]

    return _edit(chance, value, change)


def _transplant(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    """Put an element of another seed in the place of one of this seed."""
    donor = read_elements(chance.choice(seeds))
    places = _flatten(donor) if donor else []
    if not places:
        return value
    others, place = chance.choice(places)

    def change(_: Random, siblings: list[Element], at: int) -> None:
        siblings[at] = others[place]

    return _edit(chance, value, change)


def _wrap(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    def change(_: Random, siblings: list[Element], at: int) -> None:
        tag = chance.choice((0x30, 0x31, 0xA0, 0x04))
        for _ in range(chance.choice((1, 2, 40, 70))):
            siblings[at] = Element(tag, b"", b"", [siblings[at]])

    return _edit(chance, value, change)


_STRUCTURED: Final[tuple[Mutation, ...]] = (
    _wrong_length,
    _other_content,
    _other_content,
    _other_tag,
    _drop,
    _copy,
    _swap,
    _transplant,
    _wrap,
)
DER_MUTATIONS: Final = (*BLIND, *_STRUCTURED, *_STRUCTURED)


def _bomb_inside(chance: Random, seed: bytes, content: bytes, *, constructed: bool) -> bytes:
    """Put a great content into one element of a seed, all lengths right."""

    def change(_: Random, siblings: list[Element], at: int) -> None:
        siblings[at].children = None
        siblings[at].content = content
        if constructed and not siblings[at].tag & 0x20:
            siblings[at].tag = 0x30

    return _edit(chance, seed, change)


def _depth_bomb(chance: Random, seed: bytes) -> bytes:
    tag, levels = chance.choice((0x30, 0x31, 0xA0)), chance.choice((65, 1000, 100_000))
    inside = b""
    pieces = []
    size = 0
    for _ in range(levels):
        head = bytes((tag,)) + encode_length(size)
        pieces.append(head)
        size += len(head)
        if size > MAX_INPUT_BYTES // 2:
            break
    inside = b"".join(reversed(pieces))
    return inside if chance.random() < 0.5 else _bomb_inside(chance, seed, inside, constructed=True)


def _indefinite_bomb(chance: Random, seed: bytes) -> bytes:
    return bytes((chance.choice((0x30, 0x24, 0xA0)), 0x80)) * chance.choice((100, 10_000, 500_000))


def _wide_bomb(chance: Random, seed: bytes) -> bytes:
    unit = chance.choice((b"\x05\x00", b"\x30\x00", b"\x02\x01\x01", b"\x04\x00", b"\x06\x01\x2a", b"1\x00"))
    run = unit * (chance.choice((5_000, 9_999, 10_001, 300_000)))
    return _bomb_inside(chance, seed, run[: MAX_INPUT_BYTES - 8192], constructed=True)


def _copies_bomb(chance: Random, seed: bytes) -> bytes:
    """Repeat one real element of a seed until the whole has nearly 1 MiB."""
    room = MAX_INPUT_BYTES - len(seed) - 64

    def change(_: Random, siblings: list[Element], at: int) -> None:
        one = siblings[at].encode()
        siblings[at:at] = [siblings[at]] * min(room // max(len(one), 1), 200_000)

    return _edit(chance, seed, change)


def _long_bomb(chance: Random, seed: bytes) -> bytes:
    content = chance.choice((b"\xff", b"\x80", b"\x00", b"A", b"\x30\x80"))
    run = content * ((MAX_INPUT_BYTES - 8192) // len(content))
    return _bomb_inside(chance, seed, run[: chance.choice((70_000, 250_000, len(run)))], constructed=False)


DER_BOMBS: Final[tuple[Bomb, ...]] = (_depth_bomb, _indefinite_bomb, _wide_bomb, _copies_bomb, _long_bomb)
