"""Check characters of whole columns: GB 11643, GB 32100 with the inner GB 11714, GB/T 36904.

Each function masks the cells that fail; null never fails. The arithmetic is that of `core.codes`, done on
the bytes of all cells at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.codes import citizen, credit
from exchange.publish.columns import Bytes, FixedCells, Mask, TextColumn
from exchange.publish.days import day_numbers

NONE: Final = 255
_CITIZEN_WEIGHTS: Final = np.array(citizen.WEIGHTS, dtype=np.uint16)
_CITIZEN_CHECKS: Final = np.frombuffer(citizen.CHECK_CHARACTERS.encode(), dtype=np.uint8)
_CREDIT_WEIGHTS: Final = np.array(credit.WEIGHTS, dtype=np.uint16)
_ORGANISATION_WEIGHTS: Final = np.array(credit.ORGANISATION_WEIGHTS, dtype=np.uint16)
_ORGANISATION_CHECKS: Final = np.frombuffer(b"0X987654321", dtype=np.uint8)
_IDENTIFIER_ROOT: Final = b"1.2.156.3005.2."
_IDENTIFIER_DOTS: Final = (21, 40)
_MIN_IDENTIFIER_BYTES: Final = len(_IDENTIFIER_ROOT) + 21 + 1 + 18 + 1 + 1 + 1 + 3 + 1 + 1
_MAX_IDENTIFIER_BYTES: Final = _MIN_IDENTIFIER_BYTES + 63


def _values_of(alphabet: str) -> Bytes:
    values = np.full(256, NONE, dtype=np.uint8)
    values[np.frombuffer(alphabet.encode(), dtype=np.uint8)] = np.arange(len(alphabet))
    return values


_CREDIT_VALUES: Final = _values_of(credit.ALPHABET)
_BASE36_VALUES: Final = _values_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_CREDIT_CHECKS: Final = np.frombuffer(credit.ALPHABET.encode(), dtype=np.uint8)


def _weigh(weights: NDArray[np.uint16], values: Bytes) -> NDArray[np.int32]:
    """Add weighted values per cell.

    Sums of known characters stay far below 2^16; those of others wrap and mean nothing. A product of
    matrices would wake the threads of BLAS, which take the processors from the database.
    """
    total = np.zeros(values.shape[1], dtype=np.uint16)
    for weight, row in zip(weights, values, strict=True):
        total += row * weight
    return total.astype(np.int32)


def _failures(column: TextColumn, fixed: FixedCells, good: Mask) -> Mask:
    bad: Mask = column.valid.copy()
    bad[fixed.places] = ~good
    return bad


def breaks_citizen_number(column: TextColumn) -> Mask:
    """Mask what is not a citizen number: 17 digits, the right check character, a day that exists."""
    fixed = column.fixed(citizen.LENGTH)
    digits = fixed.cells - np.uint8(0x30)
    numeric: Mask = digits[:17].max(axis=0, initial=0) <= 9
    expected = _CITIZEN_CHECKS[_weigh(_CITIZEN_WEIGHTS, digits[:17]) % 11]
    _, is_day = day_numbers(digits[6:14])
    return _failures(column, fixed, numeric & (expected == fixed.cells[17]) & is_day)


def breaks_credit_code(column: TextColumn) -> Mask:
    """Mask what is not a unified social credit code with the right last character (GB 32100)."""
    fixed = column.fixed(credit.LENGTH)
    values = _CREDIT_VALUES[fixed.cells]
    known: Mask = values.max(axis=0, initial=0) < NONE
    total = _weigh(_CREDIT_WEIGHTS, values[:17])
    expected = _CREDIT_CHECKS[(31 - total % 31) % 31]
    return _failures(column, fixed, known & (expected == fixed.cells[17]))


def breaks_inner_code(column: TextColumn) -> Mask:
    """Mask credit codes whose positions 9 to 17 do not carry the check of GB 11714."""
    fixed = column.fixed(credit.LENGTH)
    return _failures(column, fixed, _organisation_good(fixed.cells[8:17]))


def breaks_organisation_code(column: TextColumn) -> Mask:
    """Mask what is not an organisation code of nine characters, with or without its hyphen (GB 11714)."""
    plain, hyphened = column.fixed(9), column.fixed(10)
    bad = _failures(column, plain, _organisation_good(plain.cells))
    cells = np.concatenate([hyphened.cells[:8], hyphened.cells[9:]])
    bad[hyphened.places] = ~(_organisation_good(cells) & (hyphened.cells[8] == ord("-")))
    return bad


def _organisation_good(cells: Bytes) -> Mask:
    values = _BASE36_VALUES[cells[:8]]
    known: Mask = values.max(axis=0, initial=0) < NONE
    good: Mask = known & (_ORGANISATION_CHECKS[_weigh(_ORGANISATION_WEIGHTS, values) % 11] == cells[8])
    return good


def breaks_certificate_identifier(column: TextColumn) -> Mask:
    """Mask what is not a certificate identifier with the right check character (GB/T 36904, MOD 37,36).

    `1.2.156.3005.2.<21>.<18>.<serial, 1 to 64>.<3 digits>.<check>`; the serial's length is free, so the
    cells of each length are looked at together.
    """
    bad: Mask = column.valid.copy()
    for width in np.unique(column.lengths):
        if _MIN_IDENTIFIER_BYTES <= width <= _MAX_IDENTIFIER_BYTES:
            fixed = column.fixed(int(width))
            bad[fixed.places] = ~_identifiers_good(fixed.cells)
    return bad


def _identifiers_good(cells: Bytes) -> Mask:
    root, rest = cells[: len(_IDENTIFIER_ROOT)], cells[len(_IDENTIFIER_ROOT) :]
    dots = [*_IDENTIFIER_DOTS, len(rest) - 6, len(rest) - 2]
    good: Mask = (root == np.frombuffer(_IDENTIFIER_ROOT, dtype=np.uint8)[:, None]).all(axis=0)
    good &= (rest[dots] == ord(".")).all(axis=0)
    version = rest[len(rest) - 5 : len(rest) - 2]
    good &= ((version >= 0x30) & (version <= 0x39)).all(axis=0)
    body = np.delete(rest[:-1], dots, axis=0)
    values = _BASE36_VALUES[body]
    good &= values.max(axis=0, initial=0) < NONE
    product = np.full(cells.shape[1], 36, dtype=np.int32)
    for row in values:
        total = (product + row) % 36
        product = np.where(total == 0, 36, total) * 2 % 37
    good &= _BASE36_VALUES[rest[-1]] == (37 - product) % 36
    return good
