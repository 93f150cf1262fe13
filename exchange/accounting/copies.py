"""Digesting a copy of a resource that somebody holds as a file: the owner's own, or a subscriber's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from exchange.accounting.buckets import MAX_BUCKETS, MIN_BUCKETS, BucketRows, BucketSums
from exchange.catalogue.model import Resource
from exchange.publish.decode import open_upload
from exchange.publish.model import Upload
from exchange.publish.validate import Validator

BYTES_PER_BUCKET = 200_000


@dataclass(slots=True)
class CopyDigest:
    """What a copy adds up to; rows that the resource's rules refuse are counted, and named by key."""

    items: tuple[str, ...]
    sums: BucketSums
    received: int = 0
    refused: int = 0
    refused_keys: dict[str, tuple[str, ...]] = field(default_factory=dict)


MAX_REFUSED_KEYS = 100_000


def digest_copy(upload: Upload, resource: Resource) -> CopyDigest:
    """Read a copy, standardise it as publishing does, and digest its good rows bucket by bucket.

    Raises what `open_upload` raises.
    """
    validator, tables = _open(upload, resource)
    count = min(MAX_BUCKETS, max(MIN_BUCKETS, upload.size_bytes // BYTES_PER_BUCKET))
    copy = CopyDigest(items=tuple(validator.item_names), sums=BucketSums(count=count))
    keys = [item.name for item in resource.key_items]
    for accepted, received, refused in tables:
        copy.sums.add(accepted, copy.items, keys)
        copy.received += received
        copy.refused += len(refused)
        room = MAX_REFUSED_KEYS - len(copy.refused_keys)
        copy.refused_keys.update(refused[:room])
    return copy


def read_buckets(upload: Upload, resource: Resource, *, count: int, wanted: frozenset[int]) -> BucketRows:
    """Read a copy once more, and remember the rows in the buckets wanted."""
    validator, tables = _open(upload, resource)
    rows = BucketRows(count=count, wanted=wanted)
    keys = [item.name for item in resource.key_items]
    for accepted, _, _ in tables:
        rows.add(accepted, validator.item_names, keys)
    return rows


_Piece = tuple[pa.Table, int, list[tuple[str, tuple[str, ...]]]]


def _open(upload: Upload, resource: Resource) -> tuple[Validator, Iterator[_Piece]]:
    columns, batches = open_upload(upload, resource, keys_only=True)
    validator = Validator(resource, columns, keys_only=False)

    def pieces() -> Iterator[_Piece]:
        for batch in batches:
            validated = validator.validate(batch)
            refused = [
                (reject.key or f"row {reject.row_number}", tuple(reason.code for reason in reject.reasons))
                for reject in validated.rejects
            ]
            yield validated.accepted, validated.received_rows, refused

    return validator, pieces()
