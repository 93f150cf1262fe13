"""The bytes behind a column of text, for checks that work on them with numpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
_SPACE: Final = 0x20
_SPACE_LEADS: Final = (0xC2, 0xE1, 0xE2, 0xE3)  # first bytes in UTF-8 of all blanks beyond ASCII


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCells:
    """The cells of one width: `cells[p]` holds the byte at position p of each, `places` where they stand."""

    places: Places
    cells: Bytes


class TextColumn:
    """An Arrow array of strings with its bytes at hand. `valid` is false where the cell is null."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array
        count = len(array)
        self.valid: Mask = to_mask(array.is_valid()) if array.null_count else np.ones(count, dtype=np.bool_)
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, dtype=np.int32, count=array.offset + count + 1)[array.offset :]
        whole = np.empty(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
        self.data: Bytes = whole[bounds[0] : bounds[-1]]
        self.lengths: NDArray[np.int32] = bounds[1:] - bounds[:-1]
        if array.null_count:
            self.lengths *= self.valid
        self._bounds = bounds

    def __len__(self) -> int:
        return len(self.array)

    @cached_property
    def starts(self) -> Places:
        """Where each cell begins in `data`."""
        starts: Places = (self._bounds[:-1] - self._bounds[0]).astype(np.int64)
        return starts

    @cached_property
    def _least(self) -> int:
        return int(self.data.min()) if self.data.size else 0xFF

    @cached_property
    def is_ascii(self) -> bool:
        """Whether all characters are ASCII."""
        return self.data.size == 0 or int(self.data.max()) < 0x80

    @property
    def may_hold_blanks(self) -> bool:
        """Whether there may be a blank of Unicode somewhere; false is certain."""
        if self._least <= _SPACE:
            return True
        return not self.is_ascii and bool(np.isin(self.data, _SPACE_LEADS).any())

    @property
    def characters(self) -> NDArray[np.int32]:
        """The number of characters of each cell, 0 for null."""
        if self.is_ascii:
            return self.lengths
        lengths: NDArray[np.int32] = to_numpy(pc.fill_null(pc.utf8_length(self.array), 0))
        return lengths

    @property
    def is_printable(self) -> bool:
        """Whether there is neither a control character of ASCII nor a line end or tab."""
        return self._least >= _SPACE and not (self.data == 0x7F).any()

    @property
    def is_digits(self) -> bool:
        """Whether all characters are ASCII digits."""
        return self.data.size == 0 or (self._least >= 0x30 and int(self.data.max()) <= 0x39)

    @property
    def square(self) -> Bytes | None:
        """All cells, rows × width, where none is null and all are of one width in bytes; None otherwise."""
        if len(self) == 0 or self.array.null_count:
            return None
        width = int(self.lengths[0])
        return self.data.reshape(len(self), width) if (self.lengths == width).all() else None

    def fixed(self, width: int) -> FixedCells:
        """Return the cells that are exactly `width` bytes long."""
        fits = self.lengths == width
        places = np.flatnonzero(fits)
        if len(places) * width == self.data.size:
            square = self.data.reshape(len(places), width)
        else:
            square = self.data[self.starts[places][:, None] + np.arange(width)]
        return FixedCells(places=places, cells=np.ascontiguousarray(square.T))


class FixedRun:
    """What stands side by side in rows and has one width in all of them, to be joined as one part."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._model = b""
        self._fills: list[tuple[int, Bytes]] = []

    def add(self, octets: bytes) -> None:
        """Add what is the same in all rows."""
        self._model += octets

    def fill(self, cells: Bytes) -> None:
        """Add what differs: rows × width."""
        self._fills.append((len(self._model), cells))
        self._model += bytes(cells.shape[1])

    def take(self) -> list[pa.Array]:
        """Return it as one array of octets, none where there is nothing, and begin anew."""
        if not self._model:
            return []
        octets = np.empty((self._rows, len(self._model)), dtype=np.uint8)
        octets[:] = np.frombuffer(self._model, dtype=np.uint8)
        for start, cells in self._fills:
            octets[:, start : start + cells.shape[1]] = cells
        self._model, self._fills = b"", []
        return [to_binary(octets)]


def octets_of(numbers: NDArray[Any]) -> Bytes:
    """Return the bytes of numbers or records as they lie there: rows × width."""
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), -1)


def to_binary(octets: Bytes) -> pa.Array:
    """Turn rows × width into an Arrow array of octets."""
    kind = pa.binary(octets.shape[1])
    held = pa.FixedSizeBinaryArray.from_buffers(kind, len(octets), [None, pa.py_buffer(octets)])
    return held.cast(pa.binary())


def to_mask(array: pa.Array) -> Mask:
    """Turn an Arrow array of booleans without nulls into a numpy mask."""
    found: Mask = to_numpy(array)
    return found


def to_numpy(array: pa.Array) -> Any:
    """Turn an Arrow array without nulls into a numpy array."""
    return array.to_numpy(zero_copy_only=False)


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as one array of 32-bit strings, which starts at its buffers' begin."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array if array.type == pa.string() else array.cast(pa.string())
