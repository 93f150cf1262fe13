"""Mutations and bombs by the habits of text."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from tests.fuzz.blind_mutations import BLIND, MAX_INPUT_BYTES, Bomb, place

_STRUCTURE_WORDS: Final = (
    *(
        b'"',
        b"\\",
        b"\\u",
        b"\\ud800",
        b"\\u0000",
        b":",
        b";",
        b"=",
        b"==",
        b",",
        b"(",
        b")",
        b"()",
        b"*",
        b"?1",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"[]",
        b"{}",
        b"[[[[[[[[",
        b'{"":',
        b";req",
        b";sf",
        b";bs",
        b";tr",
        b';key="a"',
    ),
)
_VALUE_WORDS: Final = (
    *(b"null", b"true", b"-", b"-0", b"0", b"1e9", b"9007199254740993", b"999999999999999", b"0.001", b"1."),
    *(b"NaN", b"%00", b"%zz", b"+", b"/", b"x001/", b".p/255", b".p/0", b"@query", b"1" * 400),
    *(b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", "— ".encode(), "٣".encode()),
)
_OCTET_WORDS: Final = (
    *(b"\x00", b"\xa0", b"\n", b"\n\n", b"\r\n", b"\t", b" ", b"\xff", b"\xc0\x80", b"\xed\xa0\x80"),
    "\u2028".encode(),
)
_WORDS: Final = (*_STRUCTURE_WORDS, *_VALUE_WORDS, *_OCTET_WORDS)


def _insert_word(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    at = place(chance, value)
    return value[:at] + chance.choice(_WORDS) + value[at + chance.choice((0, 0, 1, 3)) :]


def _drop_line(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    lines = value.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join(chance.choice((lines[:at] + lines[at + 1 :], lines[: at + 1] + lines[at:])))


def _change_number(chance: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    places = [at for at, octet in enumerate(value) if 0x30 <= octet <= 0x39]
    if not places:
        return value
    at = chance.choice(places)
    number = chance.choice((b"0", b"9", b"-1", b"00", b"18446744073709551616", b"9" * 5000, b"1.5"))
    return value[:at] + number + value[at + 1 :]


TEXT_MUTATIONS: Final = (*BLIND, _insert_word, _insert_word, _insert_word, _drop_line, _change_number)


def _nest_bomb(chance: Random, seed: bytes) -> bytes:
    opening = chance.choice((b"[", b'{"a":', b"(", b'"\\', b"a=(", b"[[],"))
    return opening * chance.choice((65, 1_000, 100_000, MAX_INPUT_BYTES // len(opening)))


def _run_bomb(chance: Random, seed: bytes) -> bytes:
    units = (b"[],", b'"a",', b"a=1,", b'"x";a,', b"a;b;c,", b"0,", b"A", b"a, ", b'{"a":1},')
    unit = chance.choice(chance.choice((units, _WORDS)))
    at = place(chance, seed)
    return seed[:at] + unit * (chance.choice((1_000, 50_000, MAX_INPUT_BYTES)) // len(unit)) + seed[at:]


def _line_bomb(chance: Random, seed: bytes) -> bytes:
    lines = seed.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join((*lines[:at], *[lines[at]] * (MAX_INPUT_BYTES // (len(lines[at]) + 1)), *lines[at:]))


TEXT_BOMBS: Final[tuple[Bomb, ...]] = (_nest_bomb, _run_bomb, _line_bomb)
