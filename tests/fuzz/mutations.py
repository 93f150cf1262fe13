"""Make hostile inputs out of good ones: blindly, by the structure of DER, and by the habits of text."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.fuzz.blind_mutations import MAX_INPUT_BYTES as MAX_INPUT_BYTES
from tests.fuzz.der_mutations import DER_BOMBS, DER_MUTATIONS, encode_length
from tests.fuzz.text_mutations import TEXT_BOMBS, TEXT_MUTATIONS


def mutate(chance: Random, seeds: Sequence[bytes], *, text: bool) -> bytes:
    """Make one input of at most 1 MiB; one in five hundred is large, one in fifty has nothing of a seed."""
    lot = chance.random()
    if lot < 0.002:
        bomb = chance.choice(TEXT_BOMBS if text else DER_BOMBS)
        return bomb(chance, chance.choice(seeds))[:MAX_INPUT_BYTES]
    if lot < 0.02:
        return _noise(chance, text=text)
    value = chance.choice(seeds)
    kinds = TEXT_MUTATIONS if text else DER_MUTATIONS
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        value = chance.choice(kinds)(chance, value, seeds)
    return value[:MAX_INPUT_BYTES]


def _noise(chance: Random, *, text: bool) -> bytes:
    """Give random octets; the length is spread evenly over its logarithm, up to 1 MiB in one case of 40."""
    size = int(2 ** chance.uniform(0, 20 if chance.random() < 0.025 else 11))
    octets = chance.randbytes(size)
    if text:
        return bytes(32 + octet % 95 for octet in octets[:65536])
    return octets if chance.random() < 0.5 else b"\x30" + encode_length(max(size - 4, 0)) + octets
