"""The digest of a set of rows: independent of order, sensitive to every cell, additive."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given
from hypothesis import strategies as st

from exchange.accounting.canonical import canonical_rows
from exchange.accounting.digest import RowsDigest, digest_table, hash_rows, stretch, sum_buckets, sum_hashes
from signing import sm3

CELLS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8))
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=12)
NAMES = ["a", "名"]


def table_of(rows: list[tuple[str | None, str | None]]) -> pa.Table:
    return pa.table(
        {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(NAMES)}
    )


def naive(rows: list[tuple[str | None, str | None]]) -> RowsDigest:
    """Do by hand, with another implementation of ChaCha20, what the digest is defined to be."""
    lanes = [0] * 64
    for row in rows:
        data = b""
        for name, cell in sorted(zip(NAMES, row, strict=True), key=lambda pair: pair[0].encode()):
            if cell is not None:
                value = cell.encode()
                data += bytes([len(name.encode())]) + name.encode() + len(value).to_bytes(4, "big") + value
        cipher = Cipher(algorithms.ChaCha20(sm3.digest(data), bytes(16)), mode=None)
        words = np.frombuffer(cipher.encryptor().update(bytes(256)), dtype="<u4")
        lanes = [(lane + int(word)) % 2**32 for lane, word in zip(lanes, words, strict=True)]
    return RowsDigest(rows=len(rows), sum=b"".join(lane.to_bytes(4, "little") for lane in lanes))


@given(rows=ROWS, order=st.randoms())
def test_digest_of_any_rows_is_the_defined_one_in_any_order(
    rows: list[tuple[str | None, str | None]], order: object
) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert digest_table(table_of(shuffled), NAMES) == naive(rows)


@given(rows=ROWS, more=ROWS)
def test_digest_of_a_union_is_the_sum_and_of_the_rest_the_difference(
    rows: list[tuple[str | None, str | None]], more: list[tuple[str | None, str | None]]
) -> None:
    first, second, both = (digest_table(table_of(some), NAMES) for some in (rows, more, rows + more))
    assert first + second == both
    assert both - second == first


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), place=st.integers(0), text=CELLS)
def test_digest_changes_with_any_cell(
    rows: list[tuple[str | None, str | None]], place: int, text: str | None
) -> None:
    changed = list(rows)
    changed[place % len(rows)] = (text, changed[place % len(rows)][1])
    same = sorted(map(repr, changed)) == sorted(map(repr, rows))
    assert (
        digest_table(table_of(changed), NAMES).digest == digest_table(table_of(rows), NAMES).digest
    ) is same


def test_canonical_row_tells_moved_text_and_empty_items_apart() -> None:
    rows = canonical_rows(table_of([("ab", "c"), ("a", "bc"), (None, "abc"), ("abc", None)]), NAMES)
    assert len(set(rows)) == 4


def test_canonical_row_does_not_depend_on_columns_that_are_null_or_their_order() -> None:
    wide = pa.table({"z": pa.array(["x"]), "a": pa.array(["y"]), "new": pa.array([None], pa.string())})
    narrow = pa.table({"a": pa.array(["y"]), "z": pa.array(["x"])})
    assert canonical_rows(wide, ["z", "a", "new"]) == canonical_rows(narrow, ["a", "z"])


def test_canonical_values_are_written_as_documented() -> None:
    table = pa.table(
        {
            "day": pa.array([date(2024, 2, 9)]),
            "at": pa.array([datetime(2024, 2, 9, 9, 30, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            "sum": pa.array([Decimal("1.50")], pa.decimal128(8, 2)),
            "yes": pa.array([True]),
        }
    )
    (row,) = canonical_rows(table, table.column_names)
    assert row == (
        b"\x02at\x00\x00\x00\x0e20240209093000"
        b"\x03day\x00\x00\x00\x0a2024-02-09"
        b"\x03sum\x00\x00\x00\x041.50"
        b"\x03yes\x00\x00\x00\x04true"
    )


def test_buckets_add_up_to_the_whole() -> None:
    table = table_of([(f"{number}", "x") for number in range(5000)])
    hashes = hash_rows(table, NAMES)
    buckets = sum_buckets(hashes, np.arange(5000) * 7 % 64, 64)
    total = RowsDigest.empty()
    for bucket in buckets:
        total += bucket
    assert total == sum_hashes(hashes)


def test_stretch_of_a_hash_is_the_chacha20_key_stream() -> None:
    hashes = np.arange(96, dtype=np.uint8).reshape(3, 32)
    for place, words in enumerate(stretch(hashes).T):
        cipher = Cipher(algorithms.ChaCha20(hashes[place].tobytes(), bytes(16)), mode=None)
        assert words.astype("<u4").tobytes() == cipher.encryptor().update(bytes(256))
