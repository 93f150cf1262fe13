"""Mutations that know nothing of what they change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

MAX_INPUT_BYTES: Final = 1 << 20

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]
Bomb = Callable[[Random, bytes], bytes]


def place(chance: Random, value: bytes) -> int:
    return chance.randrange(len(value)) if value else 0


def _flip_bits(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(value)
    for _ in range(chance.choice((1, 1, 2, 8)) if value else 0):
        changed[place(chance, value)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _set_octet(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    at = place(chance, value)
    octet = chance.choice((0, 1, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF, 0x30, chance.randrange(256)))
    return value[:at] + bytes((octet,)) + value[at + 1 :]


def _truncate(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    return value[: place(chance, value)]


def _append(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    return value + chance.choice((b"\x00", b"\x05\x00", chance.randbytes(chance.randint(1, 40))))


def _delete(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    at = place(chance, value)
    return value[:at] + value[at + chance.choice((1, 1, 2, 4, 32)) :]


def _insert(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    at = place(chance, value)
    return value[:at] + chance.randbytes(chance.choice((1, 1, 2, 4, 32))) + value[at:]


def _repeat(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    at, size = place(chance, value), chance.choice((1, 4, 16, 64))
    return value[:at] + value[at : at + size] * chance.choice((2, 3, 20)) + value[at + size :]


def _splice(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    other = chance.choice(seeds)
    return value[: place(chance, value)] + other[place(chance, other) :]


BLIND: Final[tuple[Mutation, ...]] = (
    _flip_bits,
    _set_octet,
    _truncate,
    _append,
    _delete,
    _insert,
    _repeat,
    _splice,
)
