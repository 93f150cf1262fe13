"""Cells of CSV that a spreadsheet would run as a formula: made harmless, and made what they were again.

A harmless cell has an apostrophe more in front. So has, then, a cell that began with apostrophes before such
a beginning, or it could not be told afterwards what the cell was.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_START: Final = "[ \u3000]*[=+\\-@\t\r\n＝＋－＠]"
_DANGEROUS: Final = re.compile(f"'*{_START}")


def defuse_cell(cell: str) -> str:
    """Write a cell so that no spreadsheet runs it."""
    return f"'{cell}" if _DANGEROUS.match(cell) else cell


def restore_cells(cells: pa.Array) -> pa.Array:
    """Take from text what `defuse_cell` put in front of it."""
    defused = pc.match_substring_regex(cells, f"^'+{_START}")
    if not pc.any(defused).as_py():
        return cells
    return pc.if_else(defused, pc.utf8_slice_codeunits(cells, 1), cells)
