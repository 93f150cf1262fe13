"""Finding rows that may share a key, by a hash of each key, before the database is asked.

A hash never misses a repeated key; what it suspects wrongly, the exact comparison in SQL acquits.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from exchange.publish.columns import Bytes, Mask, Places, TextColumn, as_text, to_numpy
from exchange.publish.seen import Hashes, SeenHashes
from exchange.publish.typed import ROW_COLUMN, decimal_text

MAX_HASHED_ROWS: Final = 20_000_000
_SEPARATOR: Final = "\x1f"
_WORD_BYTES: Final = 8
_BLOCK_ROWS: Final = 1 << 22  # of 8 bytes: memory of its own, not shared with what comes and goes
_PART_ROWS: Final = 1 << 17
_PART_BITS: Final = 4  # so many bits of a hash say in which part it is sorted: less is held at once


class _RowNumbers:
    """The row numbers of a piece: where they ascend, their range and the few that it lacks."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._first, last = int(numbers[0]), int(numbers[-1])
        lacking = last - self._first + 1 - len(numbers)
        self._numbers: NDArray[np.int64] | None = None
        self._lacking = np.empty(0, dtype=np.int64)
        if not 0 <= lacking < len(numbers) or not bool(np.all(numbers[1:] > numbers[:-1])):
            self._numbers = numbers.copy()
        elif lacking:
            present = np.zeros(last - self._first + 1, dtype=bool)
            present[numbers - self._first] = True
            self._lacking = np.flatnonzero(~present)
        self.count = len(numbers)

    def expand(self) -> NDArray[np.int64]:
        """Return the numbers, in their order."""
        if self._numbers is not None:
            return self._numbers
        whole = np.arange(self._first, self._first + self.count + len(self._lacking), dtype=np.int64)
        return np.delete(whole, self._lacking)


class _Hashes:
    """Hashes in the order they came, in large blocks: small arrays that stay would leave holes among them."""

    def __init__(self) -> None:
        self._blocks: list[Hashes] = []
        self._count = 0

    def add(self, hashes: Hashes) -> None:
        """Take more."""
        while hashes.size:
            place = self._count % _BLOCK_ROWS
            if place == 0:
                self._blocks.append(np.empty(_BLOCK_ROWS, dtype=np.uint64))
            taken = hashes[: _BLOCK_ROWS - place]
            self._blocks[-1][place : place + taken.size] = taken
            self._count += taken.size
            hashes = hashes[taken.size :]

    def at(self, places: Places) -> Hashes:
        """Return the hashes that came at these places."""
        blocks, within = np.divmod(places, _BLOCK_ROWS)
        found = np.empty(len(places), dtype=np.uint64)
        for number in np.unique(blocks):
            found[blocks == number] = self._blocks[number][within[blocks == number]]
        return found

    def parts(self) -> Iterator[Hashes]:
        """Yield all, in parts of which copies are small."""
        for number, block in enumerate(self._blocks):
            filled = block[: self._count - number * _BLOCK_ROWS]
            yield from np.split(filled, range(_PART_ROWS, len(filled), _PART_ROWS))


