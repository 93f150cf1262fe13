"""Records of changed rows, split into what one leaf holds."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.log.recorded_rows import MAX_RECORD_CHARACTERS, MAX_ROWS_IN_LEAF, split_records

TEXTS = st.text(max_size=80)
TAGS = st.dictionaries(TEXTS, st.just("0123456789abcdef"), max_size=300)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"table": TEXTS, "key": TEXTS, "number": st.integers(1, 10**12)}, optional={"tags": TAGS}
    ),
    max_size=120,
)


def written(record: dict[str, Any]) -> int:
    return len(json.dumps(record, ensure_ascii=False))


@given(RECORDS)
def test_pieces_are_within_the_limits_full_and_in_order(records: list[dict[str, Any]]) -> None:
    pieces = list(split_records(records))
    assert [record for piece in pieces for record in piece] == records
    for piece in pieces:
        assert 1 <= len(piece) <= MAX_ROWS_IN_LEAF
        assert len(piece) == 1 or sum(map(written, piece)) <= MAX_RECORD_CHARACTERS
    for piece, following in itertools.pairwise(pieces):
        room = MAX_RECORD_CHARACTERS - sum(map(written, piece)) - 2 * (len(piece) + 1)
        assert len(piece) == MAX_ROWS_IN_LEAF or written(following[0]) > room
