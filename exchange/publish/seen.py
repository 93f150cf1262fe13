"""Telling, while rows come, which keys may have come before: a Bloom filter over hashes of 64 bits.

It never misses one that came before. What it suspects wrongly (of ten million keys one in 470), a comparison
of the keys themselves acquits.

Source: B. H. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13 (1970).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from exchange.publish.columns import Mask

Hashes = NDArray[np.uint64]

_BITS: Final = 27  # 16 MB


class SeenHashes:
    """Hashes that have come; of each, three bits out of 2 to the 27th are set."""

    def __init__(self) -> None:
        self._bits = np.zeros(1 << (_BITS - 3), dtype=np.uint8)

    def take(self, hashes: Hashes) -> Mask:
        """Remember hashes; tell of each whether it came before, in an earlier call or earlier in this one."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        again = np.ones(len(hashes), dtype=np.bool_)
        for place in _places_of(ordered):
            octets, bits = place >> np.uint64(3), _BIT[place & np.uint64(7)]
            again &= self._bits[octets] & bits != 0
            self._set(octets, bits)
        again[1:] |= ordered[1:] == ordered[:-1]
        found = np.empty_like(again)
        found[order] = again
        return found

    def _set(self, octets: Hashes, bits: NDArray[np.uint8]) -> None:
        """Set bits; of several in one octet numpy sets the last, so those that are missing follow."""
        while octets.size:
            self._bits[octets] |= bits
            missing = self._bits[octets] & bits == 0
            octets, bits = octets[missing], bits[missing]


def _places_of(hashes: Hashes) -> list[Hashes]:
    """Take three numbers of a bit out of each hash: its upper bits, its lower ones, and a mixture."""
    upper, lower = hashes >> np.uint64(64 - _BITS), hashes & _LAST
    return [upper, lower, (upper * np.uint64(3) + (hashes >> np.uint64(18))) & _LAST]


_LAST: Final = np.uint64((1 << _BITS) - 1)
_BIT: Final = (1 << np.arange(8)).astype(np.uint8)