class KeyWatch:
    """Remembers a hash (8 bytes) of each accepted row, and its number, up to MAX_HASHED_ROWS."""

    def __init__(self, key_names: Sequence[str]) -> None:
        self._key_names = key_names
        self._hashes = _Hashes()
        self._rows: list[_RowNumbers] = []
        self._count = 0
        self._seen: SeenHashes | None = None
        self._secrets = np.frombuffer(secrets.token_bytes(4096), dtype=np.uint64) | np.uint64(1)

    def tell_at_once(self) -> None:
        """Have `add` tell which rows may have a key that came before; to be asked for before the first."""
        self._seen = SeenHashes()

    def add(self, table: pa.Table) -> Mask | None:
        """Remember the keys of a piece of accepted rows.

        Where that was asked for, tell which of its rows may have a key that came before: no other has one.
        """
        self._count += table.num_rows
        if table.num_rows == 0:
            return None
        if self._count > MAX_HASHED_ROWS:
            return None if self._seen is None else np.ones(table.num_rows, dtype=np.bool_)
        columns = [_key_text(table.column(name).combine_chunks()) for name in self._key_names]
        keys = columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, _SEPARATOR)
        hashes = self._hash(TextColumn(as_text(keys)))
        self._hashes.add(hashes)
        self._rows.append(_RowNumbers(to_numpy(table.column(ROW_COLUMN).combine_chunks())))
        return None if self._seen is None else self._seen.take(hashes)

    def suspects(self) -> list[int] | None:
        """Return the numbers of rows whose hash came more than once; None where there are too many rows."""
        if self._count > MAX_HASHED_ROWS:
            return None
        if not self._rows:
            return []
        repeated = np.concatenate([self._find_repeated(part) for part in range(1 << _PART_BITS)])
        if not repeated.size:
            return []
        return sorted(self._numbers_at(self._find(repeated)).tolist())

    def first_of(self, rows: Collection[int]) -> dict[int, int]:
        """Return for rows the first row whose key has the same hash; unknown rows are left out."""
        wanted = np.fromiter(rows, dtype=np.int64, count=len(rows))
        begins, places = 0, []
        for piece in self._rows:
            places.append(np.flatnonzero(np.isin(piece.expand(), wanted)) + begins)
            begins += piece.count
        asked = np.concatenate([*places, np.empty(0, dtype=np.int64)])
        same = self._find(self._hashes.at(asked))
        firsts: dict[int, int] = {}
        for number, key in zip(self._numbers_at(same), self._hashes.at(same), strict=True):
            firsts[int(key)] = min(int(number), firsts.get(int(key), int(number)))
        pairs = zip(self._numbers_at(asked), self._hashes.at(asked), strict=True)
        return {int(number): firsts[int(key)] for number, key in pairs}

    def _find(self, wanted: Hashes) -> Places:
        """Return at which places these hashes came."""
        found = [np.isin(part, wanted) for part in self._hashes.parts()]
        return np.flatnonzero(np.concatenate([*found, np.empty(0, dtype=np.bool_)]))

    def _numbers_at(self, places: Places) -> NDArray[np.int64]:
        """Return the row numbers at ascending places."""
        ends = np.cumsum([rows.count for rows in self._rows])
        pieces = np.searchsorted(ends, places, side="right")
        found = [
            self._rows[piece].expand()[places[pieces == piece] - ends[piece] + self._rows[piece].count]
            for piece in np.unique(pieces)
        ]
        return np.concatenate([*found, np.empty(0, dtype=np.int64)])

    def _find_repeated(self, part: int) -> Hashes:
        """Find the hashes that came more than once among those of one part, which are sorted as a copy."""
        shift = np.uint64(64 - _PART_BITS)
        ordered = np.concatenate([each[each >> shift == part] for each in self._hashes.parts()])
        ordered.sort()
        return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])

    def _hash(self, keys: TextColumn) -> Hashes:
        hashes = np.zeros(len(keys), dtype=np.uint64)
        for width in np.unique(keys.lengths):
            fixed = keys.fixed(int(width))
            hashes[fixed.places] = self._mix(fixed.cells, int(width))
        return hashes

    def _mix(self, cells: Bytes, width: int) -> Hashes:
        words = -(-width // _WORD_BYTES)
        padded = np.zeros((cells.shape[1], words * _WORD_BYTES), dtype=np.uint8)
        padded[:, :width] = cells.T
        total = np.full(cells.shape[1], width, dtype=np.uint64)
        for position, word in enumerate(padded.view(np.uint64).T):
            total = (total ^ word) * self._secrets[position % len(self._secrets)]
            total ^= total >> np.uint64(29)
        return total


def _key_text(column: pa.Array) -> pa.Array:
    if pa.types.is_decimal(column.type):
        return decimal_text(column)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())
