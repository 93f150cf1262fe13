"""Cells that a spreadsheet would run: harmless in a download, and themselves again when they come back."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.publish.formulas import defuse_cell, restore_cells

PIECES = st.sampled_from(list("' \u3000=+-@\t\r\n＝－1甲"))


@pytest.mark.parametrize("cell", ["=1+1", " -5", "\u3000＝A", "'=A", "''@x", "\tx", "＋86"])
def test_cell_that_would_run_begins_with_an_apostrophe_more(cell: str) -> None:
    assert defuse_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "甲", "1-2", "'甲", " ", "'", "5"])
def test_cell_that_would_not_run_is_left_alone(cell: str) -> None:
    assert defuse_cell(cell) == cell


@given(st.lists(st.lists(PIECES, max_size=5).map("".join), max_size=5))
def test_restored_cells_are_what_they_were(cells: list[str]) -> None:
    shown = pa.array([defuse_cell(cell) for cell in cells], pa.string())
    assert restore_cells(shown).to_pylist() == cells
