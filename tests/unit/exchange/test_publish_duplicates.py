"""Which rows may share a key, against the obvious count."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from exchange.publish.duplicates import KeyWatch
from exchange.publish.typed import ROW_COLUMN

numbers = st.lists(st.integers(0, 60), unique=True, max_size=40)
pieces = st.lists(
    st.one_of(numbers.map(sorted), numbers, st.integers(0, 30).map(lambda n: list(range(n)))), max_size=5
)


@given(pieces=pieces, data=st.data())
def test_suspects_are_all_rows_whose_key_came_before(pieces: list[list[int]], data: st.DataObject) -> None:
    watch, seen = KeyWatch(["a", "b"]), []
    watch.tell_at_once()
    for place, piece in enumerate(pieces):
        rows = [1000 * place + number for number in piece]
        keys = [
            (data.draw(st.sampled_from(["x", "xy", "长"])), data.draw(st.integers(0, 30).map(str)))
            for _ in rows
        ]
        seen += list(zip(rows, keys, strict=True))
        table = pa.table(
            {
                ROW_COLUMN: pa.array(rows, pa.int64()),
                "a": pa.array([key[0] for key in keys], pa.string()),
                "b": pa.array([key[1] for key in keys], pa.string()),
            }
        )
        known = {key for _, key in seen[: len(seen) - len(keys)]}
        told = watch.add(table)
        assert (told is None) == (not keys)
        for repeated, key in zip([] if told is None else told, keys, strict=True):
            assert repeated == (key in known)
            known.add(key)
    counts = Counter(key for _, key in seen)
    assert watch.suspects() == sorted(row for row, key in seen if counts[key] > 1)
    firsts: dict[tuple[str, str], int] = {}
    for row, key in sorted(seen):
        firsts.setdefault(key, row)
    asked = [row for row, _ in seen[::2]]
    assert watch.first_of([*asked, 10**9]) == {row: firsts[key] for row, key in seen[::2]}
