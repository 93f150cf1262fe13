"""A digest of a set of rows that does not depend on their order and grows and shrinks row by row.

Each row is hashed by SM3, the hash is stretched to 2048 bits by ChaCha20 (RFC 8439 2.3, the hash as its key,
nonce zero, blocks 0 to 3), read as 64 numbers of 32 bits, and the numbers are added lane by lane modulo 2^32.
This is LtHash (Bellare and Micciancio 1997, "A New Paradigm for Collision-Free Hashing"; Lewi et al. 2019).

Why so wide: adding plain 256-bit hashes falls to Wagner's generalised birthday attack, which finds two
sets of 2^16 rows with one sum in about 2^32 steps. At 2048 bits and up to 2^24 chosen rows it takes about
2^(2048 / 25 + 24), more than 2^100. Keys are unique within a resource, so that a row counts once at most and
multiples of one row, the short way into such sums, do not arise. The count of rows is kept beside the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exchange.accounting.canonical import canonical_rows
from signing import sm3

LANES: Final = 64
SUM_BYTES: Final = LANES * 4
BLOCKS: Final = 4
CHUNK_ROWS: Final = 2048
_CONSTANTS: Final = np.frombuffer(b"expand 32-byte k", dtype="<u4").astype(np.uint32)
_COUNTERS: Final = np.zeros((4, BLOCKS, 1), dtype=np.uint32)
_COUNTERS[0, :, 0] = np.arange(BLOCKS)
Words = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsDigest:
    """How many rows, and the 256 octets of their sum (64 numbers of 32 bits, little-endian)."""

    rows: int
    sum: bytes

    @classmethod
    def empty(cls) -> Self:
        """Return the digest of no rows."""
        return cls(rows=0, sum=bytes(SUM_BYTES))

    @property
    def digest(self) -> bytes:
        """SM3 over the count (8 octets, big-endian) and the sum: what is shown and compared."""
        return sm3.digest(self.rows.to_bytes(8, "big", signed=True) + self.sum)

    def __add__(self, other: RowsDigest) -> RowsDigest:
        """Return the digest of both sets together."""
        return RowsDigest(rows=self.rows + other.rows, sum=(_read(self.sum) + _read(other.sum)).tobytes())

    def __sub__(self, other: RowsDigest) -> RowsDigest:
        """Return the digest of this set without the rows of the other."""
        return RowsDigest(rows=self.rows - other.rows, sum=(_read(self.sum) - _read(other.sum)).tobytes())


def digest_table(table: pa.Table, names: Sequence[str]) -> RowsDigest:
    """Digest the rows of a typed table, items `names` of them."""
    return sum_hashes(hash_rows(table, names))


def hash_rows(table: pa.Table, names: Sequence[str]) -> NDArray[np.uint8]:
    """Hash each row by SM3: an array of rows × 32 octets."""
    hashes = sm3.digest_each(canonical_rows(table, names))
    return np.frombuffer(hashes, dtype=np.uint8).reshape(-1, sm3.DIGEST_BYTES)


def sum_hashes(hashes: NDArray[np.uint8]) -> RowsDigest:
    """Stretch and add the hashes of rows."""
    total = np.zeros((4, 4, BLOCKS), dtype=np.uint32)
    for start in range(0, len(hashes), CHUNK_ROWS):
        for part, words in enumerate(_key_streams(hashes[start : start + CHUNK_ROWS])):
            total[part] += words.sum(axis=2, dtype=np.uint32)
    return RowsDigest(rows=len(hashes), sum=total.transpose(2, 0, 1).astype("<u4").tobytes())


def sum_buckets(hashes: NDArray[np.uint8], buckets: NDArray[np.int64], count: int) -> list[RowsDigest]:
    """Add the hashes of rows bucket by bucket: a digest for each of `count` buckets."""
    totals = np.zeros((LANES, count), dtype=np.uint32)
    for start in range(0, len(hashes), CHUNK_ROWS):
        order = np.argsort(buckets[start : start + CHUNK_ROWS], kind="stable")
        ordered = buckets[start : start + CHUNK_ROWS][order]
        firsts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        words = stretch(hashes[start : start + CHUNK_ROWS][order])
        totals[:, ordered[firsts]] += np.add.reduceat(words, firsts, axis=1, dtype=np.uint32)
    rows = np.bincount(buckets, minlength=count)
    sums = np.ascontiguousarray(totals.T).astype("<u4")
    return [RowsDigest(rows=int(rows[b]), sum=sums[b].tobytes()) for b in range(count)]


def stretch(hashes: NDArray[np.uint8]) -> Words:
    """Stretch hashes (rows × 32 octets) to 64 words each: an array of 64 × rows."""
    state = np.concatenate(_key_streams(hashes))
    return np.ascontiguousarray(state.transpose(1, 0, 2)).reshape(LANES, len(hashes))


def _key_streams(hashes: NDArray[np.uint8]) -> tuple[Words, Words, Words, Words]:
    """Make ChaCha20's key streams under the hashes of rows: its state's four lines of 4 × BLOCKS × rows.

    For the diagonals the lines are turned into second ones and back, which copies them line by line.
    """
    count = len(hashes)
    key = np.ascontiguousarray(np.ascontiguousarray(hashes).view("<u4").astype(np.uint32).T)
    starts = (
        _CONSTANTS.reshape(4, 1, 1),
        key[:4].reshape(4, 1, count),
        key[4:].reshape(4, 1, count),
        _COUNTERS,
    )
    a, b, c, d = (np.empty((4, BLOCKS, count), dtype=np.uint32) for _ in starts)
    for line, start in zip((a, b, c, d), starts, strict=True):
        line[:] = start
    turned_b, turned_c, turned_d, spare = (np.empty_like(a) for _ in range(4))
    for _ in range(10):
        _quarter_rounds(a, b, c, d, spare)
        turned_b[:3], turned_b[3] = b[1:], b[0]
        turned_c[:2], turned_c[2:] = c[2:], c[:2]
        turned_d[1:], turned_d[0] = d[:3], d[3]
        _quarter_rounds(a, turned_b, turned_c, turned_d, spare)
        b[1:], b[0] = turned_b[:3], turned_b[3]
        c[2:], c[:2] = turned_c[:2], turned_c[2:]
        d[:3], d[3] = turned_d[1:], turned_d[0]
    for line, start in zip((a, b, c, d), starts, strict=True):
        np.add(line, start, out=line)
    return a, b, c, d


def _quarter_rounds(a: Words, b: Words, c: Words, d: Words, spare: Words) -> None:
    """Do the quarter rounds of all columns in place (RFC 8439 2.1)."""
    for target, source, turned, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        np.add(target, source, out=target)
        np.bitwise_xor(turned, target, out=turned)
        np.right_shift(turned, np.uint32(32 - bits), out=spare)
        np.left_shift(turned, np.uint32(bits), out=turned)
        np.bitwise_or(turned, spare, out=turned)


def _read(data: bytes) -> Words:
    return np.frombuffer(data, dtype="<u4").astype(np.uint32)
