"""Arrow streams as they come off systems: in small batches, with dictionaries, broken off in the middle."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from exchange.publish import columnar
from exchange.publish.decoded import BATCH_ROWS, DecodedBatch


def write(path: Path, batches: list[pa.RecordBatch]) -> Path:
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


def numbered(first: int, count: int) -> pa.RecordBatch:
    values = pa.array(range(first, first + count), pa.int64())
    return pa.RecordBatch.from_arrays([values, values.cast(pa.string()).dictionary_encode()], ["n", "word"])


def read(path: Path) -> list[DecodedBatch]:
    names, batches = columnar.open_arrow(path)
    assert names == ["n", "word"]
    return list(batches)


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=30), room=st.integers(1, 100))
def test_small_batches_are_gathered_in_their_order_whatever_their_sizes(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], room: int
) -> None:
    path = tmp_path_factory.mktemp("arrow") / "rows.arrow"
    write(path, [numbered(1 + sum(sizes[:place]), size) for place, size in enumerate(sizes)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columnar, "BATCH_ROWS", room)
        found = read(path)
    rows = [number for batch in found for number in batch.numbers]
    assert rows == list(range(1, sum(sizes) + 1))
    for name in ("n", "word"):
        assert [text for batch in found for text in batch.columns[name].to_pylist()] == [str(n) for n in rows]
    assert all(1 <= len(batch.numbers) <= room for batch in found)
    assert all(len(a.numbers) + len(b.numbers) > room for a, b in itertools.pairwise(found))


def test_many_small_batches_are_few_pieces(tmp_path: Path) -> None:
    size = 1000
    path = write(tmp_path / "rows.arrow", [numbered(1 + size * n, size) for n in range(200)])
    assert [len(batch.numbers) for batch in read(path)] == [65_000, 65_000, 65_000, 5_000]
    assert BATCH_ROWS == 65_536


def test_wide_rows_are_gathered_by_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "GATHERED_BYTES", 5000)
    path = write(tmp_path / "rows.arrow", [numbered(1 + 10 * n, 10) for n in range(100)])
    assert len(read(path)) == 3


def test_stream_that_breaks_off_is_refused_near_the_row_where_it_does(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.arrow", [numbered(1 + 100 * n, 100) for n in range(50)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _, batches = columnar.open_arrow(path)
    first = next(batches)
    assert 1000 < len(first.numbers) < 4000
    with pytest.raises(BadInput, match=f"near row {len(first.numbers) + 1},"):
        next(batches)


def test_reader_that_stops_early_leaves_nothing_open(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.arrow", [numbered(1 + 1000 * n, 1000) for n in range(200)])
    _, batches = columnar.open_arrow(path)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
