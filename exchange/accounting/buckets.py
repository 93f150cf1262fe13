"""Rows in buckets by their key, so that stations find what differs without showing each other every row."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exchange.accounting.canonical import canonical_keys
from exchange.accounting.digest import RowsDigest, hash_rows, sum_buckets

MIN_BUCKETS, MAX_BUCKETS = 16, 4096


def bucket_of(key: str, count: int) -> int:
    """Return the bucket of a key: CRC-32 of its UTF-8, modulo the number of buckets."""
    return zlib.crc32(key.encode()) % count


@dataclass(slots=True)
class BucketSums:
    """The digests of all buckets of a station, added up table by table."""

    count: int
    digests: list[RowsDigest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digests = [RowsDigest.empty()] * self.count

    def add(self, table: pa.Table, names: Sequence[str], key_names: Sequence[str]) -> None:
        """Add the rows of a table, items `names` of them."""
        buckets = _buckets_of(canonical_keys(table, key_names), self.count)
        found = sum_buckets(hash_rows(table, names), buckets, self.count)
        self.digests = [mine + more for mine, more in zip(self.digests, found, strict=True)]

    @property
    def total(self) -> RowsDigest:
        """The digest of all rows."""
        total = RowsDigest.empty()
        for digest in self.digests:
            total += digest
        return total


@dataclass(slots=True)
class BucketRows:
    """Key and row hash of the rows in some buckets. `repeated` are keys that came more than once."""

    count: int
    wanted: frozenset[int]
    hashes: dict[str, bytes] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    def add(self, table: pa.Table, names: Sequence[str], key_names: Sequence[str]) -> None:
        """Remember the rows of a table that are in the buckets wanted."""
        keys = canonical_keys(table, key_names)
        buckets = _buckets_of(keys, self.count)
        places = np.flatnonzero(np.isin(buckets, np.fromiter(self.wanted, np.int64)))
        if not len(places):
            return
        taken = pa.array(places)
        hashes = hash_rows(table.take(taken), names)
        for key, row in zip(keys.take(taken).to_pylist(), hashes, strict=True):
            if key in self.hashes:
                self.repeated.add(key)
            else:
                self.hashes[key] = row.tobytes()


def _buckets_of(keys: pa.Array, count: int) -> NDArray[np.int64]:
    return np.fromiter((bucket_of(key, count) for key in keys.to_pylist()), np.int64, len(keys))


def differing(left: Mapping[str, bytes], right: Mapping[str, bytes]) -> list[str]:
    """List the keys whose rows differ or are on one side only, in order."""
    return sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
