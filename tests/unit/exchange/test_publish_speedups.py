"""Short cuts of validation and digests give what the long way gives."""

from __future__ import annotations

import asyncio
import errno
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.accounting.digest import RowsDigest, digest_table
from exchange.catalogue.formats import parse_format
from exchange.publish import digest_queue
from exchange.publish.checks import clean
from exchange.publish.columns import TextColumn
from exchange.publish.digest_queue import DigestQueue
from exchange.publish.spill import Spill
from signing import sm3

TEXT = parse_format("C..50")
CELLS = st.lists(st.none() | st.text(st.sampled_from("a1 甲　,\u2003\x85\t。、"), max_size=4), max_size=8)


def test_every_blank_of_unicode_is_trimmed() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    cells = pa.array([f"{character}甲{character}" for character in characters], pa.string())
    trimmed = pc.utf8_trim_whitespace(cells)
    blank = pc.equal(trimmed, "甲")
    assert pc.sum(blank).as_py() > 20
    for cell in cells.filter(blank):
        assert clean(pa.array([cell]), TEXT, coded=False).to_pylist() == ["甲"]


@given(cells=CELLS)
def test_cleaned_cells_are_trimmed_and_empty_ones_null(cells: list[str | None]) -> None:
    column = pa.array(cells, pa.string())
    trimmed = pc.utf8_trim_whitespace(column).to_pylist()
    assert clean(column, TEXT, coded=False).to_pylist() == [cell or None for cell in trimmed]


@given(cells=CELLS)
def test_cells_have_their_own_lengths_in_a_slice_too(cells: list[str | None]) -> None:
    column = pa.array(["xx", *cells, "yyy"], pa.string()).slice(1, len(cells))
    held = TextColumn(column)
    assert held.lengths.tolist() == [len((cell or "").encode()) for cell in cells]
    assert held.valid.tolist() == [cell is not None for cell in cells]
    assert held.data.tobytes() == "".join(cell or "" for cell in cells).encode()


@pytest.mark.parametrize("own", [True, False], ids=["own", "library"])
def test_each_message_has_the_digest_that_it_has_alone(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    if not own:
        monkeypatch.setattr(sm3, "_OWN", None)
    messages = [b"", b"abc", bytes(200), "数证".encode() * 100]
    assert sm3.digest_each(messages) == b"".join(map(sm3.digest, messages))
    assert sm3.digest_each([b"abc"]).hex().startswith("66c7f0f462eeedd9")  # GB/T 32905-2016, example 1


@pytest.mark.parametrize("room_bytes", [0, 2000, 10**9])
async def test_queue_digests_every_table_once_whatever_room_it_has(
    monkeypatch: pytest.MonkeyPatch, room_bytes: int
) -> None:
    monkeypatch.setattr(digest_queue, "MAX_WAITING_BYTES", room_bytes)
    tables = _tables()
    queue = DigestQueue()
    for place, table in enumerate(tables):
        await queue.add(table)
        if place == 10:
            queue.start()
        assert sum(waiting.nbytes for waiting in queue._waiting) <= max(room_bytes, 0)
    assert await queue.finish() == await queue.finish() == digest_table(pa.concat_tables(tables), ["a"])


def _tables() -> list[pa.Table]:
    return [pa.table({"a": pa.array(np.arange(50) + 50 * n).cast(pa.string())}) for n in range(20)]


def _watch_digests(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    digested: list[int] = []

    def digest_noting(table: pa.Table, names: list[str]) -> RowsDigest:
        digested.append(table.num_rows)
        return digest_table(table, names)

    monkeypatch.setattr(digest_queue, "digest_table", digest_noting)
    return digested


async def test_tables_without_room_wait_in_a_file_that_has_no_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(digest_queue, "MAX_WAITING_BYTES", 2000)
    digested = _watch_digests(monkeypatch)
    queue = DigestQueue(tmp_path)
    for table in [*_tables(), pa.table({"a": pa.array([], pa.string())})]:
        await queue.add(table)
        assert sum(waiting.nbytes for waiting in queue._waiting) <= 2000
    assert not digested
    assert not list(tmp_path.iterdir())
    queue.start()
    whole = digest_table(pa.concat_tables(_tables()), ["a"])
    assert await queue.finish() == await queue.finish() == whole
    assert sum(digested) == whole.rows
    await queue.stop()


@pytest.mark.parametrize("written", [0, 1, 7])
async def test_tables_that_the_disk_refuses_are_digested_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: int
) -> None:
    monkeypatch.setattr(digest_queue, "MAX_WAITING_BYTES", 2000)
    digested = _watch_digests(monkeypatch)
    add, count = Spill.add, 0

    def add_some(spill: Spill, table: pa.Table) -> None:
        nonlocal count
        if count == written:
            spill._file.write(b"a part")
            raise OSError(errno.ENOSPC, "No space left on device")
        count += 1
        add(spill, table)

    monkeypatch.setattr(Spill, "add", add_some)
    queue = DigestQueue(tmp_path)
    for table in _tables():
        await queue.add(table)
    assert digested
    assert await queue.finish() == digest_table(pa.concat_tables(_tables()), ["a"])


async def test_a_queue_that_stops_gives_its_file_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(digest_queue, "MAX_WAITING_BYTES", 2000)
    for is_started in (False, True):
        queue = DigestQueue(tmp_path)
        for table in _tables():
            await queue.add(table)
        assert queue._spill is not None
        file = queue._spill._file
        if is_started:
            queue.start()
        await queue.stop()
        assert file.closed


async def test_stopped_queue_leaves_no_work_behind() -> None:
    before = asyncio.all_tasks()
    queue = DigestQueue()
    await queue.add(pa.table({"a": ["x"] * 100_000}))
    queue.start()
    await queue.stop()
    assert asyncio.all_tasks() <= before
